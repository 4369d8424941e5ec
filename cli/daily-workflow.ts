import type { SymbolUpdaterEvent } from "../domain/batch.ts";
import { type Redrive, type RunDigest, runDigest } from "../domain/run-summary.ts";
import { reasonLeftToAnother } from "../domain/run-under-way.ts";
import { fillDailyDefinition } from "../state-machines/daily.ts";
import { type LocalRunOptions, runLocally } from "./local-state-machine.ts";

export type { FunctionName, Invoke, WorkflowEvent } from "./local-state-machine.ts";

/** How a run of the workflow on this machine ended. */
export interface WorkflowEnd {
  /** What the run summary returned; undefined where the run broke off before it, or left the date to another run. */
  readonly digest: RunDigest | undefined;
  /** The error under which the execution failed; undefined where it succeeded. */
  readonly error: { readonly name: string; readonly cause: string } | undefined;
  /** Why the date was left to another run, where it was. */
  readonly underWay?: string;
}

/** What a run of the workflow needs. */
export interface WorkflowOptions extends LocalRunOptions {
  /** Told of every wait before unfinished symbols are fetched again. */
  readonly onRedrive?: (redrive: Redrive, waitMs: number) => void;
}

/**
 * Runs the daily workflow, `state-machines/daily.asl.json` itself, with the real handlers in this process.
 * @throws InvalidInputError for a bad environment, before anything runs.
 */
export async function runDailyWorkflow(event: SymbolUpdaterEvent, options: WorkflowOptions): Promise<WorkflowEnd> {
  let digest: RunDigest | undefined;
  const onSummary = async (returned: unknown): Promise<void> => {
    digest = runDigest.parse(returned);
    if (digest.redrive !== null) await waitForRedrive(digest.redrive, options);
  };
  const end = await runLocally({ fill: fillDailyDefinition, input: event, onSummary }, options);
  if ("error" in end) return { digest, error: end.error };
  const underWay = reasonLeftToAnother(end.output);
  return { digest, error: undefined, ...(underWay !== undefined && { underWay }) };
}

/** The wait of the state WaitForUpstream, by the clock that is handed in: the runner knows the host's only. */
async function waitForRedrive(redrive: Redrive, options: WorkflowOptions): Promise<void> {
  const waitMs = Math.min(redrive.waitSeconds * 1000, options.longestRedriveWaitMs);
  options.onRedrive?.(redrive, waitMs);
  await options.runtime.clock.sleep(waitMs);
}
