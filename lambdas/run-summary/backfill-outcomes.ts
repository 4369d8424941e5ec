/** One outcome for every symbol of a backfill, from its record, its files and what its batches told. */
import type {
  BackfillRecord,
  BackfillSummaryEvent,
  HistoryBatchResult,
  HistoryFileEntry,
  RecordedReport,
} from "../../domain/backfill.ts";
import { isFinal, SYMBOL_SOURCES, type SymbolOutcome } from "../../domain/batch.ts";
import { StoredFileError } from "../../domain/errors.ts";
import { historyKey } from "../../domain/object-keys.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import type { ReadHistoryFile } from "../runtime/stored-backfill.ts";
import { reasonOfLoss } from "./collect-outcomes.ts";

/** The part of a record that its files give. */
export type NamedHistory = Pick<BackfillRecord, "batches" | "outcomes" | "days" | "source">;

/** What is known before any file is added. */
export const NOTHING_NAMED: NamedHistory = { batches: [], outcomes: [], days: {}, source: null };

/**
 * Adds files that no record names to those that it names, in order of number. Where a file has a symbol again, that an
 * earlier one has no bar of, it counts. A file in which nothing is new, as two fetchers did the same work, is not named.
 * @throws StoredFileError where two files hold bars of the same symbol, or are of different sources.
 */
export function addFiles(known: NamedHistory, files: readonly ReadHistoryFile[]): NamedHistory {
  const outcomes = new Map(known.outcomes.map((report) => [report.symbol, report]));
  const batches = new Map(known.batches.map((entry) => [entry.batchNumber, entry]));
  const days = new Map(Object.entries(known.days));
  let { source } = known;
  for (const { entry, facts } of files.toSorted((left, right) => left.entry.batchNumber - right.entry.batchNumber)) {
    const isKnown = (symbol: string): boolean => standsIn(outcomes.get(symbol), batches);
    if (facts.reports.length > 0 && facts.reports.every(({ symbol }) => isKnown(symbol))) continue;
    const twice = facts.reports.find(({ symbol, bars }) => bars > 0 && (outcomes.get(symbol)?.bars ?? 0) > 0);
    if (twice !== undefined) {
      const other = batches.get(outcomes.get(twice.symbol)?.batchNumber ?? -1)?.key ?? "another file";
      throw new StoredFileError(
        `${twice.symbol} is stored twice, in ${other} and in ${entry.key}; delete the latter and run the backfill again`,
      );
    }
    if (source !== null && source !== facts.source) {
      throw new StoredFileError(
        `${entry.key} holds bars of another source (${facts.source}, the backfill has ${source}); delete it and run the backfill again`,
      );
    }
    source = facts.source;
    batches.set(entry.batchNumber, entry);
    for (const [date, bars] of facts.days) days.set(date, (days.get(date) ?? 0) + bars);
    for (const report of facts.reports) {
      if (!isKnown(report.symbol)) outcomes.set(report.symbol, { ...report, batchNumber: entry.batchNumber });
    }
  }
  return {
    batches: [...batches.values()].sort((left, right) => left.batchNumber - right.batchNumber),
    outcomes: [...outcomes.values()],
    days: Object.fromEntries([...days].sort(([left], [right]) => compareSymbols(left, right))),
    source,
  };
}

/** Whether an outcome came from a file with bars; one of a file without any may be replaced. */
function standsIn(report: RecordedReport | undefined, batches: ReadonlyMap<number, HistoryFileEntry>): boolean {
  if (report === undefined || report.batchNumber === undefined || !isFinal(report.outcome)) return false;
  return (batches.get(report.batchNumber)?.rows ?? 0) > 0;
}

/**
 * One report a symbol, in order of symbol: what the files say, else what became of its batch in this round, else what an
 * earlier run said. A symbol that an earlier run left unfinished and a plan of the whole list has no more is left out: it is
 * listed no longer, or stands in another backfill.
 */
export function backfillOutcomes(named: NamedHistory, event: BackfillSummaryEvent): RecordedReport[] {
  const isOfList = event.metadata.source !== SYMBOL_SOURCES.event;
  const outcomes = new Map(
    named.outcomes
      .filter(({ outcome }) => isFinal(outcome) || !isOfList)
      .map((report): [string, RecordedReport] => [report.symbol, report]),
  );
  const told = new Map(event.results.flat().map((result) => [result.batchNumber, result]));
  for (const { symbols, batchNumber } of event.symbolBatches) {
    const result = told.get(batchNumber);
    for (const symbol of symbols) {
      const known = outcomes.get(symbol);
      if (known !== undefined && isFinal(known.outcome)) continue;
      outcomes.set(symbol, withoutFile(symbol, ...reasonWithoutFile(symbol, result)));
    }
  }
  return [...outcomes.values()].sort((left, right) => compareSymbols(left.symbol, right.symbol));
}

type Told = BackfillSummaryEvent["results"][number][number] | undefined;

function reasonWithoutFile(symbol: string, result: Told): [SymbolOutcome, string] {
  if (result === undefined) return ["failed", "its batch reported no outcome"];
  if ("error" in result) return ["failed", reasonOfLoss(result)];
  const named = result.unfinished.find((report) => report.symbol === symbol);
  if (named?.reason !== undefined) return [named.outcome, named.reason];
  if (!result.deferred.includes(symbol))
    return ["failed", `it failed in batch ${result.batchNumber}, whose log says why`];
  return ["deferred", `not tried: ${result.stopped?.reason ?? "the time was running out"}`];
}

function withoutFile(symbol: string, outcome: SymbolOutcome, reason: string): RecordedReport {
  return { symbol, outcome, reason, bars: 0, first: null, last: null, leftOut: 0 };
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
