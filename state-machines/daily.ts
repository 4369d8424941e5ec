import { fillDefinition, readDefinition, type StateMachineJson } from "./definition.ts";

/** What `daily.asl.json` leaves open. */
export interface DailyPlaceholders {
  readonly symbolUpdaterArn: string;
  readonly batchFetcherArn: string;
  readonly runSummaryArn: string;
  readonly topicArn: string;
  /** Batches fetched at the same time: 1 to 40. */
  readonly maxConcurrency: number;
  /** Each bounds one try of its function: a little more than the function's own time-out. */
  readonly symbolUpdaterTimeoutSeconds: number;
  readonly batchFetcherTimeoutSeconds: number;
  readonly runSummaryTimeoutSeconds: number;
  /** Bounds the whole run. */
  readonly runTimeoutSeconds: number;
}

/** The daily workflow as it stands in its file, placeholders and all. */
export function readDailyDefinition(): StateMachineJson {
  return readDefinition(new URL("./daily.asl.json", import.meta.url));
}

/** The daily workflow with its placeholders filled. Throws as {@link fillDefinition} does. */
export function fillDailyDefinition(
  placeholders: DailyPlaceholders,
  definition: StateMachineJson = readDailyDefinition(),
): StateMachineJson {
  return fillDefinition(definition, placeholders);
}
