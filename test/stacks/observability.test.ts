import { StateMachine } from "aws-local-stepfunctions";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { METRICS, METRICS_NAMESPACE } from "../../lambdas/runtime/metrics.ts";
import { fillAlarmDefinition } from "../../state-machines/alarm.ts";
import { synthesiseStack } from "../support/synthesised-stack.ts";

const stack = synthesiseStack();

const metric = z.looseObject({
  namespace: z.string(),
  metric_name: z.string(),
  dimensions: z.record(z.string(), z.string()),
});
const query = z.looseObject({ expression: z.string().optional(), metric: metric.optional() });
const alarm = z.looseObject({
  alarm_name: z.string(),
  alarm_description: z.string(),
  comparison_operator: z.string(),
  threshold: z.number(),
  evaluation_periods: z.number(),
  treat_missing_data: z.string(),
  metric_query: z.array(query),
});

function alarmsOf(of = stack): Record<string, z.infer<typeof alarm>> {
  return Object.fromEntries(
    Object.entries(of.all("aws_cloudwatch_metric_alarm")).map(([path, body]) => [
      path.replace("alarms/", ""),
      alarm.parse(body),
    ]),
  );
}

function metricsOf({ metric_query: queries }: z.infer<typeof alarm>): z.infer<typeof metric>[] {
  return queries.flatMap((found) => found.metric ?? []);
}

/** What an alarm is over, as `namespace metric dimensions`. */
function watched(body: z.infer<typeof alarm>): string[] {
  return metricsOf(body).map(
    ({ namespace, metric_name, dimensions }) => `${namespace} ${metric_name} ${JSON.stringify(dimensions)}`,
  );
}

const MACHINE = '{"StateMachineArn":"<aws_sfn_state_machine daily/machine arn>"}';
const RUNS = '{"service":"run-summary","stage":"prod"}';
const FUNCTIONS = ["symbol-updater", "batch-fetcher", "run-summary"].map(
  (name) => `{"FunctionName":"<aws_lambda_function ${name}/function function_name>"}`,
);

describe("the alarms", () => {
  it.each([
    ["run-failed", [`AWS/States ExecutionsFailed ${MACHINE}`, `AWS/States ExecutionsTimedOut ${MACHINE}`]],
    ["run-partial", [`AsxEod runPartial ${RUNS}`]],
    ["no-completed-run", [`AsxEod runComplete ${RUNS}`]],
    ["lambda-errors", FUNCTIONS.map((dimensions) => `AWS/Lambda Errors ${dimensions}`)],
    ["lambda-throttles", FUNCTIONS.map((dimensions) => `AWS/Lambda Throttles ${dimensions}`)],
    [
      "dead-letters",
      ['AWS/SQS ApproximateNumberOfMessagesVisible {"QueueName":"<aws_sqs_queue notifications/dead-letters name>"}'],
    ],
  ])("%s watches what it is about", (name, expected) => {
    const body = alarmsOf()[name];
    expect(body === undefined ? [] : watched(body)).toEqual(expected);
    expect(body?.alarm_name).toBe(`asx-eod-prod-${name}`);
  });

  it("are over metrics that the Lambdas emit, under the dimensions they emit them under", () => {
    const ours = Object.values(alarmsOf())
      .flatMap(metricsOf)
      .filter(({ namespace }) => namespace === METRICS_NAMESPACE);
    expect(ours.length).toBeGreaterThan(0);
    // What each Lambda emits, and that its dimensions are these two, the test of the bundles checks on its output.
    const emitted: Record<string, { service: string }> = METRICS;
    for (const { metric_name, dimensions } of ours) {
      expect(dimensions).toEqual({ service: emitted[metric_name]?.service, stage: "prod" });
    }
  });

  it("go off at the first failure, partial day, throttle or dead letter, and at the third error of the Lambdas", () => {
    for (const [name, { comparison_operator, threshold, treat_missing_data }] of Object.entries(alarmsOf())) {
      if (name === "no-completed-run") continue;
      expect([name, comparison_operator, threshold, treat_missing_data]).toEqual([
        name,
        "GreaterThanThreshold",
        name === "lambda-errors" ? 2 : 0,
        "notBreaching",
      ]);
    }
  });

  it("miss a run that never came: hours without a number count as hours without a completed run", () => {
    const missing = alarmsOf()["no-completed-run"];
    expect(missing).toMatchObject({
      comparison_operator: "LessThanThreshold",
      threshold: 1,
      treat_missing_data: "breaching",
      metric_query: [
        { expression: "SUM(FILL(METRICS(), 0))", return_data: true },
        { metric: { period: 3600, stat: "Sum" }, return_data: false },
      ],
    });
    // Longer than from one morning's catch-up to the next and a run's own time, so that a weekend sets nothing off.
    expect(missing?.evaluation_periods).toBe(24 + 2);
    // CloudWatch's limit for periods of an hour: seven days.
    expect((missing?.evaluation_periods ?? 0) * 3600).toBeLessThanOrEqual(604_800);
  });

  it("do not miss runs that nobody scheduled", () => {
    expect(alarmsOf(synthesiseStack({ ASX_EOD_SCHEDULE: '{"enabled":false}' }))).not.toHaveProperty("no-completed-run");
  });

  it("say what they mean and what to do, within CloudWatch's 1,024 characters", () => {
    for (const { alarm_description } of Object.values(alarmsOf())) {
      expect(alarm_description.length).toBeGreaterThan(120);
      expect(alarm_description.length).toBeLessThanOrEqual(1024);
      expect(alarm_description).toMatch(/run the date|asx execute|look|lower the concurrency|log groups/i);
    }
  });
});

describe("the notifications", () => {
  it("are encrypted at rest: the topic and the queue of dead letters", () => {
    expect(stack.one("aws_sns_topic", "notifications/topic")["kms_master_key_id"]).toBe("alias/aws/sns");
    expect(stack.one("aws_sqs_queue", "notifications/dead-letters")).toMatchObject({
      sqs_managed_sse_enabled: true,
      message_retention_seconds: 14 * 86_400,
    });
  });

  it("go to an e-mail address where one is set", () => {
    expect(stack.all("aws_sns_topic_subscription")).toEqual({});
    const subscribed = synthesiseStack({ ASX_EOD_ALERT_EMAIL: "quant@example.com" });
    expect(subscribed.one("aws_sns_topic_subscription", "notifications/email")).toMatchObject({
      topic_arn: "<aws_sns_topic notifications/topic arn>",
      protocol: "email",
      endpoint: "quant@example.com",
    });
  });

  it("of alarms go by EventBridge, which hears each of them going off and starts their publishing", () => {
    const rule = stack.one("aws_cloudwatch_event_rule", "notifications/alarms");
    expect(JSON.parse(z.string().parse(rule["event_pattern"]))).toEqual({
      source: ["aws.cloudwatch"],
      "detail-type": ["CloudWatch Alarm State Change"],
      resources: expect.arrayContaining(
        Object.keys(alarmsOf()).map((name) => `<aws_cloudwatch_metric_alarm alarms/${name} arn>`),
      ),
      detail: { state: { value: ["ALARM"] } },
    });
    expect(stack.one("aws_cloudwatch_event_target", "notifications/alarm-target")).toMatchObject({
      rule: "<aws_cloudwatch_event_rule notifications/alarms name>",
      arn: "<aws_sfn_state_machine notifications/publish/machine arn>",
      role_arn: "<aws_iam_role notifications/alarm-role/role arn>",
      dead_letter_config: { arn: "<aws_sqs_queue notifications/dead-letters arn>" },
    });
    // AWS's own key of SNS refuses CloudWatch: an alarm that named the topic as its action would fail unseen.
    for (const body of Object.values(alarmsOf())) expect(body).not.toHaveProperty("alarm_actions");
  });

  it("tell of an alarm its name, its meaning and what was seen", async () => {
    const topicArn = "arn:aws:sns:ap-southeast-2:123456789012:asx-eod-prod-notifications";
    const published: unknown[] = [];
    const definition = z
      .custom<ConstructorParameters<typeof StateMachine>[0]>()
      .parse(fillAlarmDefinition({ topicArn }));
    // The form of the event is of the CloudWatch user guide, "Alarm events and EventBridge".
    const event = {
      source: "aws.cloudwatch",
      "detail-type": "CloudWatch Alarm State Change",
      detail: {
        alarmName: "asx-eod-prod-run-failed",
        state: { value: "ALARM", reason: "Threshold Crossed: 1 datapoint", timestamp: "2024-05-31T09:45:00.000+0000" },
        configuration: { description: "A run failed. Run the date again." },
      },
    };
    const publish = async (input: unknown) => {
      published.push(input);
      return {};
    };
    await new StateMachine(definition).run(event, {
      overrides: { taskResourceLocalHandlers: { PublishAlarm: publish } },
    }).result;
    expect(published).toEqual([
      {
        TopicArn: topicArn,
        Subject: "ALARM: asx-eod-prod-run-failed",
        Message:
          "asx-eod-prod-run-failed is in alarm since 2024-05-31T09:45:00.000+0000. A run failed. Run the date again. " +
          "What CloudWatch saw: Threshold Crossed: 1 datapoint",
      },
    ]);
  });
});

const rendering = z.object({
  id: z.string().optional(),
  stat: z.string().optional(),
  expression: z.string().optional(),
});
const dashboard = z.object({
  widgets: z.array(
    z.object({
      x: z.number(),
      y: z.number(),
      properties: z.object({
        title: z.string(),
        region: z.string(),
        metrics: z.array(z.array(z.union([z.string(), rendering]))),
      }),
    }),
  ),
});

describe("the dashboard", () => {
  const { widgets } = dashboard.parse(
    JSON.parse(z.string().parse(stack.one("aws_cloudwatch_dashboard", "dashboard")["dashboard_body"])),
  );

  it("shows outcomes, runs, duration, symbols a minute, retries with 429s, and the lag", () => {
    expect(widgets.map(({ properties }) => properties.title)).toEqual([
      "Symbols by outcome, a day",
      "Runs by status, a day",
      "Duration of the day's longest run",
      "Symbols a minute in the day's longest run",
      "What the price source had to be asked again, a day",
      "From the closing auction to the data",
    ]);
  });

  it("draws metrics that the Lambdas emit, and expressions over lines that are there", () => {
    const emitted: Record<string, { service: string }> = METRICS;
    for (const { properties } of widgets) {
      const ids = properties.metrics.flatMap((line) => rendering.safeParse(line.at(-1)).data?.id ?? []);
      for (const line of properties.metrics) {
        const { expression } = rendering.parse(line.at(-1));
        if (expression === undefined) {
          const [namespace, name = "", ...dimensions] = line.slice(0, -1);
          expect([namespace, dimensions]).toEqual([
            METRICS_NAMESPACE,
            ["service", emitted[String(name)]?.service, "stage", "prod"],
          ]);
        } else {
          expect(expression.match(/[a-z]+/g)?.filter((id) => !ids.includes(id))).toEqual([]);
        }
      }
    }
  });

  it("stays within what is free: 50 metrics", () => {
    expect(widgets.flatMap(({ properties }) => properties.metrics).length).toBeLessThanOrEqual(50);
    expect(new Set(widgets.map(({ x, y }) => `${x},${y}`)).size).toBe(widgets.length);
  });
});
