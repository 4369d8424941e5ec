import { type Columns, valueAt } from "./column.ts";

/** Rows are made in blocks: within one, column after column, its rows stay in the processor's cache. */
const BLOCK = 1024;

/** The rows from one (inclusive) to another (exclusive) as plain objects, built column by column. */
export function rowsOf<Row extends object>(columns: Columns, from: number, to: number): Row[];
// What the columns hold is known to the caller, as with JSON.parse: the type of a row is the caller's word.
export function rowsOf(columns: Columns, from: number, to: number): object[] {
  // Each row is a copy of one with all columns: one shape for all, and a column named __proto__ is a column.
  const blank: Record<string, unknown> = Object.fromEntries(Array.from(columns.keys(), (name) => [name, null]));
  const rows: Record<string, unknown>[] = [];
  for (let start = from; start < to; start += BLOCK) {
    const end = Math.min(start + BLOCK, to);
    const block: Record<string, unknown>[] = [];
    for (let row = start; row < end; row++) block.push({ ...blank });
    for (const [name, column] of columns) {
      let row = start;
      for (const target of block) target[name] = valueAt(column, row++);
    }
    for (const row of block) rows.push(row);
  }
  return rows;
}

/** Rows for JSON: like {@link rowsOf}, with bigints as decimal text, as JSON has none that long. */
export function jsonRows(columns: Columns, from: number, to: number): object[] {
  const rows = rowsOf<Record<string, unknown>>(columns, from, to);
  for (const [name, column] of columns) {
    if (column.kind === "bigint") for (const row of rows) row[name] = bigintText(row[name]);
    if (column.kind === "other") for (const row of rows) row[name] = plainJson(row[name]);
  }
  return rows;
}

/** A value of kind "other" as one text: text as it is, the rest as JSON. */
export function otherText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(plainJson(value)) ?? "");
}

function plainJson(value: unknown): unknown {
  const text = JSON.stringify(value, (_, part: unknown) => bigintText(part));
  return text === undefined ? null : JSON.parse(text);
}

function bigintText(value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
