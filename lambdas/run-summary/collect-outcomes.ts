import { type BatchResult, isFinal, type LostBatch, type SymbolBatch, type SymbolReport } from "../../domain/batch.ts";
import { StoredFileError } from "../../domain/errors.ts";
import { causeMessage } from "../../domain/lambda-cause.ts";
import type { BatchEntry, RunSummary } from "../../domain/run-summary.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import type { StoredDay } from "../runtime/stored-day.ts";

/** Longest reason that is kept of a lost batch. */
const LONGEST_REASON = 300;

/** What became of the batches that a run fetched of a session. */
export interface FetchedBatches {
  readonly symbolBatches: readonly SymbolBatch[];
  readonly results: readonly (BatchResult | LostBatch)[];
}

/**
 * A file must hold what its fetcher wrote. Others may have added to it since; what it has lost was written over.
 * @throws StoredFileError that names the file.
 */
export function checkReported({ results }: FetchedBatches, stored: StoredDay): void {
  // A batch that is cut otherwise now can have taken doubted bars away from the file of another.
  const withdrawn = results.reduce((sum, result) => sum + ("error" in result ? 0 : result.revised), 0);
  for (const result of results) {
    if ("error" in result) continue;
    const file = stored.files.find(({ key }) => key === result.s3Key);
    if (file?.sha256 === result.sha256) continue;
    const rows = file?.contents.bars.length ?? 0;
    if (file === undefined || rows < result.rows - withdrawn) {
      const found = file === undefined ? "is not stored" : `has ${rows} bars`;
      throw new StoredFileError(
        `${result.s3Key} ${found}, but its batch fetcher wrote ${result.rows}, SHA-256 ${result.sha256}; run the date again`,
      );
    }
  }
}

/** One report a symbol: what the files say, else what became of its batch, else what an earlier run said. */
export function collectOutcomes(
  fetched: FetchedBatches,
  stored: StoredDay,
  previous: RunSummary | undefined,
): SymbolReport[] {
  const outcomes = new Map<string, SymbolReport>();
  for (const report of previous?.outcomes ?? []) {
    const gone = report.outcome === "fetched";
    outcomes.set(
      report.symbol,
      gone ? { symbol: report.symbol, outcome: "failed", reason: "its stored file is gone" } : report,
    );
  }
  const lost = new Map(lostBatches(fetched).map((batch) => [batch.batchNumber, reasonOfLoss(batch)]));
  for (const { symbols, batchNumber } of fetched.symbolBatches) {
    const reason = lost.get(batchNumber) ?? "its batch reported no outcome";
    for (const symbol of symbols) {
      const known = outcomes.get(symbol);
      if (known === undefined || !isFinal(known.outcome)) outcomes.set(symbol, { symbol, outcome: "failed", reason });
    }
  }
  for (const [symbol, report] of stored.reports) outcomes.set(symbol, report);
  return [...outcomes.values()].sort((left, right) => compareSymbols(left.symbol, right.symbol));
}

/**
 * Every stored file of the session and every batch that was lost without one, in order of number.
 * @param lastRound entries of the round before in the same run: what it fetched and this round did not keeps its duration.
 */
export function batchEntries(
  fetched: FetchedBatches,
  stored: StoredDay,
  lastRound: readonly BatchEntry[],
): BatchEntry[] {
  const durations = new Map<string, number | null>();
  for (const { key, durationMs } of lastRound) if (key !== null) durations.set(key, durationMs);
  for (const result of fetched.results) if (!("error" in result)) durations.set(result.s3Key, result.durationMs);
  const errors = new Map(lostBatches(fetched).map((batch) => [batch.batchNumber, reasonOfLoss(batch)]));
  const entries = stored.files.map((file): BatchEntry => {
    const error = file.batchNumber === null ? undefined : errors.get(file.batchNumber);
    return {
      batchNumber: file.batchNumber,
      key: file.key,
      rows: file.contents.bars.length,
      bytes: file.bytes,
      sha256: file.sha256,
      durationMs: durations.get(file.key) ?? null,
      ...(error === undefined ? {} : { error }),
    };
  });
  const withFile = new Set(stored.files.map(({ batchNumber }) => batchNumber));
  for (const [batchNumber, error] of errors) {
    if (withFile.has(batchNumber)) continue;
    entries.push({ batchNumber, key: null, rows: 0, bytes: 0, sha256: null, durationMs: null, error });
  }
  return entries.sort((left, right) => (left.batchNumber ?? -1) - (right.batchNumber ?? -1));
}

function lostBatches({ results }: FetchedBatches): LostBatch[] {
  return results.filter((result) => "error" in result);
}

/** The reason of a lost batch, on one line. */
export function reasonOfLoss({ error }: LostBatch): string {
  const cause = causeMessage(error.Cause);
  return `its batch was lost: ${error.Error}${cause === "" ? "" : `: ${cause}`}`.slice(0, LONGEST_REASON);
}
