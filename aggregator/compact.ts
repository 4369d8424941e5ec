import { StoredFileError } from "../domain/errors.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { compareSymbols } from "../domain/symbol.ts";
import type { OnBadFile } from "./bar-reader.ts";
import type { SourceDay } from "./compaction-days.ts";
import { type CuratedFile, curatedPeriod, inOrder } from "./curated-manifest.ts";
import type { CompactionState, CuratedPublisher } from "./curated-publisher.ts";
import type { BuiltFile } from "./curated-writer.ts";
import type { BadFile } from "./local-files.ts";
import type { Progress } from "./progress.ts";

/** What happens with a date that cannot be read. */
export interface CompactOptions {
  /**
   * `error` (unless given): it ends in an error, and nothing is published. `skip`: the date is left out and told. A
   * compacted copy of it stays where no raw-data file that it is of was replaced since, or a run summary or record cannot be
   * read itself.
   */
  readonly onBadFile?: OnBadFile | undefined;
}

/** A compacted file that counts. */
export interface CompactedFile {
  readonly key: string;
  /** Bars. */
  readonly rows: number;
  readonly bytes: number;
  /** Trading dates. */
  readonly days: number;
}

/** What a compaction has done. */
export interface CompactResult {
  /** Every compacted file that counts now: one a year, and those of single dates that were asked for and still hold. */
  readonly files: readonly CompactedFile[];
  /** Keys of those that this compaction wrote. */
  readonly written: readonly string[];
  /** Keys of those that were there. */
  readonly unchanged: readonly string[];
  /** Keys of older files that were removed: they were superseded an hour ago or earlier. */
  readonly removed: readonly string[];
  /** Dates that were left out, with a file that cannot be read and why; a date may have several. */
  readonly skipped: readonly BadFile[];
  /** Bars in the files of years. */
  readonly rows: number;
}

const DATES_NAMED = 5;

/**
 * Turns history into few large files, one a calendar year: a year in which something has changed becomes a new file.
 * @throws StoredFileError that names the dates that cannot be read, unless such are left out; nothing is published then.
 */
export async function compact(
  publisher: CuratedPublisher,
  onBadFile: OnBadFile,
  progress: Progress,
): Promise<CompactResult> {
  const { result, removed } = await publisher.publish(null, async (state, building) => {
    const { days, bad } = state.source;
    if (onBadFile === "error" && bad.length > 0) throw unreadableDates(bad, publisher.store);
    const years = [...Map.groupBy(days, ({ date }) => date.slice(0, 4))];
    const kept = new Map(years.map(([year, wanted]) => [year, unchangedFile(state, year, wanted)]));
    const changed = years.filter(([year]) => kept.get(year) === undefined);
    const built: BuiltFile[] = [];
    for (const [index, [year, wanted]] of changed.entries()) {
      progress({ stage: "compacting", done: index, of: changed.length });
      built.push(await building.build(year, wanted, state));
    }
    if (changed.length > 0) progress({ stage: "compacting", done: changed.length, of: changed.length });
    const unchanged = [...kept.values()].filter((file) => file !== undefined);
    const files = inOrder([...unchanged, ...built.map(({ file }) => file), ...dayFiles(state)]);
    return { files, built, result: { files, built, bad } };
  });
  const { files, built, bad: skipped } = result;
  const written = new Set(built.map(({ file }) => file.key));
  return {
    files: files.map(({ key, rows, bytes, days }) => ({ key, rows, bytes, days: Object.keys(days).length })),
    written: [...written],
    unchanged: files.map(({ key }) => key).filter((key) => !written.has(key)),
    removed,
    skipped,
    rows: files.filter(isOfYear).reduce((sum, { rows }) => sum + rows, 0),
  };
}

/** The file of a year that holds exactly the days wanted, each as its raw-data files and backfills are now; undefined where none does. */
function unchangedFile(state: CompactionState, year: string, wanted: readonly SourceDay[]): CuratedFile | undefined {
  return state.manifest.files.find(
    (file) =>
      curatedPeriod(file) === year &&
      Object.keys(file.days).length === wanted.length &&
      wanted.every(({ copies }) => copies.includes(file)),
  );
}

/** Files of single dates stay, beside those of the years, as long as their dates are not run again: a user asked for them. */
function dayFiles({ manifest, source }: CompactionState): CuratedFile[] {
  const copies = new Set(source.days.flatMap((day) => day.copies));
  return manifest.files.filter((file) => !isOfYear(file) && copies.has(file));
}

function isOfYear(file: CuratedFile): boolean {
  return curatedPeriod(file).length === "YYYY".length;
}

function unreadableDates(bad: readonly BadFile[], store: ObjectStore): StoredFileError {
  const firstOf = new Map(bad.toReversed().map((file) => [file.date, file]));
  const dates = [...firstOf.values()].sort((left, right) => compareSymbols(left.date, right.date));
  const named = dates
    .slice(0, DATES_NAMED)
    .map(({ date, key, reason }) => `${date}: ${store.locate(key)} ${reason.replace(/^it /, "")}`);
  const others = dates.length > named.length ? `; and ${dates.length - named.length} more dates` : "";
  return new StoredFileError(
    `nothing was compacted, as ${dates.length === 1 ? "a date" : `${dates.length} dates`} cannot be read: ${named.join("; ")}${others}; or leave them out with onBadFile "skip"`,
  );
}
