import { compareSymbols } from "../domain/symbol.ts";
import { type Catalog, type DateRange, isWithin } from "./catalog.ts";
import type { CuratedFile } from "./curated-manifest.ts";
import { type FileSum, fileSumsText, parseFileSums } from "./file-sums.ts";
import type { StoredBackfill } from "./history-record.ts";
import { withHistorySums } from "./history-sums.ts";
import { type NewestCopy, newestCopyOf, standsFor, withGone } from "./leftover-copies.ts";
import type { WantedFile } from "./local-files.ts";
import type { RawFiles } from "./raw-files.ts";

/** A date that has bars, and where they are. */
export interface StoredDay {
  readonly date: string;
  /** Its raw-data files: those its run summary names, else those that are there. None where only compacted ones are left. */
  readonly files: readonly WantedFile[];
  /** The backfills that have bars of it, in order of key. */
  readonly backfills: readonly StoredBackfill[];
  /** Where all of that is known: what it is made of, in the form of {@link sourceSums}; with what its newest copy alone holds. */
  readonly sums: string | undefined;
  /** The compacted files that hold the date just so. */
  readonly curated: readonly CuratedFile[];
  /** The newest compacted copy of the date. Where none holds it just so, what this one alone holds is read from it, beside the others. */
  readonly newest: NewestCopy;
}

const NO_COPY: NewestCopy = { files: [], gone: [] };

/** The dates of a catalog that have bars, oldest first. */
export async function storedDays(catalog: Catalog, raw: RawFiles): Promise<StoredDay[]> {
  const { runs, manifest, unrecorded, range } = catalog;
  const curated = curatedByDate(manifest?.files ?? [], range);
  const newestOf = newestCopyOf(catalog, curated);
  const backfills = backfillsByDate(catalog);
  const days = new Map<string, StoredDay>();
  const add = (date: string, files: readonly WantedFile[], rawSums: string | undefined): void => {
    const having = backfills.get(date) ?? [];
    const newest = newestOf.get(date) ?? NO_COPY;
    const sums = rawSums === undefined ? undefined : withGone(withHistorySums(rawSums, having), newest.gone);
    const copies = (curated.get(date) ?? []).filter((file) => file.days[date]?.sums === sums);
    days.set(date, { date, files, backfills: having, sums, curated: copies, newest });
  };
  for (const [date, { sums }] of runs) {
    if (sums === "") continue; // the market was closed, or every batch was lost
    const files = distinctFiles(parseFileSums(sums)).map(({ key, sha256 }): WantedFile => ({ key, date, sha256 }));
    add(date, files, sums);
  }
  const sums = await raw.remembered([...unrecorded.values()].flat());
  for (const [date, objects] of unrecorded) {
    const files = objects.map(({ key }) => ({ key, sha256: sums.get(key) ?? null }));
    const areKnown = files.every(({ sha256 }) => sha256 !== null);
    const wanted = files.map(({ key }): WantedFile => ({ key, date, sha256: undefined }));
    add(date, wanted, areKnown ? fileSumsText(files) : undefined);
  }
  for (const date of backfills.keys()) if (!days.has(date)) add(date, [], "");
  for (const [date, { gone }] of newestOf) if (gone.length > 0 && !days.has(date)) add(date, [], "");
  return [...days.values()].sort((left, right) => compareSymbols(left.date, right.date));
}

/** The backfills that have bars of each date of a catalog, in order of key. */
export function backfillsByDate({
  backfills,
  range,
}: Pick<Catalog, "backfills" | "range">): Map<string, StoredBackfill[]> {
  const byDate = new Map<string, StoredBackfill[]>();
  for (const backfill of backfills) {
    for (const date of Object.keys(backfill.days)) {
      if (!isWithin(date, range)) continue;
      const known = byDate.get(date);
      if (known === undefined) byDate.set(date, [backfill]);
      else known.push(backfill);
    }
  }
  return byDate;
}

/** A summary that names a file twice means one file. */
function distinctFiles(files: readonly FileSum[]): FileSum[] {
  return [...new Map(files.map((file) => [`${file.key} ${file.sha256}`, file])).values()];
}

/** Whether a compacted copy of a date holds what of its files cannot be read. */
export function isStandIn(day: StoredDay, copy: CuratedFile, badKeys: ReadonlySet<string>): boolean {
  const unreadable = unreadableSums(day, badKeys);
  return unreadable.length > 0 && standsFor(copy, day.date, unreadable, day.sums);
}

/** The sums' lines of what a date is read from as far as it cannot be read. */
function unreadableSums({ files, backfills }: StoredDay, badKeys: ReadonlySet<string>): string[] {
  const raw = files.filter(({ key }) => badKeys.has(key));
  const past = backfills.filter((backfill) => backfill.files.some(({ key }) => badKeys.has(key)));
  // A file that no summary vouches for has no hash that a copy could be known by.
  const lines = raw.map(({ key, sha256 }) => (sha256 === undefined ? key : fileSumsText([{ key, sha256 }]).trimEnd()));
  return [...lines, ...past.map((backfill) => withHistorySums("", [backfill]).trimEnd())];
}

/** The dates of a catalog that only compacted files hold, or hold bars of that stand nowhere else. */
export function datesWithLeftovers(catalog: Catalog): Set<string> {
  const newestOf = newestCopyOf(catalog, curatedByDate(catalog.manifest?.files ?? [], catalog.range));
  return new Set([...newestOf].filter(([, { gone }]) => gone.length > 0).map(([date]) => date));
}

function curatedByDate(files: readonly CuratedFile[], range: DateRange): Map<string, CuratedFile[]> {
  const byDate = new Map<string, CuratedFile[]>();
  for (const file of files) {
    for (const date of Object.keys(file.days)) {
      if (!isWithin(date, range)) continue;
      const known = byDate.get(date);
      if (known === undefined) byDate.set(date, [file]);
      else known.push(file);
    }
  }
  return byDate;
}
