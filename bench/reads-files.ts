/** The files that the reading bench reads: those of the daily runs, and the same bars compacted. */
import { copyFile, link, mkdir, readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import * as z from "zod";
import { InvalidInputError } from "../domain/errors.ts";
import { parseRawDataKey, rawDataFolder } from "../domain/object-keys.ts";
import { codeOf } from "../stores/error-code.ts";
import { compactStore } from "./reads-aggregator.ts";
import { READ_COLUMNS, type ReadJob, type ReadLine } from "./reads-job.ts";

/** Two of the largest companies: they trade every day. */
const TWO_SYMBOLS = ["BHP", "CBA"];

/** Folder of the compacted files below a store. */
const CURATED = "curated";

export interface StoredFiles {
  readonly layout: "small files" | "compacted";
  /** The store's folder. */
  readonly store: string;
  /** Every file with the dates of its first and last bars. */
  readonly files: readonly { readonly path: string; readonly from: string; readonly to: string }[];
  readonly megabytes: number;
  /** The files that a line has to read. */
  of(line: ReadLine): Pick<ReadJob, "files" | "glob">;
}

/** The batch files of a store. */
export async function findStoredFiles(store: string): Promise<StoredFiles> {
  const names = (await readdir(join(store, rawDataFolder))).sort();
  const files = names.flatMap((name) => {
    const date = parseRawDataKey(`${rawDataFolder}${name}`)?.date;
    return date === undefined ? [] : [{ path: join(store, rawDataFolder, name), from: date, to: date }];
  });
  if (files.length === 0)
    throw new InvalidInputError(`${store} holds no batch files; build it with bench/build-store.ts`);
  return storedFiles({ layout: "small files", store, files }, ({ from, to }) => {
    let same = 0;
    while (same < from.length && from[same] === to[same]) same += 1;
    return join(store, rawDataFolder, `${from.slice(0, same)}*.parquet`);
  });
}

/** What is read of a store: the last day, the last whole year, all of it. */
export function linesOf({ files }: StoredFiles): ReadLine[] {
  const dates = files.map(({ from }) => from).sort();
  const [first = "", last = ""] = [dates.at(0), dates.at(-1)];
  const year = `${Number(last.slice(0, 4)) - (last.slice(5) < "12-29" ? 1 : 0)}`;
  const ofYear = dates.filter((date) => date.startsWith(year));
  const [yearFrom = first, yearTo = last] = [ofYear.at(0), ofYear.at(-1)];
  const years = Math.round((Date.parse(last) - Date.parse(first)) / 31_556_952_000);
  const whole = years < 2 ? "all days" : `${years} years`;
  const all = { from: first, to: last, symbols: null, grouped: false };
  return [
    { ...all, name: "one day", from: last },
    { ...all, name: "one year", from: yearFrom, to: yearTo },
    { ...all, name: whole },
    { ...all, name: `two symbols, ${whole}`, symbols: TWO_SYMBOLS },
    { ...all, name: "average by symbol, one year", from: yearFrom, to: yearTo, grouped: true },
  ];
}

/** The same bars in few files, merged by the library in a store of its own below the folder: the given one stays as it is. */
export async function compactedFiles(small: StoredFiles, folder: string, cacheDir: string): Promise<StoredFiles> {
  const store = join(folder, "compacted");
  for (const name of await readdir(small.store, { recursive: true })) await linkFile(small.store, store, name);
  await compactStore(store, cacheDir);
  const names = (await readdir(join(store, CURATED), { recursive: true })).filter((name) => name.endsWith(".parquet"));
  const paths = names.sort().map((name) => join(store, CURATED, name));
  return storedFiles({ layout: "compacted", store, files: await datesOf(paths) }, () => null);
}

async function storedFiles(
  stored: Pick<StoredFiles, "layout" | "store" | "files">,
  globOf: (line: ReadLine) => string | null,
): Promise<StoredFiles> {
  let bytes = 0;
  for (const { path } of stored.files) bytes += (await stat(path)).size;
  return {
    ...stored,
    megabytes: bytes / 1e6,
    of(line) {
      const files = stored.files.filter(({ from, to }) => from <= line.to && to >= line.from);
      return { files: files.map(({ path }) => path), glob: globOf(line) };
    },
  };
}

/** Links a file, or copies it to another file system; folders are made. */
async function linkFile(from: string, to: string, name: string): Promise<void> {
  if (!(await stat(join(from, name))).isFile()) return;
  await mkdir(dirname(join(to, name)), { recursive: true });
  try {
    await link(join(from, name), join(to, name));
  } catch (error) {
    if (codeOf(error) !== "EXDEV") throw error;
    await copyFile(join(from, name), join(to, name));
  }
}

const fileDates = z.array(z.object({ path: z.string(), from: z.string(), to: z.string() }));

/** The first and last date of files, as their statistics say. */
async function datesOf(paths: readonly string[]): Promise<StoredFiles["files"]> {
  const sql = `select file_name as path, min(stats_min_value) as "from", max(stats_max_value) as "to"
    from parquet_metadata(${listOf(paths)}) where path_in_schema = '${READ_COLUMNS[1]}' group by file_name order by 1`;
  return fileDates.parse(await query(sql));
}

async function query(sql: string): Promise<unknown[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    await connection.run("set preserve_insertion_order = false");
    await connection.run("set enable_external_file_cache = false");
    return (await connection.runAndReadAll(sql)).getRowObjectsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function listOf(paths: readonly string[]): string {
  return `[${paths.map((path) => `'${path.replaceAll("'", "''")}'`).join(", ")}]`;
}
