import { compareSymbols } from "../domain/symbol.ts";
import type { SkippedFile } from "./coverage.ts";
import type { CuratedFile } from "./curated-manifest.ts";
import type { HistoryFileSet, HistoryFiles } from "./history-files.ts";
import type { StoredBackfill } from "./history-record.ts";
import type { ReadyFile } from "./raw-files.ts";
import type { ReadyHistory } from "./read-plan.ts";

/** A date, and the backfills that are read for it, in order of key. */
export interface BackfilledDay {
  readonly date: string;
  readonly backfills: readonly StoredBackfill[];
  /** A compacted file that is read beside them. */
  readonly beside?: CuratedFile | undefined;
}

/** What is read of backfills. */
export interface HistoryPlan {
  readonly history: readonly ReadyHistory[];
  readonly bad: readonly SkippedFile[];
  /** Dates of which a file cannot be read. */
  readonly lacking: ReadonlySet<string>;
}

/** Makes the files of backfills ready that some dates, oldest first, are read from. */
export async function planHistory(days: readonly BackfilledDay[], files: HistoryFiles): Promise<HistoryPlan> {
  const all = new Set(days.flatMap(({ backfills }) => backfills));
  return historyOfDays(days, await files.ready([...all].flatMap((backfill) => backfill.files)));
}

/** What is read of backfills for some dates, oldest first, where it was looked at before. */
export function historyOfDays(days: readonly BackfilledDay[], { ready, bad }: HistoryFileSet): HistoryPlan {
  const wantedOf = new Map<StoredBackfill, string[]>();
  for (const { date, backfills } of days) {
    for (const backfill of backfills) {
      const wanted = wantedOf.get(backfill);
      if (wanted === undefined) wantedOf.set(backfill, [date]);
      else wanted.push(date);
    }
  }
  const history: ReadyHistory[] = [];
  const lacking = new Set<string>();
  for (const [{ key, files, days: held }, wanted] of wantedOf) {
    const readable = files.flatMap((file) => ready.get(file.key) ?? []);
    if (readable.length < files.length) for (const date of wanted) lacking.add(date);
    if (readable.length > 0) history.push({ key, files: readable, holds: Object.keys(held), wanted });
  }
  return { history, bad, lacking };
}

/** The dates on which a symbol may stand in several files. */
export function datesThatMayRepeat(raw: readonly ReadyFile[], days: readonly BackfilledDay[]): Set<string> {
  const dates = rawDatesThatMayRepeat(raw);
  const hasRaw = new Set(raw.filter(({ rows }) => rows > 0).map(({ date }) => date));
  const mayOverlap = overlapTest();
  for (const { date, backfills, beside } of days) {
    if (beside !== undefined) dates.add(date);
    else if (backfills.length > 0 && (hasRaw.has(date) || mayOverlap(backfills))) dates.add(date);
  }
  return dates;
}

/** Says of backfills whether two of them may have bars of a symbol. What was found is kept: many dates have the same. */
export function overlapTest(): (backfills: readonly StoredBackfill[]) => boolean {
  const found = new Map<string, boolean>();
  return (backfills) => {
    if (backfills.length < 2) return false;
    const name = backfills.map(({ key }) => key).join(" ");
    const known = found.get(name) ?? haveSymbolsInCommon(backfills);
    found.set(name, known);
    return known;
  };
}

function haveSymbolsInCommon(backfills: readonly StoredBackfill[]): boolean {
  const symbols = backfills.flatMap(({ finals }) => finals);
  return new Set(symbols).size < symbols.length;
}

/** The dates whose raw-data files' symbols, first to last, overlap. */
function rawDatesThatMayRepeat(files: readonly ReadyFile[]): Set<string> {
  const dates = new Set<string>();
  for (const [date, ofDate] of Map.groupBy(files, (file) => file.date)) {
    const bounds = ofDate.flatMap(({ symbols }) => (symbols === null ? [] : [symbols]));
    bounds.sort(([first], [other]) => compareSymbols(first, other));
    if (bounds.some(([first], index) => first <= (bounds[index - 1]?.[1] ?? ""))) dates.add(date);
  }
  return dates;
}
