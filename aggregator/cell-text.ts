import { printable } from "../domain/text.ts";
import { type Column, isNullAt, valueAt } from "./column.ts";
import { instantText } from "./table-csv.ts";
import { otherText } from "./table-rows.ts";

/** Longest text of a cell that is shown, in characters. */
const LONGEST_CELL = 40;

/** Digits shown of a number with decimals: as many as a price has, which is the shortest decimal of 32 bits. */
const DIGITS = 9;

/** The cells of some rows of a column as people read them: one line each, null where the value is. */
export function shownCells(column: Column, rows: readonly number[]): (string | null)[] {
  const texts = rows.map((row) => (isNullAt(column, row) ? null : shownText(column, row)));
  return column.kind === "number" ? alignDecimals(texts) : texts;
}

/** Whether the cells of a column stand at its right. */
export function isNumeric(column: Column): boolean {
  return column.kind === "number" || column.kind === "bigint";
}

/** The first and the last rows, as many as asked for, and where between them some are left out; null where none are. */
export function shownRows(length: number, most: number): { rows: number[]; gapAfter: number | null } {
  const all = Array.from({ length: Math.min(length, most) }, (_, position) => position);
  if (length <= most) return { rows: all, gapAfter: null };
  const first = Math.ceil(most / 2);
  return { rows: all.map((position) => (position < first ? position : length - most + position)), gapAfter: first };
}

/** How large a table is, as `1,234 rows x 7 columns`. */
export function sizeText(rows: number, columns: number): string {
  return `${counted(rows, "row")} x ${counted(columns, "column")}`;
}

/** A count with its noun: `1 row`, `1,234 rows`. */
export function counted(count: number, noun: string): string {
  return `${String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ",")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A text of others in one line, cut where it is long. */
export function shownLine(text: string): string {
  const line = printable(text);
  return line.length > LONGEST_CELL ? `${line.slice(0, LONGEST_CELL - 1)}…` : line;
}

function shownText(column: Column, row: number): string {
  const value = valueAt(column, row);
  if (typeof value === "number") return numberText(value);
  if (value instanceof Date && column.kind === "instant") return instantText(value.getTime());
  return shownLine(column.kind === "other" ? otherText(value) : String(value));
}

function numberText(value: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(DIGITS)));
}

/** With zeros behind, so that the points of a column stand below each other. */
function alignDecimals(texts: readonly (string | null)[]): (string | null)[] {
  const plain = /^-?\d+(?:\.(\d+))?$/;
  const most = Math.max(0, ...texts.map((text) => plain.exec(text ?? "")?.[1]?.length ?? 0));
  return texts.map((text) => {
    const match = plain.exec(text ?? "");
    if (text === null || match === null || most === 0) return text;
    const decimals = match[1] ?? "";
    return `${text}${decimals === "" ? "." : ""}${"0".repeat(most - decimals.length)}`;
  });
}
