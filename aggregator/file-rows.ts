import { messageOf } from "../domain/errors.ts";
import { fromEpochDays } from "../domain/trading-date.ts";
import type { Columns } from "./column.ts";
import type { Engine } from "./engine.ts";
import { parquetFiles } from "./sql-text.ts";
import { SEEMS_RIGHT, wrongBar } from "./wrong-bar.ts";

/** A file whose rows are to be counted, and the only date they may have. */
export interface DatedFile {
  readonly path: string;
  readonly date: string;
}

/** What the rows of a file are. */
export interface FileRows {
  readonly rows: number;
  /** The first symbol and the last; null where there is no row. */
  readonly symbols: readonly [string, string] | null;
}

/** Files that the engine looks through in one query. */
const FILES_A_QUERY = 2_000;

/**
 * Counts the rows of files, and looks whether each row has its file's date, a symbol of its own, and the values of a bar.
 * @returns by path what the rows are, or what is wrong.
 */
export async function countRows(
  engine: Engine,
  files: readonly DatedFile[],
  onFiles: (done: number) => void,
): Promise<Map<string, FileRows | string>> {
  const found = new Map<string, FileRows | string>();
  for (let at = 0; at < files.length; at += FILES_A_QUERY) {
    const slice = files.slice(at, at + FILES_A_QUERY);
    await countSlice(engine, slice, found);
    onFiles(at + slice.length);
  }
  return found;
}

/** Where the engine fails at several files, each half is asked for by itself, until the file is found that it fails at. */
async function countSlice(
  engine: Engine,
  files: readonly DatedFile[],
  found: Map<string, FileRows | string>,
): Promise<void> {
  try {
    const counts = countsByPath(await engine.query(countQuery(files)));
    for (const { path, date } of files) {
      const each = counts.get(path);
      const judged = judge(each, date);
      const isDoubtful = typeof judged !== "string" && (each?.seemRight ?? 0) < judged.rows;
      found.set(path, (isDoubtful ? await wrongBar(engine, path) : undefined) ?? judged);
    }
    const unknown = [...counts.keys()].find((path) => !found.has(path));
    if (unknown !== undefined) throw new TypeError(`the engine read ${unknown}, which was not asked for`);
  } catch (error) {
    if (error instanceof TypeError) throw error;
    const [only] = files;
    if (files.length === 1 && only !== undefined) {
      found.set(only.path, `it cannot be read: ${messageOf(error)}`);
      return;
    }
    const half = Math.ceil(files.length / 2);
    await countSlice(engine, files.slice(0, half), found);
    await countSlice(engine, files.slice(half), found);
  }
}

function countQuery(files: readonly DatedFile[]): string {
  return `
    SELECT filename, count(*) AS rows, count(symbol) AS named, count(DISTINCT symbol) AS symbols,
           min(symbol) AS first_symbol, max(symbol) AS last_symbol,
           count(date) AS dated, min(date) AS first, max(date) AS last,
           count(*) FILTER (WHERE ${SEEMS_RIGHT}) AS seem_right
    FROM ${parquetFiles(
      files.map(({ path }) => path),
      ["filename = true"],
    )}
    GROUP BY filename`;
}

interface Counts {
  readonly rows: number;
  readonly named: number;
  readonly symbols: number;
  readonly bounds: readonly [string, string] | null;
  readonly dated: number;
  readonly first: string | undefined;
  readonly last: string | undefined;
  readonly seemRight: number;
}

function countsByPath(columns: Columns): Map<string, Counts> {
  const names = columns.get("filename");
  if (names?.kind !== "text") return new Map();
  const { codes, dictionary } = names;
  return new Map(
    Array.from(codes, (code, row): [string, Counts] => [
      dictionary[code] ?? "",
      {
        rows: numberAt(columns, "rows", row),
        named: numberAt(columns, "named", row),
        symbols: numberAt(columns, "symbols", row),
        bounds: boundsAt(columns, row),
        dated: numberAt(columns, "dated", row),
        first: dateAt(columns, "first", row),
        last: dateAt(columns, "last", row),
        seemRight: numberAt(columns, "seem_right", row),
      },
    ]),
  );
}

/** A file without rows is in no group of the answer. */
function judge(counts: Counts | undefined, date: string): FileRows | string {
  if (counts === undefined) return { rows: 0, symbols: null };
  const { rows, named, symbols, bounds, dated, first, last } = counts;
  if (first !== date || last !== date) {
    return `it has bars of ${first === last ? (first ?? "no date") : `${first} to ${last}`}, not of ${date} alone`;
  }
  if (dated < rows) return `${rows - dated} of its bars have no date`;
  if (named < rows) return `${rows - named} of its bars have no symbol`;
  if (symbols < rows) return `it has ${rows} bars of ${symbols} symbols: some stand twice`;
  return { rows, symbols: bounds };
}

function numberAt(columns: Columns, name: string, row: number): number {
  const column = columns.get(name);
  return column?.kind === "number" ? (column.values[row] ?? 0) : 0;
}

function boundsAt(columns: Columns, row: number): [string, string] | null {
  const [first, last] = ["first_symbol", "last_symbol"].map((name) => {
    const column = columns.get(name);
    return column?.kind === "text" ? column.dictionary[column.codes[row] ?? -1] : undefined;
  });
  return first === undefined || last === undefined ? null : [first, last];
}

function dateAt(columns: Columns, name: string, row: number): string | undefined {
  const column = columns.get(name);
  if (column?.kind !== "date" || column.nulls?.[row] === 1) return undefined;
  const days = column.values[row];
  return days === undefined ? undefined : fromEpochDays(days);
}
