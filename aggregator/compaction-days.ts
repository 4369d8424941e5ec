import { parseBackfillKey, parseRunKey } from "../domain/object-keys.ts";
import { compareSymbols } from "../domain/symbol.ts";
import { type Catalog, isWithin } from "./catalog.ts";
import type { SkippedFile } from "./coverage.ts";
import type { CuratedFiles } from "./curated-files.ts";
import type { CuratedFile } from "./curated-manifest.ts";
import type { ContentDay } from "./curated-writer.ts";
import type { HistoryFiles, ReadyHistoryFile } from "./history-files.ts";
import { datesThatMayRepeat, historyOfDays } from "./history-plan.ts";
import type { StoredBackfill } from "./history-record.ts";
import { sourceSums } from "./history-sums.ts";
import { type CopiedDate, copiesBeside, newestCopies, standsFor, withGone } from "./leftover-copies.ts";
import type { BadFile } from "./local-files.ts";
import type { RawFiles, ReadyFile } from "./raw-files.ts";
import type { ReadPlan, ReadSources, ReadyCurated } from "./read-plan.ts";
import { isStandIn, type StoredDay, storedDays } from "./stored-days.ts";

/** A date that can be compacted: what it holds, and where its bars are. */
export interface SourceDay extends ContentDay {
  readonly date: string;
  /** Compacted files that hold it just so, the largest first. */
  readonly copies: readonly CuratedFile[];
  /** Its raw-data files; none where a compacted file is read instead. */
  readonly raw: readonly ReadyFile[];
  /** The backfills that have bars of it; none where a compacted file is read instead. */
  readonly backfills: readonly StoredBackfill[];
  /** A compacted file that is read beside them: it alone holds some of the bars. */
  readonly beside: CuratedFile | undefined;
}

/** The dates of a catalog, as far as they can be compacted. */
export interface SourceDays {
  readonly days: readonly SourceDay[];
  /** The backfills' files that they are made of, by key. */
  readonly historyFiles: ReadonlyMap<string, ReadyHistoryFile>;
  /** What cannot be read of the others. */
  readonly bad: readonly BadFile[];
}

/**
 * The dates of a catalog, oldest first, each from a compacted file that holds it as its raw-data files and backfills are now,
 * where one does: just the others' files are fetched and looked at.
 * @param isUsable whether a compacted file can be read, as far as is known.
 */
export async function sourceDays(
  catalog: Catalog,
  raw: RawFiles,
  history: HistoryFiles,
  isUsable: (file: CuratedFile) => boolean,
): Promise<SourceDays> {
  const stored = await storedDays(catalog, raw);
  const bad = damagedRecords(catalog, stored);
  const unknown = new Set(bad.map(({ date }) => date));
  const days: SourceDay[] = [];
  const rest: StoredDay[] = [];
  for (const day of stored) {
    const copies = unknown.has(day.date) ? [] : day.curated.filter(isUsable);
    if (copies.length > 0) days.push(copiedDay(day.date, copies));
    else if (!unknown.has(day.date)) rest.push(day);
  }
  // What a date with a damaged summary or record should be is not known: its compacted copy stays as it is.
  for (const date of unknown) {
    const copies = newestCopies(date, (catalog.manifest?.files ?? []).filter(isUsable));
    if (copies.length > 0) days.push(copiedDay(date, copies));
  }
  const { ready, bad: unreadable } = await raw.ready(rest.flatMap(({ files }) => files));
  const wanted = new Set(rest.flatMap(({ backfills }) => backfills));
  const historyFiles = await history.ready([...wanted].flatMap(({ files }) => files));
  const badOf = Map.groupBy([...unreadable, ...unreadableHistory(rest, historyFiles.bad)], ({ date }) => date);
  const readyOf = Map.groupBy(ready, ({ date }) => date);
  for (const day of rest) {
    const { date, newest } = day;
    const copy = newest.files.find(isUsable);
    const badFiles = badOf.get(date) ?? [];
    const isWhole =
      badFiles.length === 0 || (copy !== undefined && isStandIn(day, copy, new Set(badFiles.map(({ key }) => key))));
    if (!isWhole) bad.push(...badFiles);
    if (newest.gone.length > 0 && copy === undefined) {
      const reason = "it cannot be read, and nothing else holds the date, or some bars of it";
      bad.push(...newest.files.map(({ key }) => ({ date, key, reason })));
    } else if (isWhole) {
      const beside = newest.gone.length > 0 || badFiles.length > 0 ? copy : undefined;
      days.push(newDay(day, readyOf.get(date) ?? [], beside));
    } else if (copy !== undefined && (newest.gone.length > 0 || standsFor(copy, date, [], day.sums))) {
      // It is behind, and stays: what it holds may stand nowhere else that can be read.
      days.push(copiedDay(date, newest.files.filter(isUsable)));
    }
  }
  return {
    days: days.sort((left, right) => compareSymbols(left.date, right.date)),
    historyFiles: historyFiles.ready,
    bad,
  };
}

/** A backfill's file that cannot be read, for each of its dates. */
function unreadableHistory(days: readonly StoredDay[], bad: readonly SkippedFile[]): BadFile[] {
  const badOf = new Map(bad.map((file) => [file.key, file]));
  if (badOf.size === 0) return [];
  return days.flatMap(({ date, backfills }) =>
    backfills.flatMap(({ files }) =>
      files.flatMap(({ key }) => {
        const found = badOf.get(key);
        return found === undefined ? [] : [{ ...found, date }];
      }),
    ),
  );
}

/** A day of which all copies are the same. */
function copiedDay(date: string, curated: readonly CuratedFile[]): SourceDay {
  const copies = curated.toSorted((left, right) => right.rows - left.rows);
  const { sums = "", rows = 0 } = copies[0]?.days[date] ?? {};
  return { date, sums, least: rows, most: rows, copies, raw: [], backfills: [], beside: undefined };
}

function newDay(day: StoredDay, raw: readonly ReadyFile[], beside: CuratedFile | undefined): SourceDay {
  const { date, backfills, newest } = day;
  const held = [...raw.map((file) => file.rows), ...backfills.map(({ days }) => days[date] ?? 0)];
  const rows = [...held, beside?.days[date]?.rows ?? 0];
  const most = rows.reduce((sum, count) => sum + count, 0);
  const sums = day.sums ?? withGone(sourceSums(raw, backfills), newest.gone);
  return { date, sums, least: Math.max(0, ...rows), most, copies: [], raw, backfills, beside };
}

/** Damaged run summaries, and damaged records of backfills for each stored date that they may have bars of. */
function damagedRecords({ damaged, manifest, range }: Catalog, stored: readonly StoredDay[]): BadFile[] {
  return damaged.flatMap(({ message }) => {
    const [key = ""] = message.split(" ");
    const reason = message.slice(key.length + 1);
    const date = parseRunKey(key);
    if (date !== undefined) return [{ date, key, reason }];
    const span = parseBackfillKey(key);
    if (span === undefined) return [];
    const compacted = (manifest?.files ?? []).flatMap(({ days }) => Object.keys(days));
    const dates = new Set([...stored.map((day) => day.date), ...compacted.filter((each) => isWithin(each, range))]);
    const ofSpan = [...dates].filter((each) => isWithin(each, span)).sort(compareSymbols);
    // That the backfill cannot be read is told, whatever else is stored.
    return (ofSpan.length > 0 ? ofSpan : [span.from]).map((each) => ({ date: each, key, reason }));
  });
}

/** The files that some days are read from; or the compacted ones among them that cannot be read after all. */
export async function sourceParts(
  days: readonly SourceDay[],
  historyFiles: SourceDays["historyFiles"],
  curated: CuratedFiles,
): Promise<(ReadSources & Pick<ReadPlan, "mayRepeat">) | { readonly unreadable: readonly CuratedFile[] }> {
  const copied = days.filter(({ copies }) => copies.length > 0);
  const wantedOf = Map.groupBy(copied, ({ copies }) => copies[0]);
  const files = [...wantedOf.keys()].filter((file) => file !== undefined);
  const besides = days.flatMap(({ date, beside }): CopiedDate[] =>
    beside === undefined ? [] : [{ date, file: beside }],
  );
  const states = await curated.ready([...new Set([...files, ...besides.map(({ file }) => file)])]);
  const ready: ReadyCurated[] = [];
  const isUnreadable = ({ key }: CuratedFile): boolean =>
    "problem" in (states.get(key) ?? { problem: "it is missing" });
  const unreadable = besides.map(({ file }) => file).filter(isUnreadable);
  for (const file of files) {
    const state = states.get(file.key);
    if (state === undefined || "problem" in state) unreadable.push(file);
    else {
      const wanted = (wantedOf.get(file) ?? []).map(({ date }) => date);
      ready.push({ key: file.key, ...state, holds: Object.keys(file.days).sort(), wanted });
    }
  }
  if (unreadable.length > 0) return { unreadable };
  const raw = days.flatMap((day) => day.raw);
  const { history } = historyOfDays(days, { ready: historyFiles, bad: [] });
  const sources = { raw, history: [...history, ...copiesBeside(besides, states)], curated: ready };
  return { ...sources, mayRepeat: datesThatMayRepeat(raw, days) };
}
