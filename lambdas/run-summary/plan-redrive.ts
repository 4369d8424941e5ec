import {
  type BatchResult,
  dealIntoLanes,
  isFinal,
  type LostBatch,
  STOPS,
  type SymbolReport,
  type WorkflowRun,
} from "../../domain/batch.ts";
import type { Redrive, RunSummaryEvent } from "../../domain/run-summary.ts";

/** Waits before each further round of fetching, in seconds: an upstream that has a bad moment, and one that has a bad time. */
export const REDRIVE_WAITS_SECONDS: readonly number[] = [120, 600];

/** From this share of all batches on that met unknown symbols in numbers, asking again soon is no use. */
const HOPELESS_SHARE = 0.5;

/**
 * What is to be fetched again before the run ends: batches with unfinished symbols and, of a run that catches up, those of
 * which some could not be read again. Null where there are none, the rounds are used up, or the run is stopped early.
 * @param run the run with the counters of all of its rounds.
 * @param unfinished reports of every session that the run fetches.
 */
export function planRedrive(
  event: RunSummaryEvent,
  run: WorkflowRun | undefined,
  unfinished: Iterable<SymbolReport>,
): Redrive | null {
  const next = nextRound(event, run);
  if (next === null) return null;
  const symbols = new Set<string>();
  for (const { symbol, outcome } of unfinished) if (!isFinal(outcome)) symbols.add(symbol);
  const unread = unreadBatches(event);
  const batches = event.symbolBatches.filter(
    ({ batchNumber, symbols: ofBatch }) =>
      unread.includes(batchNumber) || ofBatch.some((symbol) => symbols.has(symbol)),
  );
  if (batches.length === 0) return null;
  const lanes = dealIntoLanes(
    batches.map(({ batchNumber }) => batchNumber),
    Math.max(1, event.results.length),
  );
  return { ...next, run: { ...next.run, ...(unread.length > 0 && { unread }) }, lanes };
}

/** What the batches of a round gave, of a day or of a backfill. */
export interface FetchedRound {
  readonly run?: WorkflowRun | undefined;
  readonly symbolBatches: readonly unknown[];
  readonly results: readonly (readonly (Pick<BatchResult, "upstream" | "stopped"> | LostBatch)[])[];
}

/**
 * The next round of a run, for what is unfinished, and the wait before it. Null where the rounds are used up, or the run is
 * stopped early.
 * @param run the run with the counters of all of its rounds.
 */
export function nextRound(
  round: FetchedRound,
  run: WorkflowRun | undefined,
): Pick<Redrive, "run" | "waitSeconds"> | null {
  const waitSeconds = run === undefined ? undefined : REDRIVE_WAITS_SECONDS[run.attempt - 1];
  if (run === undefined || waitSeconds === undefined || reasonToStop(round) !== undefined) return null;
  const { unread: _, ...stays } = run;
  return { run: { ...stays, attempt: run.attempt + 1 }, waitSeconds };
}

/** Batches of a run that catches up, of which symbols could not be read again. */
function unreadBatches({ catchUp, results }: RunSummaryEvent): number[] {
  if (!catchUp) return [];
  return results.flat().flatMap((batch) => {
    const isUnread = "error" in batch || batch.unread > 0;
    return isUnread && batch.batchNumber !== null ? batch.batchNumber : [];
  });
}

/**
 * Why a run is stopped early; undefined where it is not. In its first round the upstream blocked every batch that asked,
 * or knew healthy symbols no more in at least half of all batches. What later rounds meet are the symbols that were left:
 * they say nothing about the market.
 */
export function reasonToStop({ run, results, symbolBatches }: FetchedRound): string | undefined {
  if ((run?.attempt ?? 1) > 1) return undefined;
  const batches = results.flat();
  const asking = batches.filter((batch) => "error" in batch || batch.upstream.requests > 0);
  const blocks = batches.flatMap((batch) =>
    "stopped" in batch && batch.stopped?.by === STOPS.block ? batch.stopped.reason : [],
  );
  if (blocks.length > 0 && blocks.length === asking.length) return blocks[0];
  const unknown = batches.flatMap((batch) =>
    "stopped" in batch && batch.stopped?.by === STOPS.unknownSymbols ? batch.stopped.reason : [],
  );
  return unknown.length >= Math.max(1, symbolBatches.length * HOPELESS_SHARE) ? unknown[0] : undefined;
}
