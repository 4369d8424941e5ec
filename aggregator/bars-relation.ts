import { BAR_COLUMNS, type ColumnType } from "../domain/bar-columns.ts";
import type { DateSpan } from "../domain/date-span.ts";
import type { BarColumnName } from "./bars.ts";
import { DECIDING_ORDER } from "./deciding-columns.ts";
import type { ReadPart } from "./read-plan.ts";
import { parquetFiles, sqlText } from "./sql-text.ts";

/** The engine's types of the bar columns. */
const SQL_TYPES: Readonly<Record<ColumnType, string>> = {
  UTF8: "VARCHAR",
  DATE: "DATE",
  DOUBLE: "DOUBLE",
  INT64: "BIGINT",
  INT32: "INTEGER",
  TIMESTAMP_MILLIS: "TIMESTAMP",
};

/** Every column of bars. */
export const BAR_COLUMN_NAMES: readonly BarColumnName[] = BAR_COLUMNS.map(({ name }) => name);

/** A column as a query selects it. */
interface Cell {
  readonly name: BarColumnName;
  /** The engine's type that its values are given in. */
  readonly type: string;
  /** What is made of the stored value; the value itself where there is none. */
  readonly convert?: (value: string) => string;
}

/** A column of numbers as doubles: prices as they are, whole numbers exact up to 2^53, instants in milliseconds since 1970. */
export function plainNumber({ name, type }: (typeof BAR_COLUMNS)[number]): Cell {
  return type === "TIMESTAMP_MILLIS"
    ? { name, type: "DOUBLE", convert: (value) => `epoch_ms(${value}::TIMESTAMP)` }
    : { name, type: "DOUBLE" };
}

/**
 * A query for bars: the named columns of every part, in any order of rows.
 * @param symbols only these; every symbol where undefined.
 */
export function selectBars(
  parts: readonly ReadPart[],
  columns: readonly BarColumnName[],
  symbols?: readonly string[],
): string {
  const cells = BAR_COLUMNS.filter(({ name }) => columns.includes(name)).map(
    ({ name, type }): Cell => ({ name, type: SQL_TYPES[type] }),
  );
  return selectCells(parts, cells, symbols);
}

/** The same for columns in other types. */
export function selectCells(parts: readonly ReadPart[], cells: readonly Cell[], symbols?: readonly string[]): string {
  const nothing = `SELECT ${cells.map(({ name, type }) => `NULL::${type} AS ${name}`).join(", ")} WHERE false`;
  const queries = parts.map((part) => {
    const selected = cells.map(({ name, type, convert }) => {
      const value = part.lacks.includes(name) ? "NULL" : (convert?.(name) ?? name);
      return `(${value})::${type} AS ${name}`;
    });
    const conditions = [...dateConditions(part), ...symbolConditions(symbols)];
    const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
    return `SELECT ${selected.join(", ")} FROM ${parquetFiles(part.paths)}${where}`;
  });
  return queries.length === 0 ? nothing : queries.join("\nUNION ALL ");
}

/** The same, every column, where a symbol may stand twice on a date: the bar that counts by the columns that decide. */
export function selectBarsOnce(parts: readonly ReadPart[]): string {
  return `SELECT * FROM (${selectBars(parts, BAR_COLUMN_NAMES)})
    QUALIFY row_number() OVER (PARTITION BY symbol, date ORDER BY ${DECIDING_ORDER}) = 1`;
}

function dateConditions({ dates }: ReadPart): string[] {
  if (dates === undefined) return [];
  const { except, ...within } = dates;
  const single = except.filter(({ from, to }) => from === to).map(({ from }) => sqlDate(from));
  const spans = except.filter(({ from, to }) => from < to).map(sqlSpan);
  return [
    within.from === within.to ? `date = ${sqlDate(within.from)}` : `date ${sqlSpan(within)}`,
    ...(single.length === 0 ? [] : [`date NOT IN (${single.join(", ")})`]),
    ...spans.map((span) => `date NOT ${span}`),
  ];
}

function symbolConditions(symbols: readonly string[] | undefined): string[] {
  if (symbols === undefined) return [];
  return [symbols.length === 0 ? "false" : `symbol IN (${symbols.map(sqlText).join(", ")})`];
}

function sqlDate(date: string): string {
  return `DATE ${sqlText(date)}`;
}

function sqlSpan({ from, to }: DateSpan): string {
  return `BETWEEN ${sqlDate(from)} AND ${sqlDate(to)}`;
}
