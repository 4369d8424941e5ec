/** Columns of values that JavaScript may have no type for: what fits a typed array is in one, else nothing is rounded. */
import { DuckDBDateValue, type DuckDBDecimalValue, DuckDBTimestampValue } from "@duckdb/node-api";
import { fromEpochDays } from "../domain/trading-date.ts";
import type { Column } from "./column.ts";

/** Which rows are null, where some are. */
interface Marked {
  readonly nulls?: Uint8Array;
}

/** A whole number or a decimal of up to 128 bits. */
export type WideNumber = bigint | DuckDBDecimalValue | null;

/** Days, and milliseconds, from 1970 that a Date reaches. */
const LAST_DAY = 100_000_000;
const LAST_INSTANT = 8.64e15;
/** Days that stand for infinity, and units of time as a double. */
const ENDLESS_DAYS = 2 ** 31 - 1;
const ENDLESS = 2 ** 63;

/** Days since 1970; text as the engine writes it where one is infinite or beyond what a Date reaches. */
export function dateColumn(values: Int32Array, marked: Marked): Column {
  if (!isBeyond(values, LAST_DAY)) return { kind: "date", values, ...marked };
  const texts = Array.from(values, (days, row) => (marked.nulls?.[row] === 1 ? null : dateText(days)));
  return { kind: "other", values: texts };
}

/**
 * Milliseconds since 1970 UTC, NaN where null; text where one is infinite or beyond what a Date reaches.
 * @param millisecondsPerUnit of the type that they were kept in: it says what infinity has become.
 */
export function instantColumn(values: Float64Array, millisecondsPerUnit: number, marked: Marked): Column {
  const end = ENDLESS * millisecondsPerUnit;
  if (!isBeyond(values, Math.min(end, LAST_INSTANT))) return { kind: "instant", values, ...marked };
  return { kind: "other", values: Array.from(values, (instant) => instantText(instant, end)) };
}

/** Doubles where the digits of each are few enough for one, else 64-bit integers where they are enough, else text. */
export function wideNumberColumn(items: readonly WideNumber[]): Column {
  const isExact = items.every((item) => item === null || Number.isSafeInteger(Number(digitsOf(item))));
  const isInt64 = items.every(
    (item) => item === null || (typeof item === "bigint" && BigInt.asIntN(64, item) === item),
  );
  if (!isExact && !isInt64) {
    return { kind: "other", values: items.map((item) => (item === null ? null : String(item))) };
  }
  const marks = Uint8Array.from(items, (item) => (item === null ? 1 : 0));
  const nulls = marks.includes(1) ? { nulls: marks } : {};
  if (!isExact) return { kind: "bigint", values: BigInt64Array.from(items, (item) => digitsOf(item ?? 0n)), ...nulls };
  const values = Float64Array.from(items, (item) => (item === null ? Number.NaN : Number(String(item))));
  return { kind: "number", values, ...nulls };
}

/** The digits of a number without its point. */
function digitsOf(item: bigint | DuckDBDecimalValue): bigint {
  return typeof item === "bigint" ? item : item.value;
}

/** Whether a value is as far from zero as the bound or farther. */
function isBeyond(values: Float64Array | Int32Array, bound: number): boolean {
  for (let row = 0; row < values.length; row += 1) {
    const value = values[row] ?? 0;
    if (value >= bound || value <= -bound) return true;
  }
  return false;
}

function dateText(days: number): string {
  if (Math.abs(days) >= ENDLESS_DAYS) return days > 0 ? "infinity" : "-infinity";
  return Math.abs(days) < LAST_DAY ? fromEpochDays(days) : String(new DuckDBDateValue(days));
}

function instantText(instant: number, end: number): string | null {
  if (Number.isNaN(instant)) return null;
  if (Math.abs(instant) >= end) return instant > 0 ? "infinity" : "-infinity";
  if (Math.abs(instant) < LAST_INSTANT) return new Date(instant).toISOString();
  return String(new DuckDBTimestampValue(BigInt(Math.round(instant)) * 1_000n));
}
