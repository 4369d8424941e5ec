import { StateMachine } from "aws-local-stepfunctions";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { METRICS, METRICS_NAMESPACE } from "../../lambdas/runtime/metrics.ts";
import { runTimeoutSeconds } from "../../stacks/time-outs.ts";
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
const BACKFILL = '{"StateMachineArn":"<aws_sfn_state_machine backfill/machine arn>"}';
const RUNS = '{"service":"run-summary","stage":"prod"}';
const FUNCTIONS = ["symbol-updater", "batch-fetcher", "run-summary"].map(
  (name) => `{"FunctionName":"<aws_lambda_function ${name}/function function_name>"}`,
);

describe("the alarms", () => {
  it.each([
    [
      "run-failed",
      [
        `AWS/States ExecutionsFailed ${MACHINE}`,
        `AWS/States ExecutionsTimedOut ${MACHINE}`,
        `AsxEod runPartial ${RUNS}`,
      ],
    ],
    ["run-partial", [`AsxEod runPartial ${RUNS}`]],
    ["backfill-failed", [`AWS/States ExecutionsFailed ${BACKFILL}`, `AWS/States ExecutionsTimedOut ${BACKFILL}`]],
    ["no-completed-run", [`AsxEod latestDayComplete ${RUNS}`]],
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

  it("stay silent about backfills where none runs", () => {
    expect(alarmsOf()["backfill-failed"]).toMatchObject({
      treat_missing_data: "notBreaching",
      metric_query: [{ expression: "SUM(FILL([m0, m1], 0))", return_data: true }, {}, {}],
    });
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

  it("take a partial run off the failed ones: it has an alarm of its own", () => {
    expect(alarmsOf()["run-failed"]?.metric_query[0]).toMatchObject({
      expression: "SUM(FILL([m0, m1], 0)) - FILL(besides, 0)",
      return_data: true,
    });
    expect(alarmsOf()["run-failed"]?.metric_query.at(-1)).toMatchObject({
      id: "besides",
      metric: { metric_name: "runPartial" },
    });
  });

  const DAYS: Readonly<Record<string, readonly number[]>> = {
    "MON-FRI": [0, 1, 2, 3, 4],
    "TUE-SAT": [1, 2, 3, 4, 5],
    "SAT,SUN": [5, 6],
    "SUN,MON": [6, 0],
  };

  it.each([
    ["{}", 18],
    ['{"dailyAt":"19:00","catchUpAt":"11:00"}', 21],
  ])("miss a run that never came, with the schedule %s", (schedule, hours) => {
    const stack = synthesiseStack({ ASX_EOD_SCHEDULE: schedule });
    const missing = alarmsOf(stack)["no-completed-run"];
    expect(missing).toMatchObject({
      comparison_operator: "LessThanThreshold",
      threshold: 1,
      evaluation_periods: hours,
      treat_missing_data: "breaching",
      metric_query: [
        { expression: "SUM(FILL([m0], 0))", return_data: true },
        { metric: { period: 3600, stat: "Sum" }, return_data: false },
      ],
    });
    // A start every evening and every morning: the silence between two is the longer of the two gaps, a run's time and
    // an hour of daylight saving. One start that is missed makes it longer than that, whatever the day of the week.
    const starts = Object.values(stack.all("aws_scheduler_schedule")).map((found) =>
      String(found["schedule_expression"]),
    );
    const times = starts.map((cron) => /^cron\((\d+) (\d+) \? \* (\S+) \*\)$/.exec(cron)?.slice(1) ?? []);
    const week = times.flatMap(([minute, hour, days]) =>
      (DAYS[days ?? ""] ?? []).map((day) => day * 24 + Number(hour) + Number(minute) / 60),
    );
    expect(week).toHaveLength(14);
    week.sort((left, right) => left - right);
    const gaps = week.map((start, index) => (week[index + 1] ?? (week[0] ?? 0) + 7 * 24) - start);
    const run = TIMED_OUT_AFTER_SECONDS / 3600;
    expect(Math.max(...gaps) + run + 1).toBeLessThanOrEqual(hours);
    expect(2 * Math.min(...gaps)).toBeGreaterThan(hours - run - 2);
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

  it("tell of an alarm its name, its meaning and what was seen; what cannot be published is kept as a dead letter", async () => {
    const deadLettersUrl = "https://sqs.ap-southeast-2.amazonaws.com/123456789012/asx-eod-prod-dead-letters";
    const topicArn = "arn:aws:sns:ap-southeast-2:123456789012:asx-eod-prod-notifications";
    const published: unknown[] = [];
    const definition = z
      .custom<ConstructorParameters<typeof StateMachine>[0]>()
      .parse(fillAlarmDefinition({ topicArn, deadLettersUrl }));
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
    const kept: unknown[] = [];
    const refused = new StateMachine(definition).run(event, {
      overrides: {
        retryIntervalOverrides: { PublishAlarm: 0 },
        taskResourceLocalHandlers: {
          PublishAlarm: async () => {
            throw new Error("AuthorizationError");
          },
          KeepAlarm: async (input: unknown) => {
            kept.push(input);
            return {};
          },
        },
      },
    });
    await expect(refused.result).rejects.toThrow();
    expect(kept).toEqual([
      { QueueUrl: deadLettersUrl, MessageBody: expect.objectContaining({ detail: event.detail }) },
    ]);
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

/** As the daily workflow of the default settings is bounded. */
const TIMED_OUT_AFTER_SECONDS = runTimeoutSeconds({ batchSize: 100, concurrency: 10 });

const rendering = z.object({
  id: z.string().optional(),
  visible: z.boolean().optional(),
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
      "Symbols a minute, over all runs and backfills of the day",
      "What the price source had to be asked again, a day",
      "Batches that stopped asking, and minutes that requests waited, a day",
      "Bars that were corrected, or look unlikely, a day",
      "Backfills by status, a day",
      "Symbols of the day's largest backfill",
      "Bars of the day's largest backfill",
      "From the closing auction to the data",
    ]);
  });

  it("draws metrics that the Lambdas emit, each by the statistic that fits it", () => {
    const emitted: Record<string, { service: string }> = METRICS;
    const statistics: Record<string, string | string[]> = {};
    for (const { properties } of widgets) {
      for (const line of properties.metrics) {
        const { expression, stat = "" } = rendering.parse(line.at(-1));
        if (expression !== undefined) continue;
        const [namespace, name = "", ...dimensions] = line.slice(0, -1);
        const { service } = emitted[String(name)] ?? { service: "none" };
        expect([namespace, dimensions]).toEqual([METRICS_NAMESPACE, ["service", service, "stage", "prod"]]);
        const others = statistics[String(name)];
        statistics[String(name)] = others === undefined ? stat : [others, stat].flat();
      }
    }
    expect(statistics).toEqual({
      // Every run of a date reports all of its symbols.
      symbolsFetched: "Maximum",
      symbolsNoTrade: "Maximum",
      symbolsNotFound: "Maximum",
      symbolsInvalid: "Maximum",
      symbolsFailed: "Maximum",
      symbolsDeferred: "Maximum",
      runComplete: "Sum",
      runPartial: "Sum",
      runFailed: "Sum",
      runMarketClosed: "Sum",
      runDuration: ["Maximum", "Sum"],
      symbolsAsked: "Sum",
      upstreamRequests: "Sum",
      upstreamRetries: "Sum",
      upstreamRateLimited: "Sum",
      upstreamBreakerOpenings: "Sum",
      upstreamWaiting: "Sum",
      barsRevised: "Sum",
      barsSuspect: "Maximum",
      backfillComplete: "Sum",
      backfillPartial: "Sum",
      backfillFailed: "Sum",
      backfillDuration: "Sum",
      backfillSymbolsFinished: "Maximum",
      backfillSymbolsUnfinished: "Maximum",
      backfillBars: "Maximum",
      backfillRowsLeftOut: "Maximum",
      dataLag: "Minimum",
    });
  });

  it.each([
    ["Duration of the day's longest run", { duration: 420_000 }, 7],
    [
      "Symbols a minute, over all runs and backfills of the day",
      { asked: 2_100, running: 300_000, backfilling: 120_000 },
      300,
    ],
    ["Batches that stopped asking, and minutes that requests waited, a day", { waiting: 90_000 }, 1.5],
    ["From the closing auction to the data", { lag: 12_600_000 }, 3.5],
  ])("works out %s in the unit that its axis names", (title, values, expected) => {
    const lines = widgets.find(({ properties }) => properties.title === title)?.properties.metrics ?? [];
    const drawn = lines.map((line) => rendering.parse(line.at(-1)));
    expect(drawn.filter(({ id, visible }) => id !== undefined && visible !== false)).toEqual([]);
    const [expression = ""] = drawn.flatMap(({ expression: found }) => found ?? []);
    expect(drawn.flatMap(({ id }) => id ?? [])).toEqual(Object.keys(values));
    expect(evaluate(expression, values)).toBe(expected);
  });

  it("stays within what is free: 50 metrics", () => {
    expect(widgets.flatMap(({ properties }) => properties.metrics).length).toBeLessThanOrEqual(50);
    expect(new Set(widgets.map(({ x, y }) => `${x},${y}`)).size).toBe(widgets.length);
  });
});

/** The value of an expression of sums and divisions, as metric math works it out. */
function evaluate(expression: string, values: Readonly<Record<string, number>>): number {
  const sum = /SUM\(FILL\(\[(.*?)\], 0\)\)/.exec(expression);
  if (sum !== null) {
    const total = (sum[1] ?? "").split(", ").reduce((all, name) => all + (values[name] ?? 0), 0);
    return evaluate(expression.replace(sum[0], String(total)), values);
  }
  const inner = /^(.*)\((.*)\)(.*)$/.exec(expression);
  if (inner !== null) {
    const [, before = "", inside = "", after = ""] = inner;
    return evaluate(`${before}${evaluate(inside, values)}${after}`, values);
  }
  const [first = Number.NaN, ...divisors] = expression.split("/").map((part) => {
    const name = part.trim();
    return values[name] ?? Number(name);
  });
  return divisors.reduce((quotient, divisor) => quotient / divisor, first);
}
