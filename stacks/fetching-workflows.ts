import type { Construct } from "constructs";
import { fillDailyDefinition } from "../state-machines/daily.ts";
import type { LambdaName } from "./bundles.ts";
import type { Deployment } from "./deployment.ts";
import type { Lambda } from "./functions.ts";
import type { Notifications } from "./notifications.ts";
import { runTimeoutSeconds, STATE_SECONDS } from "./time-outs.ts";
import { Workflow } from "./workflow.ts";

/** The state machine of the daily run. */
export function createDailyWorkflow(
  scope: Construct,
  deployment: Deployment,
  { lambdas, notifications }: { lambdas: Readonly<Record<LambdaName, Lambda>>; notifications: Notifications },
): Workflow {
  const { config } = deployment;
  const functions = Object.values(lambdas).map(({ aliasArn }) => aliasArn);
  return new Workflow(scope, "daily", deployment, {
    name: "daily",
    type: "STANDARD",
    definition: fillDailyDefinition({
      symbolUpdaterArn: lambdas["symbol-updater"].aliasArn,
      batchFetcherArn: lambdas["batch-fetcher"].aliasArn,
      runSummaryArn: lambdas["run-summary"].aliasArn,
      topicArn: notifications.topicArn,
      maxConcurrency: config.concurrency,
      ...STATE_SECONDS,
      runTimeoutSeconds: runTimeoutSeconds(config),
    }),
    statements: [
      { sid: "InvokeFunctions", actions: ["lambda:InvokeFunction"], resources: functions },
      notifications.publishing,
    ],
  });
}
