import { parseRunKey } from "../domain/object-keys.ts";
import { compareSymbols } from "../domain/symbol.ts";
import type { Catalog } from "./catalog.ts";
import type { CuratedFiles } from "./curated-files.ts";
import type { CuratedFile } from "./curated-manifest.ts";
import type { ContentDay } from "./curated-writer.ts";
import { fileSumsText } from "./file-sums.ts";
import type { BadFile } from "./local-files.ts";
import type { RawFiles, ReadyFile } from "./raw-files.ts";
import type { ReadPlan, ReadyCurated } from "./read-plan.ts";
import { newestCopies, type StoredDay, storedDays } from "./stored-days.ts";

/** A date that can be compacted: what it holds, and where its bars are. */
export interface SourceDay extends ContentDay {
  readonly date: string;
  /** Compacted files that hold it just so, the largest first. */
  readonly copies: readonly CuratedFile[];
  /** Its raw-data files; none where a compacted file is read instead. */
  readonly raw: readonly ReadyFile[];
}

/** The dates of a catalog, as far as they can be compacted. */
export interface SourceDays {
  readonly days: readonly SourceDay[];
  /** What cannot be read of the others. */
  readonly bad: readonly BadFile[];
}

/**
 * The dates of a catalog, oldest first, each from a compacted file that holds it as its raw-data files are now, where one
 * does: just the others' raw-data files are fetched and looked at.
 * @param isUsable whether a compacted file can be read, as far as is known.
 */
export async function sourceDays(
  catalog: Catalog,
  raw: RawFiles,
  isUsable: (file: CuratedFile) => boolean,
): Promise<SourceDays> {
  const bad = damagedSummaries(catalog);
  const unknown = new Set(bad.map(({ date }) => date));
  const stored = await storedDays(catalog, raw);
  const days: SourceDay[] = [];
  const rest: StoredDay[] = [];
  for (const day of stored) {
    const copies = unknown.has(day.date) ? [] : day.curated.filter(isUsable);
    if (copies.length > 0) days.push(copiedDay(day.date, copies));
    else if (!unknown.has(day.date)) rest.push(day);
  }
  // What the files of a date with a damaged summary should be is not known: its compacted copy stays as it is.
  for (const date of unknown) {
    const copies = newestCopies(date, (catalog.manifest?.files ?? []).filter(isUsable));
    if (copies.length > 0) days.push(copiedDay(date, copies));
  }
  const { ready, bad: unreadable } = await raw.ready(rest.flatMap(({ files }) => files));
  bad.push(...unreadable);
  const isBad = new Set(unreadable.map(({ date }) => date));
  const readyOf = Map.groupBy(ready, ({ date }) => date);
  for (const { date, files, curated } of rest) {
    if (files.length === 0) {
      for (const { key } of curated)
        bad.push({ date, key, reason: "it cannot be read, and nothing else holds the date" });
    } else if (!isBad.has(date)) days.push(rawDay(date, readyOf.get(date) ?? []));
  }
  return { days: days.sort((left, right) => compareSymbols(left.date, right.date)), bad };
}

/** A day of which all copies are the same. */
function copiedDay(date: string, curated: readonly CuratedFile[]): SourceDay {
  const copies = curated.toSorted((left, right) => right.rows - left.rows);
  const { sums = "", rows = 0 } = copies[0]?.days[date] ?? {};
  return { date, sums, least: rows, most: rows, copies, raw: [] };
}

function rawDay(date: string, raw: readonly ReadyFile[]): SourceDay {
  const rows = raw.map((file) => file.rows);
  const most = rows.reduce((sum, count) => sum + count, 0);
  return { date, sums: fileSumsText(raw), least: Math.max(0, ...rows), most, copies: [], raw };
}

function damagedSummaries({ damaged }: Catalog): BadFile[] {
  return damaged.flatMap(({ message }) => {
    const [key = ""] = message.split(" ");
    const date = parseRunKey(key);
    return date === undefined ? [] : [{ date, key, reason: message.slice(key.length + 1) }];
  });
}

/** The files that some days are read from; or the compacted ones among them that cannot be read after all. */
export async function sourceParts(
  days: readonly SourceDay[],
  curated: CuratedFiles,
): Promise<Pick<ReadPlan, "raw" | "curated"> | { readonly unreadable: readonly CuratedFile[] }> {
  const copied = days.filter(({ copies }) => copies.length > 0);
  const wantedOf = Map.groupBy(copied, ({ copies }) => copies[0]);
  const files = [...wantedOf.keys()].filter((file) => file !== undefined);
  const states = await curated.ready(files);
  const ready: ReadyCurated[] = [];
  const unreadable: CuratedFile[] = [];
  for (const file of files) {
    const state = states.get(file.key);
    if (state === undefined || "problem" in state) unreadable.push(file);
    else {
      const wanted = (wantedOf.get(file) ?? []).map(({ date }) => date);
      ready.push({ key: file.key, ...state, holds: Object.keys(file.days).sort(), wanted });
    }
  }
  if (unreadable.length > 0) return { unreadable };
  return { raw: days.flatMap(({ raw }) => raw), curated: ready };
}
