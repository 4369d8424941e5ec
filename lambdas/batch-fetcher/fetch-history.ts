import pLimit from "p-limit";
import {
  HISTORY_UNFINISHED_NAMED,
  type HistoryBatchEvent,
  type HistoryBatchResult,
  type HistoryReport,
} from "../../domain/backfill.ts";
import { countOutcomes, isFinal, NOTHING_ASKED, type SymbolOutcome } from "../../domain/batch.ts";
import { spanName } from "../../domain/date-span.ts";
import { StoreConflictError } from "../../domain/errors.ts";
import { historyKey, pendingKey } from "../../domain/object-keys.ts";
import { addDays } from "../../domain/trading-date.ts";
import { sha256 } from "../../stores/sha256.ts";
import { sessionsOfSpan } from "../runtime/backfill-span.ts";
import { previousSession } from "../runtime/earlier-sessions.ts";
import { encodeHistoryFile } from "../runtime/history-file-writer.ts";
import { renewRunLock } from "../runtime/run-lock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import {
  type ReadHistoryFile,
  readHistoryFile,
  readStoredBackfill,
  refuseOtherHistory,
} from "../runtime/stored-backfill.ts";
import { firstUnfinished, measureGate, openGate, stopOf, symbolsWithBar } from "./batch-gate.ts";
import type { FetchBatchOptions } from "./fetch-batch.ts";
import { askSymbol } from "./fetch-symbol.ts";
import { FEWEST_GONE, fetchEach } from "./fetch-symbols.ts";
import { historyOf, type SymbolHistory, withoutBars } from "./history-bars.ts";
import { encodePending, readPending } from "./pending-history.ts";
import { historyActionsSeen, recordBatchActions } from "./record-actions.ts";

/** Objects that are read or removed at the same time. */
const OBJECTS_AT_ONCE = 16;

/**
 * Fetches the history of a batch's symbols, one request each, and stores it as one file. What was fetched of a symbol is
 * kept at once by itself: where the function is killed, the next one asks only for what is not there.
 *
 * An upstream's trouble is a result and never an error. A file is written once: a batch that has one already, as the answer
 * of its first fetcher was lost, tells of that file and asks for nothing.
 * @throws InvalidInputError for a span that cannot be fetched, and where the backfill's files are of another source.
 * @throws RunUnderWayError where another run has taken the backfill over.
 * @throws StoreConflictError where another fetcher has stored other symbols, or other bars, under the batch's number.
 */
export async function fetchHistory(event: HistoryBatchEvent, options: FetchBatchOptions): Promise<HistoryBatchResult> {
  const { runtime, calendar, source, endsAt } = options;
  const { store, clock, metrics, logger } = runtime;
  const { backfill: span, batchNumber, run } = event;
  const startedAt = clock.now();
  const sessions = new Set(sessionsOfSpan(span, calendar, startedAt));
  if (run !== undefined) await renewRunLock(store, spanName(span), run.id, clock);
  const symbols = [...new Set(event.symbols)];
  const key = historyKey({ ...span, batchNumber });
  const stored = await readStoredBackfill(store, span);
  await refuseOtherHistory(store, stored, source.name);
  const listed = stored.files.find((file) => file.key === key);
  const written = listed === undefined ? undefined : await readHistoryFile(store, listed);
  if (written !== undefined) {
    const result = resultOfStored(written, symbols);
    await removePending(written.facts.reports, event, runtime);
    return { ...result, durationMs: clock.now() - startedAt };
  }

  const limit = pLimit(OBJECTS_AT_ONCE);
  const pending = new Map<string, SymbolHistory>();
  await limit.map(symbols, async (symbol) => {
    const history = await readPending({ ...span, symbol }, { source: source.name, batchNumber }, runtime);
    if (history !== undefined) pending.set(symbol, history);
  });
  for (const { report } of pending.values()) runtime.onOutcome?.(report.outcome, batchNumber);
  const toAsk = symbols.filter((symbol) => !pending.has(symbol));
  const gate = openGate(event, options);
  const latest = calendar.lastFinishedTradingDay(startedAt);
  const newest = toAsk.length < FEWEST_GONE ? undefined : await previousSession(addDays(latest, 1), calendar, runtime);
  const healthy = symbolsWithBar(newest);

  let storeTrouble: { readonly error: unknown } | undefined;
  async function fetchOne(symbol: string): Promise<SymbolHistory> {
    const asked = await askSymbol(symbol, span, { source, gate, runtime, batchNumber });
    if (asked.answer === undefined) return withoutBars(asked.report);
    const ticker = source.tickerOf(symbol);
    const history = historyOf(asked.answer, { symbol, ticker, span, sessions, batchNumber });
    const { outcome, reason } = history.report;
    if (reason !== undefined) logger.warn(`${symbol} ${outcome}: ${reason}`, { symbol, batchNumber });
    // That a healthy symbol is gone may not be believed in the end.
    const isDoubtful = outcome === "notFound" && healthy.has(symbol);
    if (!isFinal(outcome) || isDoubtful) return history;
    try {
      await store.put(pendingKey({ ...span, symbol }), encodePending(history, source.name));
    } catch (error) {
      // Where nothing can be kept, asking on is no use.
      storeTrouble ??= { error };
      gate.close("what was fetched could not be stored");
    }
    return history;
  }

  const { fetched, doubted } = await fetchEach<SymbolHistory>(toAsk, {
    ...{ gate, runtime, batchNumber, endsAt, healthy, fetchOne },
    outcomeOf: ({ report }) => report.outcome,
    without: (report) => withoutBars(report),
  });
  metrics.add("symbolsAsked", [...fetched.values()].filter(({ report }) => report.outcome !== "deferred").length);
  measureGate(gate, metrics);
  if (storeTrouble !== undefined) throw storeTrouble.error;

  const histories = symbols.flatMap((symbol) => pending.get(symbol) ?? fetched.get(symbol) ?? []);
  // Before the file is stored, which ends the batch: one that is killed here sees the same answers again.
  const seen = histories.flatMap((history) => historyActionsSeen(history, span, runtime) ?? []);
  await recordBatchActions(seen, runtime);
  // A process that slept for longer than its lock holds must not write beside the run that has taken the backfill over.
  if (run !== undefined) await renewRunLock(store, spanName(span), run.id, clock);
  const file = await storeFile(key, histories, source.name, runtime);
  const reports = histories.map(({ report }) => report);
  await removePending(
    reports.filter(({ outcome }) => isFinal(outcome)),
    event,
    runtime,
  );

  const counts = countOutcomes(reports);
  const durationMs = clock.now() - startedAt;
  metrics.add("batchDuration", durationMs);
  logger.info(`${key} done`, { batchNumber, rows: file.rows, ...counts, ...gate.counters, durationMs });
  return {
    ...{ batchNumber, ...file, counts, durationMs },
    unfinished: firstUnfinished(reports, HISTORY_UNFINISHED_NAMED),
    deferred: symbolsWith("deferred", reports),
    upstream: { ...gate.counters },
    stopped: stopOf(gate, doubted),
  };
}

/** Writes the file of a batch, once. The same bytes there already are as good. */
async function storeFile(
  key: string,
  histories: readonly SymbolHistory[],
  source: string,
  { store }: Pick<Runtime, "store">,
): Promise<Pick<HistoryBatchResult, "rows" | "sha256">> {
  const standing = histories.filter(({ report }) => isFinal(report.outcome));
  if (standing.length === 0) return { rows: 0, sha256: null };
  const bars = standing.flatMap((history) => history.bars);
  const bytes = await encodeHistoryFile({ bars, reports: standing.map(({ report }) => report), source });
  const hash = sha256(bytes);
  try {
    await store.replace(key, bytes, undefined);
  } catch (error) {
    if (!(error instanceof StoreConflictError)) throw error;
    const there = await store.get(key);
    if (there === undefined || sha256(there) !== hash) {
      throw new StoreConflictError(
        `${key} was written by another fetcher, with other bars; it is kept: run the backfill again`,
        { cause: error },
      );
    }
  }
  return { rows: bars.length, sha256: hash };
}

/** What a batch tells that has its file already: what is not in it is left for the next round. */
function resultOfStored(
  { entry, facts }: ReadHistoryFile,
  symbols: readonly string[],
): Omit<HistoryBatchResult, "durationMs"> {
  const known = new Map(facts.reports.map((report) => [report.symbol, report]));
  const asked = new Set(symbols);
  const foreign = facts.reports.find(({ symbol }) => !asked.has(symbol));
  if (foreign !== undefined) {
    throw new StoreConflictError(
      `${entry.key} is stored already with ${foreign.symbol}, which this batch does not have; run the backfill again`,
    );
  }
  const reason = "its batch was stored without it before";
  const reports = symbols.map(
    (symbol) => known.get(symbol) ?? withoutBars({ symbol, outcome: "deferred", reason }).report,
  );
  return {
    ...{ batchNumber: entry.batchNumber, rows: entry.rows, sha256: entry.sha256 },
    counts: countOutcomes(reports),
    unfinished: firstUnfinished(reports, HISTORY_UNFINISHED_NAMED),
    deferred: symbolsWith("deferred", reports),
    upstream: NOTHING_ASKED,
    stopped: null,
  };
}

/** What is in the batch's file needs no object of its own any more. */
async function removePending(
  reports: readonly HistoryReport[],
  { backfill: span }: HistoryBatchEvent,
  { store }: Pick<Runtime, "store">,
): Promise<void> {
  await pLimit(OBJECTS_AT_ONCE).map(reports, ({ symbol }) => store.remove(pendingKey({ ...span, symbol })));
}

function symbolsWith(outcome: SymbolOutcome, reports: readonly HistoryReport[]): string[] {
  return reports.filter((report) => report.outcome === outcome).map(({ symbol }) => symbol);
}
