import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import type { Table } from "../aggregator/index.ts";
import { type ColumnTable, type ColumnTableOptions, columnTable } from "./column-table.ts";
import { whole } from "./numbers.ts";
import { type Terminal, writeLine } from "./terminal.ts";

/** What is to be said of rows that are printed as a table. */
export interface ShownTable extends ColumnTableOptions {
  /** What a row is, in the plural. */
  readonly noun: string;
  /** How to see the columns that are left out. */
  readonly remedy: string;
}

/** Rows of one piece of text. */
const BLOCK = 1024;

/** The rows as a JSON array, a line each, in pieces: the whole text need not fit in memory. */
export function* jsonPieces(table: Table<object>): Generator<string> {
  for (let from = 0; from < table.length; from += BLOCK) {
    const rows = table.slice(from, from + BLOCK).toJSON();
    yield `${from === 0 ? "[" : ",\n"}${rows.map((row) => JSON.stringify(row)).join(",\n")}`;
  }
  yield table.length === 0 ? "[]\n" : "]\n";
}

/** Writes pieces as fast as their reader takes them, with a breath after each, in which Ctrl-C is heard. */
export async function writePieces(stream: NodeJS.WritableStream, pieces: Iterable<string>): Promise<void> {
  for (const piece of pieces) {
    if (stream.write(piece)) await setImmediate();
    else await once(stream, "drain");
  }
}

/** Prints rows as a table, and below it what is left out. */
export function printTable(table: Table<object>, shown: ShownTable, { stdout }: Pick<Terminal, "stdout">): void {
  const rows = Math.min(shown.rows, table.length);
  const { text, leftOut }: ColumnTable = columnTable(table.columns, { ...shown, rows });
  writeLine(stdout, text);
  const { noun, remedy } = shown;
  if (rows < table.length) writeLine(stdout, `(${whole(rows)} of ${whole(table.length)} ${noun}; --limit shows more)`);
  if (leftOut.length > 0) writeLine(stdout, `(no room for ${leftOut.join(", ")}; ${remedy})`);
}
