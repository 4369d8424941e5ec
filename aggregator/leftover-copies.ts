import { backfillsPrefix, parseRawDataKey, rawDataFolder } from "../domain/object-keys.ts";
import type { Catalog } from "./catalog.ts";
import type { CuratedState } from "./curated-files.ts";
import { type CuratedFile, curatedPeriod } from "./curated-manifest.ts";
import type { ReadyHistory } from "./read-plan.ts";

/** What the newest compacted copy of a date is, and what it alone still holds. */
export interface NewestCopy {
  /** The compacted files that have it, each the same. */
  readonly files: readonly CuratedFile[];
  /**
   * Lines of its sums whose raw-data files or records are no more: their bars stand nowhere else. A run of the date, or raw-data files
   * of it, speak for all its raw-data files, and a record for what its backfill stored: what these had before is superseded.
   */
  readonly gone: readonly string[];
}

/** The newest compacted copy of each date of a catalog that has one. */
export function newestCopyOf(
  { runs, unrecorded, backfills }: Pick<Catalog, "runs" | "unrecorded" | "backfills">,
  curated: ReadonlyMap<string, readonly CuratedFile[]>,
): Map<string, NewestCopy> {
  const records = new Set(backfills.map(({ key }) => key));
  const copies = new Map<string, NewestCopy>();
  for (const [date, holding] of curated) {
    const files = newestCopies(date, holding);
    const sums = files[0]?.days[date]?.sums ?? "";
    const hasDaily = runs.has(date) || unrecorded.has(date);
    const isGone = (line: string): boolean => {
      const name = nameOf(line);
      return name.startsWith(backfillsPrefix) ? !records.has(name) : !hasDaily;
    };
    const mayBeGone = !hasDaily || sums.includes(backfillsPrefix);
    copies.set(date, { files, gone: mayBeGone ? linesOf(sums).filter(isGone) : [] });
  }
  return copies;
}

/**
 * Of compacted files that hold a date, those whose copy is the newest: a date's own file is merged after its year's where
 * they differ, as compaction drops one that is behind.
 */
export function newestCopies(date: string, files: readonly CuratedFile[]): CuratedFile[] {
  const holding = files.filter(({ days }) => date in days);
  const newest = holding.find((file) => curatedPeriod(file) === date) ?? holding[0];
  return holding.filter(({ days }) => days[date]?.sums === newest?.days[date]?.sums);
}

/** The sums of a date with lines that its compacted copy alone stands for, in the order in which they would stand there. */
export function withGone(sums: string, gone: readonly string[]): string {
  if (gone.length === 0) return sums;
  const lines = [...linesOf(sums), ...gone].sort(compareLines);
  return lines.map((line) => `${line}\n`).join("");
}

/** Backfills that sums name. */
export function countBackfills(sums: string): number {
  return linesOf(sums).filter((line) => nameOf(line).startsWith(backfillsPrefix)).length;
}

/**
 * Whether a copy stands for everything that some lines name: it holds that, and of raw-data files none that another has replaced.
 * @param sums what the date is made of.
 */
export function standsFor(copy: CuratedFile, date: string, lines: readonly string[], sums = ""): boolean {
  const held = new Set(linesOf(copy.days[date]?.sums ?? ""));
  const current = new Set(linesOf(sums));
  const isCurrent = (line: string): boolean => nameOf(line).startsWith(backfillsPrefix) || current.has(line);
  return lines.every((line) => held.has(line)) && [...held].every(isCurrent);
}

/** A date, and the compacted file that is read beside its raw-data files and backfills. */
export interface CopiedDate {
  readonly date: string;
  readonly file: CuratedFile;
}

/** Compacted files as they are read beside others: like what a backfill stored. Those that cannot be read are left out. */
export function copiesBeside(dates: readonly CopiedDate[], states: ReadonlyMap<string, CuratedState>): ReadyHistory[] {
  return [...Map.groupBy(dates, ({ file }) => file)].flatMap(([{ key, sha256, days }, wanted]) => {
    const state = states.get(key);
    if (state === undefined || "problem" in state) return [];
    return {
      key,
      // In no part with files of backfills: their types may be others to the engine.
      files: [{ ...state, key, sha256, lacks: [], types: "compacted" }],
      holds: Object.keys(days).sort(),
      wanted: wanted.map(({ date }) => date).sort(),
    };
  });
}

function linesOf(sums: string): string[] {
  return sums.split("\n").filter((line) => line !== "");
}

function nameOf(line: string): string {
  return line.slice(line.indexOf("  ") + 2);
}

/** Raw-data files by number, and behind them backfills by key. */
function compareLines(line: string, other: string): number {
  const [left, right] = [nameOf(line), nameOf(other)];
  const [first, second] = [rankOf(left), rankOf(right)];
  return first === second ? (left < right ? -1 : 1) : first - second;
}

function rankOf(name: string): number {
  if (name.startsWith(backfillsPrefix)) return Number.POSITIVE_INFINITY;
  return parseRawDataKey(`${rawDataFolder}${name}`)?.batchNumber ?? -1;
}
