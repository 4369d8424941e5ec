import {
  CloudwatchMetricAlarm,
  type CloudwatchMetricAlarmConfig,
} from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm/index.js";
import { Construct } from "constructs";
import type { LambdaName } from "./bundles.ts";
import type { DeploymentConfig } from "./config.ts";
import type { Deployment } from "./deployment.ts";
import type { Lambda } from "./functions.ts";
import { type MetricReference, runMetric } from "./metric-references.ts";
import type { Notifications } from "./notifications.ts";
import { runTimeoutSeconds } from "./time-outs.ts";
import type { Workflow } from "./workflow.ts";

const FIVE_MINUTES = 300;
const QUARTER_HOUR = 900;
const HOUR = 3_600;
const HOURS_A_DAY = 24;

/** More errors within five minutes than the workflow's retries are for. */
const TOO_MANY_ERRORS = 3;

/** What an alarm is over, and what makes it go off. */
type Condition = Pick<
  CloudwatchMetricAlarmConfig,
  "comparisonOperator" | "threshold" | "evaluationPeriods" | "treatMissingData"
>;

const ANY: Condition = {
  comparisonOperator: "GreaterThanThreshold",
  threshold: 0,
  evaluationPeriods: 1,
  treatMissingData: "notBreaching",
};

/** A condition, and what the alarm says. */
type AlarmOptions = Condition & {
  readonly description: string;
  /** Taken off the sum. */
  readonly besides?: MetricReference;
};

/** What the alarms watch. */
export interface AlarmedParts {
  readonly workflow: Workflow;
  readonly backfill: Workflow;
  readonly lambdas: Readonly<Record<LambdaName, Lambda>>;
  readonly notifications: Notifications;
}

/** The alarms of a deployment. Each says what it means and what to do; all are published to the topic. */
export class Alarms extends Construct {
  readonly #deployment: Deployment;
  readonly #arns: string[] = [];

  constructor(
    scope: Construct,
    id: string,
    deployment: Deployment,
    { workflow, backfill, lambdas, notifications }: AlarmedParts,
  ) {
    super(scope, id);
    this.#deployment = deployment;
    const { stage, schedule } = deployment.config;
    const failuresOf = ({ arn }: Workflow): MetricReference[] =>
      ["ExecutionsFailed", "ExecutionsTimedOut"].map((name) => ({
        namespace: "AWS/States",
        name,
        dimensions: { StateMachineArn: arn },
      }));
    const invocations = (name: string): MetricReference[] =>
      Object.values(lambdas).map(({ functionName }) => ({
        namespace: "AWS/Lambda",
        name,
        dimensions: { FunctionName: functionName },
      }));

    this.#add("run-failed", failuresOf(workflow), QUARTER_HOUR, {
      ...ANY,
      // A partial run fails its execution too; it has an alarm of its own.
      besides: runMetric("runPartial", stage),
      description:
        "A run of the daily workflow failed: it found no symbols or no bar, the day as a whole cannot be right, or it broke off or ran out of time. " +
        "Look at the execution in Step Functions and at runs/DATE.json (quality); run the date again, which fetches only what is missing: asx execute --state-machine ARN --date DATE --again. " +
        "A day that cannot be right is mended by asx execute --state-machine ARN --catch-up --reread --again when the provider has recovered, as the catch-up of the next morning tries by itself.",
    });
    this.#add("run-partial", [runMetric("runPartial", stage)], FIVE_MINUTES, {
      ...ANY,
      description:
        "A day is partial: bars are stored, but some symbols failed or were not tried; runs/DATE.json names them with their reasons. " +
        "The catch-up of the next morning asks for them again; to have them sooner, run the date again: asx execute --state-machine ARN --date DATE --again.",
    });
    this.#add("backfill-failed", failuresOf(backfill), QUARTER_HOUR, {
      ...ANY,
      description:
        "A backfill ended before it had an outcome for every symbol: some failed or were deferred, it broke off, or it took more than a day. " +
        "What it has fetched is stored. Look at the execution in Step Functions and at backfills/FROM_TO.json (outcomes); " +
        "start the same backfill again, which fetches only what is missing: asx execute --state-machine ARN --backfill --from FROM --to TO --again.",
    });
    if (schedule.enabled) {
      const hours = longestSilenceHours(deployment.config);
      this.#add("no-completed-run", [runMetric("latestDayComplete", stage)], HOUR, {
        comparisonOperator: "LessThanThreshold",
        threshold: 1,
        evaluationPeriods: hours,
        // Where nothing has completed for so long there is no number left to fill the gaps from.
        treatMissingData: "breaching",
        description:
          `For ${hours} hours no run has found the last trading day whole, or made it so: one is due every evening at ${schedule.dailyAt} and every morning at ${schedule.catchUpAt} in Sydney. ` +
          "Look whether the schedules are enabled, at the dead letters and at the last executions, then run the day: asx execute --state-machine ARN --wait. " +
          "After the first deployment it goes off until the first run has completed.",
      });
    }
    this.#add("lambda-errors", invocations("Errors"), FIVE_MINUTES, {
      ...ANY,
      threshold: TOO_MANY_ERRORS - 1,
      description:
        `At least ${TOO_MANY_ERRORS} invocations of the Lambdas ended in an error within five minutes: more than the workflow's retries are for. ` +
        "Their log groups say why at level ERROR; where Yahoo or the ASX is down, the catch-up heals the day.",
    });
    this.#add("lambda-throttles", invocations("Throttles"), FIVE_MINUTES, {
      ...ANY,
      description:
        "Lambda refused invocations because the account's concurrency was used up. The workflow tries them again. " +
        "If it lasts, lower the concurrency of this deployment or ask AWS for a higher quota of concurrent executions.",
    });
    const { deadLetters } = notifications;
    this.#add(
      "dead-letters",
      [
        {
          namespace: "AWS/SQS",
          name: "ApproximateNumberOfMessagesVisible",
          dimensions: { QueueName: deadLetters.name },
          statistic: "Maximum",
        },
      ],
      FIVE_MINUTES,
      {
        ...ANY,
        description:
          "A start of the workflow, or an alarm on its way to the topic, could not be delivered and lies in the queue of dead letters. " +
          "Read the message there (its attributes say why), mend the cause, run the date by hand, and delete the message: while one lies there, another sets nothing off.",
      },
    );
    notifications.publishAlarms(this.#arns);
  }

  /** Adds an alarm over the sum of metrics, where a period without a number counts as nothing. */
  #add(
    name: string,
    metrics: readonly MetricReference[],
    periodSeconds: number,
    { description, besides, ...condition }: AlarmOptions,
  ): void {
    const alarm = new CloudwatchMetricAlarm(this, name, {
      alarmName: this.#deployment.name(name),
      alarmDescription: description,
      ...condition,
      metricQuery: sumQueries(metrics, besides, periodSeconds),
    });
    this.#arns.push(alarm.arn);
  }
}

/** Filled, because our metrics are sparse: CloudWatch would look further back than it is told to for numbers to judge by. */
function sumQueries(metrics: readonly MetricReference[], besides: MetricReference | undefined, period: number) {
  const ids = metrics.map((_, index) => `m${index}`);
  const sum = `SUM(FILL([${ids.join(", ")}], 0))`;
  const expression = besides === undefined ? sum : `${sum} - FILL(besides, 0)`;
  const inputs = [...metrics.map((metric, index) => ({ id: `m${index}`, metric }))];
  if (besides !== undefined) inputs.push({ id: "besides", metric: besides });
  return [
    { id: "total", expression, label: "total", returnData: true },
    ...inputs.map(({ id, metric: { namespace, name, dimensions, statistic = "Sum" } }) => ({
      id,
      returnData: false,
      metric: { namespace, metricName: name, dimensions: { ...dimensions }, stat: statistic, period },
    })),
  ];
}

/**
 * The longest time between two completed runs that is as it should be, in whole hours: from one start to the next, the
 * time a run may take, and the hour that daylight saving can put between.
 */
function longestSilenceHours(config: DeploymentConfig): number {
  const { dailyAt, catchUpAt } = config.schedule;
  const day = hourOfDay(dailyAt) - hourOfDay(catchUpAt);
  const gap = Math.max(day, HOURS_A_DAY - day);
  return Math.ceil(gap + runTimeoutSeconds(config) / HOUR) + 1;
}

/** 19.5 for `19:30`. */
function hourOfDay(time: string): number {
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  return hours + minutes / 60;
}
