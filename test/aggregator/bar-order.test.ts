import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { orderBars } from "../../aggregator/bar-order.ts";
import { type Column, type Columns, valueAt } from "../../aggregator/column.ts";

interface Row {
  readonly symbol: string;
  readonly day: number;
  readonly fetched: number;
  readonly batch: number | null;
  readonly close: number;
}

/** Columns that decide after `close`, and before it, here the same in every row. */
const OTHERS = ["open", "high", "low", "adjusted_close", "volume", "dividend", "split_ratio"];

/** @param dictionary the symbols in the order of their codes, which need not be theirs. */
function columnsOf(rows: readonly Row[], dictionary: readonly string[], isDecided = true): Columns {
  const text: Column = {
    kind: "text",
    codes: Int32Array.from(rows, ({ symbol }) => dictionary.indexOf(symbol)),
    dictionary,
  };
  const columns = new Map<string, Column>([
    ["symbol", text],
    ["date", { kind: "date", values: Int32Array.from(rows, ({ day }) => day) }],
    ["close", { kind: "number", values: Float64Array.from(rows, ({ close }) => close) }],
  ]);
  if (!isDecided) return columns;
  const nulls = Uint8Array.from(rows, ({ batch }) => (batch === null ? 1 : 0));
  for (const name of OTHERS) columns.set(name, { kind: "number", values: new Float64Array(rows.length).fill(1) });
  columns.set("fetch_timestamp", { kind: "instant", values: Float64Array.from(rows, ({ fetched }) => fetched) });
  return columns.set("batch_number", {
    kind: "number",
    values: Float64Array.from(rows, ({ batch }) => batch ?? Number.NaN),
    ...(nulls.includes(1) ? { nulls } : {}),
  });
}

function rowsOf(columns: Columns | "undecided"): unknown[] {
  if (columns === "undecided") return ["undecided"];
  const names = ["symbol", "date", "close"].map((name): Column => columns.get(name) ?? { kind: "other", values: [] });
  const length =
    columns.get("close")?.kind === "number" ? (columns.get("date")?.kind === "date" ? lengthOf(columns) : 0) : 0;
  return Array.from({ length }, (_, row) => names.map((column) => valueAt(column, row)));
}

function lengthOf(columns: Columns): number {
  const date = columns.get("date");
  return date?.kind === "date" ? date.values.length : 0;
}

/** The rows in order, each pair once: as fetched last, then of the later batch, one without a batch before any, then of the higher close. */
function sorted(rows: readonly Row[]): unknown[] {
  const best = new Map<string, Row>();
  for (const row of rows) {
    const key = `${row.symbol} ${row.day}`;
    const other = best.get(key);
    const step =
      other === undefined
        ? 1
        : row.fetched - other.fetched || (row.batch ?? -1) - (other.batch ?? -1) || row.close - other.close;
    if (step > 0) best.set(key, row);
  }
  return [...best.values()]
    .sort((one, other) => (one.symbol === other.symbol ? one.day - other.day : one.symbol < other.symbol ? -1 : 1))
    .map(({ symbol, day, close }) => [symbol, new Date(day * 86_400_000).toISOString().slice(0, 10), close]);
}

const SYMBOLS = ["XRO", "14D", "BHP", "A2M", "Z1P"];
function someRows(days: fc.Arbitrary<number>): fc.Arbitrary<Row[]> {
  const row = fc.record({
    symbol: fc.constantFrom(...SYMBOLS),
    day: days,
    fetched: fc.nat(2),
    batch: fc.option(fc.nat(2)),
    close: fc.integer({ min: 1, max: 3 }),
  });
  return fc.array(row, { maxLength: 60 });
}

describe("bars are put in order", () => {
  it("as a sort by symbol and date does, each pair once, as fetched last", () => {
    fc.assert(
      fc.property(someRows(fc.integer({ min: -3, max: 20 })), (rows) => {
        expect(rowsOf(orderBars(columnsOf(rows, SYMBOLS)))).toEqual(sorted(rows));
      }),
    );
  });

  it("the same way where the days lie too far apart for a table", () => {
    // Days that are all different make the table of symbols and days larger than it may get.
    const count = 6_000;
    const symbols = Array.from({ length: 12_000 }, (_, at) => `S${String(at).padStart(5, "0")}`);
    const rows = Array.from({ length: 12_000 }, (_, at): Row => {
      const symbol = symbols[(at * 7_919) % symbols.length] ?? "";
      return { symbol, day: (at * 31) % count, fetched: at % 3, batch: at % 5 === 0 ? null : at % 5, close: at };
    });
    const repeated = rows.flatMap((row, at) =>
      at % 10 === 0 ? [row, { ...row, fetched: row.fetched + 1, close: -at }] : [row],
    );
    expect(rowsOf(orderBars(columnsOf(repeated, symbols)))).toEqual(sorted(repeated));
  });

  it("and rows that are in order stay as they are", () => {
    const rows = ["14D", "BHP"].flatMap((symbol) =>
      [1, 2, 3].map((day): Row => ({ symbol, day, fetched: 1, batch: 0, close: day })),
    );
    const columns = columnsOf(rows, ["14D", "BHP"]);
    const ordered = orderBars(columns);
    expect(ordered === "undecided" ? undefined : ordered.get("close")).toBe(columns.get("close"));
  });

  it("but not without what decides, where a pair stands twice", () => {
    const bhp = { symbol: "BHP", fetched: 1, batch: 0, close: 1 };
    const twice = [
      { ...bhp, day: 2 },
      { ...bhp, day: 1 },
      { ...bhp, day: 2 },
    ];
    expect(orderBars(columnsOf(twice, SYMBOLS, false))).toBe("undecided");
    expect(rowsOf(orderBars(columnsOf(twice.slice(1), SYMBOLS, false)))).toHaveLength(2);
  });

  it("and none are none", () => {
    expect(rowsOf(orderBars(columnsOf([], SYMBOLS)))).toEqual([]);
  });
});
