import { type BarColumnName, type BarRow, Bars } from "../../aggregator/bars.ts";
import { columnsOf } from "../../aggregator/column.ts";
import { Coverage } from "../../aggregator/coverage.ts";
import { numberColumn, textColumn } from "../../aggregator/make-column.ts";
import { toEpochDays } from "../../domain/trading-date.ts";

/** Bars of rows that a test writes out, in order of symbol and date, with an empty coverage. */
export function barsOfRows(rows: readonly BarRow[]): Bars {
  const numbers = (name: Exclude<BarColumnName, "symbol" | "date" | "fetch_timestamp">) =>
    numberColumn(rows.map((row) => row[name]));
  return new Bars(
    columnsOf([
      ["symbol", textColumn(rows.map(({ symbol }) => symbol))],
      ["date", { kind: "date", values: Int32Array.from(rows, ({ date }) => toEpochDays(date)) }],
      ["open", numbers("open")],
      ["high", numbers("high")],
      ["low", numbers("low")],
      ["close", numbers("close")],
      ["adjusted_close", numbers("adjusted_close")],
      ["volume", numbers("volume")],
      ["dividend", numbers("dividend")],
      ["split_ratio", numbers("split_ratio")],
      ["fetch_timestamp", { kind: "instant", values: Float64Array.from(rows, (row) => row.fetch_timestamp.getTime()) }],
      ["batch_number", numbers("batch_number")],
    ]),
    new Coverage({ from: null, to: null, days: [] }),
  );
}
