import { type Bar, checkBar } from "./bar.ts";
import { BAR_COLUMNS } from "./bar-columns.ts";
import { asxSymbol } from "./symbol.ts";

/** A row of a Parquet file by column name: integers as number or bigint, instants in milliseconds, dates as `YYYY-MM-DD`. */
export type StoredRow = Readonly<Record<string, unknown>>;

/**
 * The bar of a stored row. Columns that an older file lacks are null.
 * @throws Error that says what is wrong with the row: no symbol, another date, a broken invariant.
 */
export function barOfRow(row: StoredRow, date: string): Bar {
  const symbol = asxSymbol.parse(row["symbol"]);
  if (row["date"] !== date) throw new Error(`${symbol} has the date ${String(row["date"])}`);
  const fields = Object.fromEntries(BAR_COLUMNS.map(({ name, field }) => [field, plain(row[name])]));
  const check = checkBar({
    symbol,
    date,
    open: fields["open"],
    high: fields["high"],
    low: fields["low"],
    close: fields["close"],
    adjustedClose: fields["adjustedClose"],
    volume: fields["volume"],
    dividend: fields["dividend"],
    splitRatio: fields["splitRatio"],
    fetchTimestamp: fields["fetchTimestamp"],
    batchNumber: fields["batchNumber"],
  });
  if (!check.valid) throw new Error(`${symbol}: ${check.reason}`);
  return check.bar;
}

function plain(value: unknown): unknown {
  if (value === undefined) return null;
  return typeof value === "bigint" ? Number(value) : value;
}
