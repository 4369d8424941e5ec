/** One outcome for every symbol of a backfill, from its record, its files and what its batches told. */
import type {
  BackfillSummaryEvent,
  HistoryBatchResult,
  HistoryFileEntry,
  RecordedReport,
} from "../../domain/backfill.ts";
import { isFinal, SYMBOL_SOURCES } from "../../domain/batch.ts";
import { StoredFileError } from "../../domain/errors.ts";
import { historyKey } from "../../domain/object-keys.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import { type ResolvedBackfill, unfinishedReport } from "../runtime/resolve-backfill.ts";
import { reasonOfLoss } from "./collect-outcomes.ts";

/**
 * One report a symbol, in order of symbol: what is stored, else what became of its batch in this round, else what an earlier
 * run said. A symbol that an earlier run left unfinished and a plan of the whole list has no more is left out: it is listed no
 * longer, or stands in another backfill.
 * @param isOfMarket whether the record is of the market: what is asked for by name alone is marked then.
 */
export function backfillOutcomes(
  { outcomes: stored, unsettled }: Pick<ResolvedBackfill, "outcomes" | "unsettled">,
  event: BackfillSummaryEvent,
  isOfMarket: boolean,
): RecordedReport[] {
  const isNamed = event.metadata.source === SYMBOL_SOURCES.event;
  const outcomes = new Map(
    [...stored].filter(([symbol, { outcome }]) => isFinal(outcome) || isNamed || unsettled.has(symbol)),
  );
  const told = new Map(event.results.flat().map((result) => [result.batchNumber, result]));
  for (const { symbols, batchNumber } of event.symbolBatches) {
    const result = told.get(batchNumber);
    for (const symbol of symbols) {
      const known = stored.get(symbol);
      if (known !== undefined && isFinal(known.outcome)) continue;
      const byName = isNamed && isOfMarket && (known === undefined || known.byName === true);
      const { byName: _, ...report } = reportWithoutFile(symbol, { known, result, unsettled: unsettled.get(symbol) });
      outcomes.set(symbol, { ...report, ...(byName && { byName: true }) });
    }
  }
  return [...outcomes.values()].sort((left, right) => compareSymbols(left.symbol, right.symbol));
}

/** What is known of a symbol that no file settles. */
interface WithoutFile {
  readonly known: RecordedReport | undefined;
  readonly result: Told;
  readonly unsettled: string | undefined;
}

function reportWithoutFile(symbol: string, { known, result, unsettled }: WithoutFile): RecordedReport {
  // That it could not be asked for again settles no doubt.
  if (known?.doubtedSince !== undefined) return known;
  const [outcome, reason] = reasonWithoutFile(symbol, result);
  const isSetAside = unsettled !== undefined && outcome === "failed";
  return unfinishedReport(symbol, outcome, isSetAside ? unsettled : reason);
}

type Told = BackfillSummaryEvent["results"][number][number] | undefined;

function reasonWithoutFile(symbol: string, result: Told): ["failed" | "deferred", string] {
  if (result === undefined) return ["failed", "its batch reported no outcome"];
  if ("error" in result) return ["failed", reasonOfLoss(result)];
  const named = result.unfinished.find((report) => report.symbol === symbol);
  if (named?.reason !== undefined) return [named.outcome === "deferred" ? "deferred" : "failed", named.reason];
  if (!result.deferred.includes(symbol))
    return ["failed", `it failed in batch ${result.batchNumber}, whose log says why`];
  return ["deferred", `not tried: ${result.stopped?.reason ?? "the time was running out"}`];
}

/**
 * A file must be what its fetcher wrote: it is never changed.
 * @throws StoredFileError that names the file.
 */
export function checkReportedFiles(event: BackfillSummaryEvent, files: readonly HistoryFileEntry[]): void {
  const reported = event.results.flat().filter((result): result is HistoryBatchResult => !("error" in result));
  for (const { batchNumber, rows, sha256 } of reported) {
    if (sha256 === null) continue;
    const file = files.find((entry) => entry.batchNumber === batchNumber);
    if (file?.sha256 === sha256 && file.rows === rows) continue;
    const found = file === undefined ? "is not stored" : `has ${file.rows} bars, SHA-256 ${file.sha256}`;
    throw new StoredFileError(
      `${historyKey({ ...event.backfill, batchNumber })} ${found}, but its fetcher wrote ${rows}, SHA-256 ${sha256}; delete it and run the backfill again`,
    );
  }
}
