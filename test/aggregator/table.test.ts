import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { columnsOf } from "../../aggregator/column.ts";
import { numberColumn, textColumn } from "../../aggregator/make-column.ts";
import { Table } from "../../aggregator/table.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import { columnsOfKnown, type KnownColumn, knownColumns, lengthOfKnown } from "./any-columns.ts";

const closes = numberColumn([44.3, null, 119.4]);
const table = new Table(
  columnsOf([
    ["symbol", textColumn(["BHP", "BHP", "CBA"])],
    ["close", closes],
    ["shares", { kind: "bigint", values: BigInt64Array.of(1n, 2n ** 60n, 3n), nulls: Uint8Array.of(0, 0, 1) }],
    ["at", { kind: "instant", values: Float64Array.of(0, 1, 2) }],
  ]),
);

/** The rows as a test knows them: every name an own property, whatever it means to JavaScript. */
function rowsOfKnown(known: ReadonlyMap<string, KnownColumn>): object[] {
  return Array.from({ length: lengthOfKnown(known) }, (_, row) =>
    Object.fromEntries(Array.from(known, ([name, { values }]) => [name, values[row]])),
  );
}

describe("a table", () => {
  it("knows its columns and its length", () => {
    expect(table.length).toBe(3);
    expect(table.names).toEqual(["symbol", "close", "shares", "at"]);
    expect(table.column("close")).toBe(closes);
    expect(new Table(new Map()).length).toBe(0);
  });

  it("refuses columns of two lengths", () => {
    expect(() => new Table(new Map([...table.columns, ["x", numberColumn([1])]]))).toThrow(InvalidInputError);
  });

  it("names the columns there are where one is not", () => {
    expect(() => table.column("price")).toThrow(
      new InvalidInputError('there is no column "price"; there are: symbol, close, shares, at'),
    );
  });

  it("gives the numbers of a column without a copy, where they are doubles", () => {
    expect(closes.kind === "number" && table.numbers("close") === closes.values).toBe(true);
    expect(table.numbers("at")).toEqual(Float64Array.of(0, 1, 2));
    expect(table.numbers("shares")).toEqual(Float64Array.of(1, 2 ** 60, Number.NaN));
    expect(() => table.numbers("symbol")).toThrow('column "symbol" has no numbers but text');
  });

  it("gives the values of a column, and which are null", () => {
    expect(table.values("close")).toEqual([44.3, null, 119.4]);
    expect([0, 1, 2].map((row) => table.isNull("close", row))).toEqual([false, true, false]);
  });

  it.each([-1, 3, 0.5, Number.NaN])("has no row %d of three", (row) => {
    expect(() => table.row(row)).toThrow(`row ${row} does not exist: 3 rows are counted from 0`);
    expect(() => table.isNull("close", row)).toThrow(InvalidInputError);
  });

  it("gives the same rows one by one, in a loop and all at once, whatever it holds", () => {
    fc.assert(
      fc.property(knownColumns(), (known) => {
        const of = new Table(columnsOfKnown(known));
        const expected = rowsOfKnown(known);
        expect(of.toRows()).toEqual(expected);
        expect([...of]).toEqual(expected);
        expect(expected.map((_, row) => of.row(row))).toEqual(expected);
        expect(of.toRows().map((row) => Object.getPrototypeOf(row))).toEqual(expected.map(() => Object.prototype));
      }),
      { numRuns: 300 },
    );
  });

  it("gives rows beyond those made at once", () => {
    const numbers = Array.from({ length: 3_000 }, (_, row) => row);
    const long = new Table(columnsOf([["x", numberColumn(numbers)]]));
    expect(long.toRows()).toEqual(numbers.map((x) => ({ x })));
    expect(Array.from(long)).toEqual(long.toRows());
  });

  it("gives rows that can be changed without changing another", () => {
    const [first, second] = table.toRows();
    Object.assign(first ?? {}, { close: 0 });
    expect(second?.["close"]).toBe(null);
    expect(table.row(0)["close"]).toBe(44.3);
  });

  it("slices as an array does", () => {
    const bound = fc.option(fc.integer({ min: -40, max: 40 }), { nil: undefined });
    fc.assert(
      fc.property(knownColumns(), bound, bound, (known, from, to) => {
        const of = new Table(columnsOfKnown(known));
        expect(of.slice(from, to).toRows()).toEqual(of.toRows().slice(from, to));
      }),
    );
  });

  it("has a head of ten rows, or as many as asked for and there are", () => {
    const long = new Table(columnsOf([["x", numberColumn(Array.from({ length: 30 }, (_, row) => row))]]));
    expect(long.head().values("x")).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(table.head(2).length).toBe(2);
    expect(table.head(50).length).toBe(3);
    expect(table.head(0).length).toBe(0);
    expect(() => table.head(-1)).toThrow("-1 is no count of rows; give a whole number from 0");
    expect(() => table.head(1.5)).toThrow(InvalidInputError);
  });

  it("is its rows in JSON, with integers that JSON cannot hold as text", () => {
    const list = { kind: "other", values: [[1n, 2], null, { a: 1 }] } as const;
    const json = JSON.parse(JSON.stringify(new Table(columnsOf([...table.columns, ["list", list]]))));
    expect(json).toEqual([
      { symbol: "BHP", close: 44.3, shares: "1", at: "1970-01-01T00:00:00.000Z", list: ["1", 2] },
      { symbol: "BHP", close: null, shares: "1152921504606846976", at: "1970-01-01T00:00:00.001Z", list: null },
      { symbol: "CBA", close: 119.4, shares: null, at: "1970-01-01T00:00:00.002Z", list: { a: 1 } },
    ]);
  });
});
