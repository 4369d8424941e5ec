import { type BackfillDigest, type BackfillEvent, backfillDigest } from "../domain/backfill.ts";
import { reasonLeftToAnother } from "../domain/run-under-way.ts";
import { fillBackfillDefinition } from "../state-machines/backfill.ts";
import { type LocalRunOptions, runLocally } from "./local-state-machine.ts";

/** How a backfill on this machine ended. */
export interface BackfillEnd {
  /** What the summary returned; undefined where the backfill broke off before it, or left the span to another run. */
  readonly digest: BackfillDigest | undefined;
  /** The error under which the execution failed; undefined where it succeeded. */
  readonly error: { readonly name: string; readonly cause: string } | undefined;
  /** Why the span was left to another run, where it was. */
  readonly underWay?: string;
}

/** A further round of a backfill. */
export type BackfillRedrive = NonNullable<BackfillDigest["redrive"]>;

/** What a backfill needs. */
export interface BackfillOptions extends LocalRunOptions {
  /** Told of every wait before what is unfinished is planned again. */
  readonly onRedrive?: (redrive: BackfillRedrive, waitMs: number) => void;
}

/**
 * Runs a backfill, `state-machines/backfill.asl.json` itself, with the real handlers in this process.
 * @throws InvalidInputError for a bad environment, before anything runs.
 */
export async function runBackfillWorkflow(event: BackfillEvent, options: BackfillOptions): Promise<BackfillEnd> {
  let digest: BackfillDigest | undefined;
  const onSummary = async (returned: unknown): Promise<void> => {
    digest = backfillDigest.parse(returned);
    if (digest.redrive === null) return;
    const waitMs = Math.min(digest.redrive.waitSeconds * 1000, options.longestRedriveWaitMs);
    options.onRedrive?.(digest.redrive, waitMs);
    await options.runtime.clock.sleep(waitMs);
  };
  const end = await runLocally({ fill: fillBackfillDefinition, input: event, onSummary }, options);
  if ("error" in end) return { digest, error: end.error };
  const underWay = reasonLeftToAnother(end.output);
  return { digest, error: undefined, ...(underWay !== undefined && { underWay }) };
}
