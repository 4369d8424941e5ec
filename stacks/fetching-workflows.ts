import type { Construct } from "constructs";
import { fillBackfillDefinition } from "../state-machines/backfill.ts";
import { type DailyPlaceholders, fillDailyDefinition } from "../state-machines/daily.ts";
import type { StateMachineJson } from "../state-machines/definition.ts";
import type { LambdaName } from "./bundles.ts";
import type { Deployment } from "./deployment.ts";
import type { Lambda } from "./functions.ts";
import type { Notifications } from "./notifications.ts";
import { BACKFILL_TIMEOUT_SECONDS, runTimeoutSeconds, STATE_SECONDS } from "./time-outs.ts";
import { Workflow } from "./workflow.ts";

/** What the state machines that fetch work with. */
export interface FetchingParts {
  readonly lambdas: Readonly<Record<LambdaName, Lambda>>;
  readonly notifications: Notifications;
}

/** What tells one of them from the other. */
interface FetchingWorkflow {
  /** The machine's name, without project and stage. */
  readonly name: string;
  readonly timeoutSeconds: number;
  fill(placeholders: DailyPlaceholders): StateMachineJson;
}

/** The state machine of the daily run. */
export function createDailyWorkflow(scope: Construct, deployment: Deployment, parts: FetchingParts): Workflow {
  const timeoutSeconds = runTimeoutSeconds(deployment.config);
  return createFetchingWorkflow(scope, deployment, parts, { name: "daily", timeoutSeconds, fill: fillDailyDefinition });
}

/** The state machine of backfills: the same functions, the same concurrency and budget, started by hand. */
export function createBackfillWorkflow(scope: Construct, deployment: Deployment, parts: FetchingParts): Workflow {
  const timeoutSeconds = BACKFILL_TIMEOUT_SECONDS;
  return createFetchingWorkflow(scope, deployment, parts, {
    name: "backfill",
    timeoutSeconds,
    fill: fillBackfillDefinition,
  });
}

function createFetchingWorkflow(
  scope: Construct,
  deployment: Deployment,
  { lambdas, notifications }: FetchingParts,
  { name, timeoutSeconds, fill }: FetchingWorkflow,
): Workflow {
  const functions = Object.values(lambdas).map(({ aliasArn }) => aliasArn);
  return new Workflow(scope, name, deployment, {
    name,
    type: "STANDARD",
    definition: fill({
      symbolUpdaterArn: lambdas["symbol-updater"].aliasArn,
      batchFetcherArn: lambdas["batch-fetcher"].aliasArn,
      runSummaryArn: lambdas["run-summary"].aliasArn,
      topicArn: notifications.topicArn,
      maxConcurrency: deployment.config.concurrency,
      ...STATE_SECONDS,
      runTimeoutSeconds: timeoutSeconds,
    }),
    statements: [
      { sid: "InvokeFunctions", actions: ["lambda:InvokeFunction"], resources: functions },
      notifications.publishing,
    ],
  });
}
