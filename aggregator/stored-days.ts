import { compareSymbols } from "../domain/symbol.ts";
import { type Catalog, isWithin } from "./catalog.ts";
import { type CuratedFile, curatedPeriod } from "./curated-manifest.ts";
import { type FileSum, fileSumsText, parseFileSums } from "./file-sums.ts";
import type { WantedFile } from "./local-files.ts";
import type { RawFiles } from "./raw-files.ts";

/** A date that has bars, and where they are. */
export interface StoredDay {
  readonly date: string;
  /** Its raw-data files: those its run summary names, else those that are there. None where only compacted ones are left. */
  readonly files: readonly WantedFile[];
  /** The compacted files that hold the date just as its raw-data files are now. */
  readonly curated: readonly CuratedFile[];
}

/** The dates of a catalog that have bars, oldest first. */
export async function storedDays(catalog: Catalog, raw: RawFiles): Promise<StoredDay[]> {
  const { runs, manifest, unrecorded, range } = catalog;
  const curated = curatedByDate(manifest?.files ?? []);
  const matching = (date: string, sums: string): CuratedFile[] =>
    (curated.get(date) ?? []).filter(({ days }) => days[date]?.sums === sums);
  const days: StoredDay[] = [];
  for (const [date, { sums }] of runs) {
    if (sums === "") continue; // the market was closed, or every batch was lost
    const files = distinctFiles(parseFileSums(sums)).map(({ key, sha256 }): WantedFile => ({ key, date, sha256 }));
    days.push({ date, files, curated: matching(date, sums) });
  }
  const sums = await raw.remembered([...unrecorded.values()].flat());
  for (const [date, objects] of unrecorded) {
    const files = objects.map(({ key }) => ({ key, sha256: sums.get(key) ?? null }));
    const areKnown = files.every(({ sha256 }) => sha256 !== null);
    const wanted = files.map(({ key }): WantedFile => ({ key, date, sha256: undefined }));
    days.push({
      date,
      files: wanted,
      curated: areKnown ? matching(date, fileSumsText(files)) : [],
    });
  }
  for (const [date, files] of curated) {
    if (isWithin(date, range) && !runs.has(date) && !unrecorded.has(date))
      days.push({ date, files: [], curated: newestCopies(date, files) });
  }
  return days.sort((left, right) => compareSymbols(left.date, right.date));
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
