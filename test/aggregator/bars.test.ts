import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BarColumnName, type BarRow, Bars } from "../../aggregator/bars.ts";
import { type Column, type Columns, columnsOf } from "../../aggregator/column.ts";
import { Coverage } from "../../aggregator/coverage.ts";
import { numberColumn, textColumn } from "../../aggregator/make-column.ts";
import type { Table } from "../../aggregator/table.ts";
import { BAR_COLUMNS } from "../../domain/bar-columns.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import { fromEpochDays } from "../../domain/trading-date.ts";

const DAY = 19_874;
const complete = new Coverage({
  from: "2024-05-31",
  to: "2024-06-03",
  days: ["2024-05-31", "2024-06-03"].map((date) => ({ date, status: "complete", rows: 2, unfinished: 0 })),
});
const lacking = new Coverage({
  from: "2024-05-31",
  to: "2024-05-31",
  days: [{ date: "2024-05-31", status: "missing", rows: 0, unfinished: 0 }],
});

const columns = columnsOf([
  ["symbol", textColumn(["BHP", "BHP", "CBA"])],
  ["date", { kind: "date", values: Int32Array.of(DAY, DAY + 3, DAY) }],
  ["open", numberColumn([44.3, 44.6, 118])],
  ["high", numberColumn([44.59, 45, 120])],
  ["low", numberColumn([43.95, 44.1, 117.5])],
  ["close", numberColumn([44.51, 44.9, 119.4])],
  ["adjusted_close", numberColumn([42.1, null, 115])],
  ["volume", numberColumn([18_577_219, 0, 2 ** 53 - 1])],
  ["dividend", numberColumn([null, 0.205, null])],
  ["split_ratio", numberColumn([null, null, 0.05])],
  [
    "fetch_timestamp",
    { kind: "instant", values: Float64Array.of(1_717_148_400_123, 1_717_407_600_000, 1_717_148_400_123) },
  ],
  ["batch_number", numberColumn([0, null, 1])],
]);
const bars = new Bars(columns, complete);

function some(...names: BarColumnName[]): Columns {
  return new Map(Array.from(columns).filter(([name]) => names.some((wanted) => wanted === name)));
}

describe("bars", () => {
  it("have a getter for every stored column, which gives its memory", () => {
    const getters: Record<BarColumnName, ArrayLike<unknown>> = {
      symbol: bars.symbolCodes,
      date: bars.date,
      open: bars.open,
      high: bars.high,
      low: bars.low,
      close: bars.close,
      adjusted_close: bars.adjusted_close,
      volume: bars.volume,
      dividend: bars.dividend,
      split_ratio: bars.split_ratio,
      fetch_timestamp: bars.fetch_timestamp,
      batch_number: bars.batch_number,
    };
    expect(Object.keys(getters)).toEqual(BAR_COLUMNS.map(({ name }) => name));
    for (const [name, values] of Object.entries(getters)) {
      const column = columns.get(name);
      expect(values).toBe(column?.kind === "text" ? column.codes : column?.values);
    }
  });

  it("give symbols and dates as text", () => {
    expect(bars.symbol).toEqual(["BHP", "BHP", "CBA"]);
    expect(bars.symbol).toBe(bars.symbol);
    expect(Array.from(bars.symbolCodes, (code) => bars.symbolDictionary[code])).toEqual(bars.symbol);
    expect(bars.symbols).toEqual(["BHP", "CBA"]);
    expect([0, 1, 2].map((row) => bars.dateAt(row))).toEqual(["2024-05-31", "2024-06-03", "2024-05-31"]);
    expect(() => bars.dateAt(3)).toThrow("row 3 does not exist: 3 rows are counted from 0");
  });

  it("have NaN for a number that is null, and say which are", () => {
    expect(bars.dividend).toEqual(Float64Array.of(Number.NaN, 0.205, Number.NaN));
    expect([0, 1, 2].map((row) => bars.isNull("dividend", row))).toEqual([true, false, true]);
  });

  it("give rows by the stored names", () => {
    const rows: BarRow[] = bars.toRows();
    expect(rows[1]).toEqual({
      symbol: "BHP",
      date: "2024-06-03",
      open: 44.6,
      high: 45,
      low: 44.1,
      close: 44.9,
      adjusted_close: null,
      volume: 0,
      dividend: 0.205,
      split_ratio: null,
      fetch_timestamp: new Date("2024-06-03T09:40:00.000Z"),
      batch_number: null,
    });
    expect(rows[2]?.volume).toBe(2 ** 53 - 1);
  });

  it("say of a column that was not loaded how to load it", () => {
    const loaded = new Bars<"symbol" | "close">(some("symbol", "close"), complete);
    const rows: { symbol: string; close: number }[] = loaded.toRows();
    expect(rows[0]).toEqual({ symbol: "BHP", close: 44.51 });
    const message = "column volume was not loaded; name it in the option columns, or leave the option out to load all";
    expect(() => loaded.volume).toThrow(new InvalidInputError(message));
    expect(() => loaded.dateAt(0)).toThrow("column date was not loaded");
    expect(loaded.of("BHP").close).toEqual(Float64Array.of(44.51, 44.9));
  });

  it("refuse a column of another kind", () => {
    const wrong: [string, Column] = ["close", textColumn(["1", "2", "3"])];
    expect(() => new Bars(new Map([...columns, wrong]), complete)).toThrow(
      "column close of bars has to be of kind number, not text",
    );
  });

  it("stay bars when they are sliced", () => {
    expect(bars.slice(1).symbols).toEqual(["BHP", "CBA"]);
    expect(bars.slice(2).symbol).toEqual(["CBA"]);
    expect(bars.head(1).close).toEqual(Float64Array.of(44.51));
    expect(bars.head().coverage).toBe(complete);
    // A function that takes any table takes bars.
    const count = (table: Table): number => table.length + table.describe().length;
    expect(count(bars)).toBe(3 + 9);
    expect(count(complete.toTable())).toBe(2 + 2);
  });

  it("say below their table what is lacking, and nothing where nothing is", () => {
    expect(String(bars).split("\n").at(-1)).toBe("3 rows x 12 columns");
    expect(bars.toHTML()).not.toContain("trading day");
    const none = new Bars(columns, lacking).slice(0, 0);
    const sentence = "2024-05-31: 1 trading day, 0 complete, 1 missing (2024-05-31)";
    expect(String(none).split("\n").slice(-2)).toEqual(["0 rows x 12 columns", sentence]);
    expect(none.toHTML()).toContain(`<p>${sentence}</p>`);
  });
});

describe("the bars of one symbol", () => {
  it("are a view of the loaded ones, without a copy", () => {
    const bhp = bars.of("BHP");
    expect(bhp.close).toEqual(Float64Array.of(44.51, 44.9));
    expect(bhp.close.buffer).toBe(bars.close.buffer);
    expect(bhp.symbols).toEqual(["BHP"]);
    expect(bars.of("cba").toRows()).toEqual([bars.row(2)]);
  });

  it("are none where the symbol has none", () => {
    expect(bars.of("ZZZ").length).toBe(0);
    expect(bars.head(1).of("CBA").length).toBe(0);
  });

  it.each(["", "BHP.AX", "B", "not a code"])("are not asked for by %j", (text) => {
    expect(() => bars.of(text)).toThrow(InvalidInputError);
  });

  it("are those a filter finds, in order of date, whatever the order of the rows", () => {
    const row = fc.record({ symbol: fc.constantFrom("AAA", "BBB", "CCC", null), day: fc.integer({ min: 0, max: 9 }) });
    fc.assert(
      fc.property(fc.array(row), fc.boolean(), (rows, sorted) => {
        const inOrder = sorted
          ? rows.toSorted((a, b) => (a.symbol ?? "").localeCompare(b.symbol ?? "") || a.day - b.day)
          : rows;
        const loaded = new Bars<"symbol" | "date" | "close">(
          columnsOf([
            ["symbol", textColumn(inOrder.map(({ symbol }) => symbol))],
            ["date", { kind: "date", values: Int32Array.from(inOrder, ({ day }) => day) }],
            ["close", numberColumn(inOrder.map((_, position) => position))],
          ]),
          complete,
        );
        for (const symbol of ["AAA", "BBB", "CCC"]) {
          const expected = inOrder
            .map(({ symbol: of, day }, close) => ({ symbol: of, day, close }))
            .filter((found) => found.symbol === symbol)
            .sort((a, b) => a.day - b.day)
            .map(({ day, close }) => ({ symbol, date: fromEpochDays(day), close }));
          expect(loaded.of(symbol).toRows()).toEqual(expected);
        }
        const present = new Set(inOrder.map(({ symbol }) => symbol).filter((symbol) => symbol !== null));
        expect(loaded.symbols).toEqual([...present]);
      }),
    );
  });
});
