import type { SkippedFile } from "./coverage.ts";
import type { ReadyFile } from "./raw-files.ts";

/** Files of one form that are read together, and which of their rows. */
export interface ReadPart {
  readonly paths: readonly string[];
  /** Columns that these files lack. */
  readonly lacks: readonly string[];
  /** The rows' dates, both inclusive, less some; undefined where every row is read. */
  readonly dates?: { readonly from: string; readonly to: string; readonly except: readonly string[] };
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

/** What is to be read for the dates of a catalog. */
export interface ReadPlan {
  readonly raw: readonly ReadyFile[];
  readonly curated: readonly ReadyCurated[];
  /** Dates whose raw files may hold a symbol twice. */
  readonly mayRepeat: ReadonlySet<string>;
  /** Bars that the files hold of each date, one that stands twice counted once. A date of which no file can be read is in it too, with what is left. */
  readonly rows: ReadonlyMap<string, number>;
  readonly bad: readonly SkippedFile[];
}

/** The parts of a plan: raw files by the columns they lack, and each compacted file. */
export function readParts({ raw, curated }: Pick<ReadPlan, "raw" | "curated">): ReadPart[] {
  return [...curatedParts(curated), ...rawParts(raw)];
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
export function readPartsByMonth(plan: Pick<ReadPlan, "raw" | "curated">): ReadPart[] {
  const byForm = Map.groupBy(plan.raw, (file) => `${file.date.slice(0, 7)} ${formOf(file)}`);
  const small = [...byForm.values()].map((files) => {
    const dates = files.map(({ date }) => date).sort();
    return {
      paths: files.map(({ path }) => path),
      lacks: files[0]?.lacks ?? [],
      dates: { from: dates[0] ?? "", to: dates.at(-1) ?? "", except: [] },
    };
  });
  return [...curatedParts(plan.curated), ...small];
}

/** Compacted files as parts: those that are read whole are one. */
export function curatedParts(files: readonly ReadyCurated[]): ReadPart[] {
  const isWhole = ({ holds, wanted }: ReadyCurated): boolean => holds.length === wanted.length;
  const whole = files.filter(isWhole).map(({ path }) => path);
  const parts = files.filter((file) => !isWhole(file)).map(curatedPart);
  return whole.length === 0 ? parts : [{ paths: whole, lacks: [] }, ...parts];
}

function formOf({ lacks, types }: ReadyFile): string {
  return `${lacks.join(" ")} ${types}`;
}

function curatedPart({ path, holds, wanted }: ReadyCurated): ReadPart {
  const [from, to] = [wanted[0] ?? "", wanted.at(-1) ?? ""];
  const isWanted = new Set(wanted);
  const except = holds.filter((date) => date > from && date < to && !isWanted.has(date));
  return { paths: [path], lacks: [], dates: { from, to, except } };
}
