/** What is stored of a backfill, brought to one answer a symbol: the plan and the summary see the same. */
import pLimit from "p-limit";
import type { BackfillRecord, HistoryFileEntry, HistoryReport, RecordedReport } from "../../domain/backfill.ts";
import { isFinal } from "../../domain/batch.ts";
import { StoredFileError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import {
  goneFiles,
  type ReadHistoryFile,
  readHistoryFile,
  type StoredBackfill,
  unnamedFiles,
} from "./stored-backfill.ts";

/** Files that are read at the same time. */
const FILES_AT_ONCE = 4;

/** One answer for every symbol of a backfill, and the files that give them. */
export interface ResolvedBackfill extends Pick<BackfillRecord, "days" | "source"> {
  /** The files that the record names and that are there, and those that add an answer to them; in order of number. */
  readonly batches: readonly HistoryFileEntry[];
  /**
   * By symbol. One of a file that no record names has the `doubtedSince` of the answer that was doubted before: whether it
   * stands now is for the summary to say.
   */
  readonly outcomes: ReadonlyMap<string, RecordedReport>;
  /** Symbols whose outcome is of a file that no record names: no summary has judged it yet. */
  readonly unjudged: ReadonlySet<string>;
  /** Why what was stored of a symbol does not count, by symbol: it is to be asked for again. */
  readonly unsettled: ReadonlyMap<string, string>;
  /** Every file that no record names, whether it adds an answer or not. */
  readonly added: readonly HistoryFileEntry[];
  /** Files that the record names and that are gone. */
  readonly gone: readonly HistoryFileEntry[];
}

/**
 * Resolves what is stored of a backfill. The record's outcomes count, and for what it does not settle the files that it does
 * not name (a run was killed before its summary), the lower number first. A file that adds nothing is passed over. One that
 * has bars of a symbol that another file has bars of (a writer that came late) is left out as a whole, as a reader reads whole
 * files: its further symbols are unsettled. So are those of a named file that is gone.
 * @throws StoredFileError where a file is damaged, is not as the record names it, or is of another source.
 */
export async function resolveBackfill(store: ObjectStore, stored: StoredBackfill): Promise<ResolvedBackfill> {
  const gone = goneFiles(stored);
  const named = withoutGone(stored.record?.batches ?? [], gone);
  const unnamed = await readFiles(store, unnamedFiles(stored));
  const days = gone.length === 0 ? new Map(Object.entries(stored.record?.days ?? {})) : await daysOf(store, named);
  const { outcomes, unsettled } = recordedOutcomes(stored.record, gone);
  const batches = new Map(named.map((entry) => [entry.batchNumber, entry]));
  const unjudged = new Set<string>();
  let source = named.length === 0 ? null : (stored.record?.source ?? null);

  for (const { entry, facts } of unnamed) {
    const news = facts.reports.filter((report) => isNews(outcomes.get(report.symbol), report));
    if (news.length === 0) continue;
    const twice = facts.reports.find(({ symbol, bars }) => bars > 0 && (outcomes.get(symbol)?.bars ?? 0) > 0);
    if (twice !== undefined) {
      const reason = `its file ${entry.key} has bars of ${twice.symbol} too, which another file has: it is not read`;
      for (const { symbol } of news) {
        if (isStanding(outcomes.get(symbol))) continue;
        unsettled.set(symbol, reason);
        if (!outcomes.has(symbol)) outcomes.set(symbol, unfinishedReport(symbol, "failed", reason));
      }
      continue;
    }
    if (source !== null && source !== facts.source) {
      throw new StoredFileError(
        `${entry.key} holds bars of another source (${facts.source}, the backfill has ${source}); delete it and run the backfill again`,
      );
    }
    source = facts.source;
    batches.set(entry.batchNumber, entry);
    for (const [date, bars] of facts.days) days.set(date, (days.get(date) ?? 0) + bars);
    for (const report of news) {
      const { symbol, bars } = report;
      const doubtedSince = bars > 0 ? undefined : outcomes.get(symbol)?.doubtedSince;
      outcomes.set(symbol, {
        ...report,
        batchNumber: entry.batchNumber,
        ...(doubtedSince !== undefined && { doubtedSince }),
      });
      unjudged.add(symbol);
      unsettled.delete(symbol);
    }
  }
  return {
    batches: [...batches.values()].sort((left, right) => left.batchNumber - right.batchNumber),
    days: Object.fromEntries([...days].sort(([left], [right]) => compareSymbols(left, right))),
    ...{ outcomes, unjudged, unsettled, gone, source, added: unnamed.map(({ entry }) => entry) },
  };
}

/** Whether a symbol need not be asked for again. */
export function isStanding(report: RecordedReport | undefined): boolean {
  return report !== undefined && isFinal(report.outcome) && report.doubtedSince === undefined;
}

/** A report of a symbol that no file has an outcome of. */
export function unfinishedReport(symbol: string, outcome: "failed" | "deferred", reason: string): RecordedReport {
  return { symbol, outcome, reason, bars: 0, first: null, last: null, leftOut: 0 };
}

/** Whether a file's answer counts beside what is known: it settles the symbol, or has bars of one that has none. */
function isNews(known: RecordedReport | undefined, { bars }: HistoryReport): boolean {
  return !isStanding(known) || (bars > 0 && known?.bars === 0);
}

function recordedOutcomes(
  record: BackfillRecord | undefined,
  gone: readonly HistoryFileEntry[],
): { readonly outcomes: Map<string, RecordedReport>; readonly unsettled: Map<string, string> } {
  const keys = new Map(gone.map(({ batchNumber, key }) => [batchNumber, key]));
  const outcomes = new Map<string, RecordedReport>();
  const unsettled = new Map<string, string>();
  for (const report of record?.outcomes ?? []) {
    const { symbol, batchNumber } = report;
    const key = batchNumber === undefined ? undefined : keys.get(batchNumber);
    if (key !== undefined) unsettled.set(symbol, `its file ${key} is gone`);
    outcomes.set(symbol, key === undefined ? report : unfinishedReport(symbol, "failed", `its file ${key} is gone`));
  }
  return { outcomes, unsettled };
}

function withoutGone(entries: readonly HistoryFileEntry[], gone: readonly HistoryFileEntry[]): HistoryFileEntry[] {
  const keys = new Set(gone.map(({ key }) => key));
  return entries.filter(({ key }) => !keys.has(key));
}

/** In order of number. */
async function readFiles(
  store: ObjectStore,
  files: readonly Pick<HistoryFileEntry, "key" | "batchNumber">[],
): Promise<ReadHistoryFile[]> {
  const read = await pLimit(FILES_AT_ONCE).map([...files], (file) => readHistoryFile(store, file));
  return read
    .filter((file) => file !== undefined)
    .sort((left, right) => left.entry.batchNumber - right.entry.batchNumber);
}

/** Bars by date of named files: the record counts those of all of its files together. */
async function daysOf(store: ObjectStore, named: readonly HistoryFileEntry[]): Promise<Map<string, number>> {
  const days = new Map<string, number>();
  const files = new Map((await readFiles(store, named)).map((file) => [file.entry.key, file]));
  for (const { key, sha256 } of named) {
    const file = files.get(key);
    if (file?.entry.sha256 !== sha256) {
      throw new StoredFileError(
        `${key} is not as the backfill's record names it; restore it, or delete it and run the backfill again: its symbols are asked for again then`,
      );
    }
    for (const [date, bars] of file.facts.days) days.set(date, (days.get(date) ?? 0) + bars);
  }
  return days;
}
