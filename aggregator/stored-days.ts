import { compareSymbols } from "../domain/symbol.ts";
import { type Catalog, isWithin } from "./catalog.ts";
import { type CuratedFile, curatedPeriod } from "./curated-manifest.ts";
import { type FileSum, fileSumsText, parseFileSums } from "./file-sums.ts";
import type { StoredBackfill } from "./history-record.ts";
import { withHistorySums } from "./history-sums.ts";
import type { WantedFile } from "./local-files.ts";
import type { RawFiles } from "./raw-files.ts";

/** A date that has bars, and where they are. */
export interface StoredDay {
  readonly date: string;
  /** Its raw-data files: those its run summary names, else those that are there. None where only compacted ones are left. */
  readonly files: readonly WantedFile[];
  /** The backfills that have bars of it, in order of key. */
  readonly backfills: readonly StoredBackfill[];
  /** Where all of that is known: what it is made of, in the form of {@link sourceSums}. */
  readonly sums: string | undefined;
  /** The compacted files that hold the date just as its raw-data files and backfills are now. */
  readonly curated: readonly CuratedFile[];
}

/** The dates of a catalog that have bars, oldest first. */
export async function storedDays(catalog: Catalog, raw: RawFiles): Promise<StoredDay[]> {
  const { runs, manifest, unrecorded, range } = catalog;
  const curated = curatedByDate(manifest?.files ?? []);
  const backfills = backfillsByDate(catalog);
  const days = new Map<string, StoredDay>();
  const add = (date: string, files: readonly WantedFile[], rawSums: string | undefined): void => {
    const having = backfills.get(date) ?? [];
    const sums = rawSums === undefined ? undefined : withHistorySums(rawSums, having);
    const copies = (curated.get(date) ?? []).filter((file) => file.days[date]?.sums === sums);
    days.set(date, { date, files, backfills: having, sums, curated: copies });
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
  for (const [date, files] of curated) {
    if (!isWithin(date, range) || runs.has(date) || days.has(date)) continue;
    // A record that is there speaks for its dates: bars that it had before are no more.
    const orphans = files.filter((file) => !catalog.backfills.some(({ key }) => file.days[date]?.sums.includes(key)));
    const copies = newestCopies(date, orphans);
    if (copies.length > 0) days.set(date, { date, files: [], backfills: [], sums: undefined, curated: copies });
  }
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

/**
 * Of compacted files that hold a date, those whose copy is the newest: a date's own file is merged after its year's where
 * they differ, as compaction drops one that is behind.
 */
export function newestCopies(date: string, files: readonly CuratedFile[]): CuratedFile[] {
  const holding = files.filter(({ days }) => date in days);
  const newest = holding.find((file) => curatedPeriod(file) === date) ?? holding[0];
  return holding.filter(({ days }) => days[date]?.sums === newest?.days[date]?.sums);
}

/** A summary that names a file twice means one file. */
function distinctFiles(files: readonly FileSum[]): FileSum[] {
  return [...new Map(files.map((file) => [`${file.key} ${file.sha256}`, file])).values()];
}

function curatedByDate(files: readonly CuratedFile[]): Map<string, CuratedFile[]> {
  const byDate = new Map<string, CuratedFile[]>();
  for (const file of files) {
    for (const date of Object.keys(file.days)) {
      const known = byDate.get(date);
      if (known === undefined) byDate.set(date, [file]);
      else known.push(file);
    }
  }
  return byDate;
}
