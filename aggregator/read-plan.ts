import type { DateSpan } from "../domain/date-span.ts";
import type { SkippedFile } from "./coverage.ts";
import type { ReadyHistoryFile } from "./history-files.ts";
import type { ReadyFile } from "./raw-files.ts";

/** Files of one form that are read together, and which of their rows. */
export interface ReadPart {
  readonly paths: readonly string[];
  /** Columns that these files lack. */
  readonly lacks: readonly string[];
  /** The rows' dates, both inclusive, less some spans; undefined where every row is read. */
  readonly dates?: DateSpan & { readonly except: readonly DateSpan[] };
}

/** A compacted file in a place where the engine can read it, and the dates that are read from it. */
export interface ReadyCurated {
  readonly key: string;
  readonly path: string;
  readonly localMark: string;
  /** The object's mark in the store. */
  readonly mark: string;
  /** Every date that it holds, oldest first. */
  readonly holds: readonly string[];
  /** Those that are read, oldest first; at least one. */
  readonly wanted: readonly string[];
}

/** The files of a backfill that can be read, and the dates that are read from them. */
export interface ReadyHistory {
  /** Of the backfill's record. */
  readonly key: string;
  readonly files: readonly ReadyHistoryFile[];
  /** Every date that they hold, oldest first. */
  readonly holds: readonly string[];
  /** Those that are read, oldest first; at least one. */
  readonly wanted: readonly string[];
}

/** Files that bars are read from. */
export interface ReadSources {
  readonly raw: readonly ReadyFile[];
  readonly history: readonly ReadyHistory[];
  readonly curated: readonly ReadyCurated[];
}

/** What is to be read for the dates of a catalog. */
export interface ReadPlan extends ReadSources {
  /** Dates of which a symbol may stand twice in the raw files and those of backfills. */
  readonly mayRepeat: ReadonlySet<string>;
  /** Bars that the files hold of each date, one that stands twice counted once. A date of which no file can be read is in it too, with what is left. */
  readonly rows: ReadonlyMap<string, number>;
  readonly bad: readonly SkippedFile[];
}

/** Every file of a plan. */
export function filesOf({
  raw,
  history,
  curated,
}: ReadSources): { readonly key: string; readonly path: string; readonly mark: string; readonly localMark: string }[] {
  return [...raw, ...history.flatMap(({ files }) => files), ...curated];
}

/** The parts of a plan: raw files by the columns they lack, those of backfills by their dates too, and each compacted file. */
export function readParts({ raw, history, curated }: ReadSources): ReadPart[] {
  return [...curatedParts(curated), ...historyParts(history), ...rawParts(raw)];
}

/** Raw files as parts, by their form: the engine reads all files of a part with the columns and types of the first. */
export function rawParts(raw: readonly ReadyFile[]): ReadPart[] {
  const byForm = Map.groupBy(raw, formOf);
  return [...byForm.values()].map((files) => ({
    paths: files.map(({ path }) => path),
    lacks: files[0]?.lacks ?? [],
  }));
}

/**
 * The same with the raw files by month too, each with its dates: a query for some dates alone then passes over the months
 * before it opens a file of them.
 */
export function readPartsByMonth(plan: ReadSources): ReadPart[] {
  const byForm = Map.groupBy(plan.raw, (file) => `${file.date.slice(0, 7)} ${formOf(file)}`);
  const small = [...byForm.values()].map((files) => {
    const dates = files.map(({ date }) => date).sort();
    return {
      paths: files.map(({ path }) => path),
      lacks: files[0]?.lacks ?? [],
      dates: { from: dates[0] ?? "", to: dates.at(-1) ?? "", except: [] },
    };
  });
  return [...curatedParts(plan.curated), ...historyParts(plan.history), ...small];
}

/** Files of backfills as parts: those of one form and of the same dates are one. */
export function historyParts(history: readonly ReadyHistory[]): ReadPart[] {
  const parts = history.flatMap(({ files, holds, wanted }) => {
    const dates = datesOf(holds, wanted);
    return files.map((file) => ({ file, dates, name: `${formOf(file)} ${JSON.stringify(dates)}` }));
  });
  return [...Map.groupBy(parts, ({ name }) => name).values()].map((alike) => ({
    paths: alike.map(({ file }) => file.path),
    lacks: alike[0]?.file.lacks ?? [],
    ...(alike[0]?.dates !== undefined && { dates: alike[0].dates }),
  }));
}

/** The same files, as far as some dates are read from them. */
export function historyOf(history: readonly ReadyHistory[], isWanted: (date: string) => boolean): ReadyHistory[] {
  return history
    .map((each) => ({ ...each, wanted: each.wanted.filter(isWanted) }))
    .filter(({ wanted }) => wanted.length > 0);
}

/** Compacted files as parts: those that are read whole are one. */
export function curatedParts(files: readonly ReadyCurated[]): ReadPart[] {
  const isWhole = ({ holds, wanted }: ReadyCurated): boolean => holds.length === wanted.length;
  const whole = files.filter(isWhole).map(({ path }) => path);
  const parts = files.flatMap(({ path, holds, wanted }): ReadPart[] => {
    const dates = datesOf(holds, wanted);
    return dates === undefined ? [] : [{ paths: [path], lacks: [], dates }];
  });
  return whole.length === 0 ? parts : [{ paths: whole, lacks: [] }, ...parts];
}

function formOf({ lacks, types }: Pick<ReadyFile, "lacks" | "types">): string {
  return `${lacks.join(" ")} ${types}`;
}

/** What says which dates are read of those that files hold; undefined where all are. */
function datesOf(holds: readonly string[], wanted: readonly string[]): ReadPart["dates"] {
  const [from, to] = [wanted[0], wanted.at(-1)];
  if (from === undefined || to === undefined || holds.length === wanted.length) return undefined;
  const isWanted = new Set(wanted);
  const except: { from: string; to: string }[] = [];
  let isOpen = false; // whether the date before was left out too
  for (const date of holds) {
    if (date < from || date > to) continue;
    const last = except.at(-1);
    if (isWanted.has(date)) isOpen = false;
    else if (isOpen && last !== undefined) last.to = date;
    else {
      except.push({ from: date, to: date });
      isOpen = true;
    }
  }
  return { from, to, except };
}
