/** What the history of an execution tells of the daily workflow, or of a backfill. */
import * as z from "zod";
import {
  type BackfillDigest,
  type BackfillPlan,
  backfillDigest,
  backfillPlan,
  type HistoryBatchResult,
  historyBatchResult,
} from "../domain/backfill.ts";
import {
  type BatchResult,
  batchResult,
  type LostBatch,
  lostBatch,
  type SymbolUpdate,
  symbolUpdate,
} from "../domain/batch.ts";
import { causeMessage } from "../domain/lambda-cause.ts";
import { type RunDigest, runDigest } from "../domain/run-summary.ts";
import { printable, shorten } from "../domain/text.ts";

/** The most characters of a reason: what goes wrong elsewhere shall not fill a screen here. */
export const LONGEST_REASON = 300;

const failure = z.object({ error: z.string().optional(), cause: z.string().optional() });

/** An event of an execution's history, as far as it is read here. */
export const historyEvent = z.object({
  /** From 1, without gaps. */
  id: z.number().int().positive(),
  type: z.string(),
  timestamp: z.date().transform((date) => date.getTime()),
  previousEventId: z.number().int().default(0),
  stateEnteredEventDetails: z.object({ name: z.string() }).optional(),
  stateExitedEventDetails: z.object({ name: z.string(), output: z.string().optional() }).optional(),
  taskFailedEventDetails: failure.optional(),
  taskTimedOutEventDetails: failure.optional(),
  taskStartFailedEventDetails: failure.optional(),
  taskSubmitFailedEventDetails: failure.optional(),
});
export type HistoryEvent = z.infer<typeof historyEvent>;

/** What an execution tells at its end: of a date, or of a backfill. */
export type Digest = RunDigest | BackfillDigest;

/** What PlanBackfill leaves of a plan. */
export type HistoryPlan = Omit<BackfillPlan, "run">;

/** What happened, in the terms of the workflows. */
export type ExecutionStep =
  /** The symbols are known. */
  | { readonly kind: "symbols"; readonly update: SymbolUpdate }
  /** It is known what is left of a backfill. */
  | { readonly kind: "plan"; readonly plan: HistoryPlan }
  | { readonly kind: "batch"; readonly result: BatchResult | HistoryBatchResult }
  | { readonly kind: "batchLost"; readonly batch: LostBatch }
  /** A try of a state failed; it may be tried again. */
  | { readonly kind: "failure"; readonly state: string; readonly reason: string }
  /** A state is given up, and with it the run. */
  | { readonly kind: "givenUp"; readonly state: string; readonly reason: string }
  | { readonly kind: "summary"; readonly digest: Digest };

const END_TYPES: ReadonlySet<string> = new Set([
  "ExecutionSucceeded",
  "ExecutionFailed",
  "ExecutionTimedOut",
  "ExecutionAborted",
]);

/** Whether nothing comes after an event, unless the execution is taken up again. */
export function isEnd({ type }: HistoryEvent): boolean {
  return END_TYPES.has(type);
}

const summarised = z.object({ summary: z.object({ digest: z.unknown() }) });
const planned = z.object({ plan: backfillPlan.omit({ run: true }) });
const caughtError = z.object({ error: lostBatch.shape.error });

/** Reads one event after the other. Events without a meaning here, and data of another form, give no step. */
export function createHistoryReader(): (event: HistoryEvent) => ExecutionStep | undefined {
  /** The state that each event belongs to. */
  const states = new Map<number, string>();

  return (event) => {
    const { id, previousEventId, stateEnteredEventDetails: entered, stateExitedEventDetails: exited } = event;
    const state = entered?.name ?? exited?.name ?? states.get(previousEventId) ?? "a state";
    states.set(id, state);
    const failed =
      event.taskFailedEventDetails ??
      event.taskTimedOutEventDetails ??
      event.taskStartFailedEventDetails ??
      event.taskSubmitFailedEventDetails;
    if (failed !== undefined) return { kind: "failure", state, reason: describeFailure(failed) };
    if (exited?.output === undefined) return undefined;
    return stepOf(state, parseJson(exited.output));
  };
}

function stepOf(state: string, output: unknown): ExecutionStep | undefined {
  switch (state) {
    case "FetchBatch": {
      const result = batchResult.safeParse(output).data ?? historyBatchResult.safeParse(output).data;
      return result && { kind: "batch", result };
    }
    case "BatchLost": {
      const batch = lostBatch.safeParse(output);
      return batch.success ? { kind: "batchLost", batch: batch.data } : undefined;
    }
    case "UpdateSymbols":
    case "FetchBatches":
    case "SummariseRun":
    case "PlanBackfill":
    case "FetchHistory":
    case "SummariseBackfill": {
      const caught = caughtError.safeParse(output);
      if (caught.success) {
        const { Error: error, Cause: cause } = caught.data.error;
        return { kind: "givenUp", state, reason: describeFailure({ error, cause }) };
      }
      const update = state === "UpdateSymbols" ? symbolUpdate.safeParse(output).data : undefined;
      if (update !== undefined) return { kind: "symbols", update };
      const plan = state === "PlanBackfill" ? planned.safeParse(output).data?.plan : undefined;
      if (plan !== undefined) return { kind: "plan", plan };
      const digest = state.startsWith("Summarise")
        ? parseDigest(summarised.safeParse(output).data?.summary.digest)
        : undefined;
      return digest === undefined ? undefined : { kind: "summary", digest };
    }
    default:
      return undefined;
  }
}

/** `DirectoryUnavailableError: no directory from ...` */
export function describeFailure({ error = "an error without a name", cause = "" }: z.infer<typeof failure>): string {
  const message = printable(causeMessage(cause));
  return shorten(message === "" ? printable(error) : `${printable(error)}: ${message}`, LONGEST_REASON);
}

/** The digest that an output is, where it is one, with a message that can be shown. */
export function parseDigest(output: unknown): Digest | undefined {
  const digest = runDigest.safeParse(output).data ?? backfillDigest.safeParse(output).data;
  return digest && { ...digest, message: shorten(printable(digest.message), LONGEST_REASON) };
}

/** The value of a JSON text; undefined for any other text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
