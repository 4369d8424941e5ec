import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Column,
  columnLength,
  columnsOf,
  isNullAt,
  sliceColumn,
  takeRows,
  valueAt,
} from "../../aggregator/column.ts";
import { numberColumn, textColumn } from "../../aggregator/make-column.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import { knownColumn } from "./any-columns.ts";

function valuesOf(column: Column): unknown[] {
  return Array.from({ length: columnLength(column) }, (_, row) => valueAt(column, row));
}

describe("a column", () => {
  it("gives back every value and every null", () => {
    fc.assert(
      fc.property(knownColumn(), ({ values, column }) => {
        expect(columnLength(column)).toBe(values.length);
        expect(valuesOf(column)).toEqual(values);
        expect(values.map((_, row) => isNullAt(column, row))).toEqual(values.map((value) => value === null));
      }),
    );
  });

  it("gives a date as text and an instant as Date, in no zone but UTC", () => {
    expect(valueAt({ kind: "date", values: Int32Array.of(19_874) }, 0)).toBe("2024-05-31");
    const instant = valueAt({ kind: "instant", values: Float64Array.of(1_717_148_400_123) }, 0);
    expect(instant).toEqual(new Date("2024-05-31T09:40:00.123Z"));
  });

  it("tells NaN from null", () => {
    const column: Column = {
      kind: "number",
      values: Float64Array.of(Number.NaN, Number.NaN),
      nulls: Uint8Array.of(0, 1),
    };
    expect(valuesOf(column)).toEqual([Number.NaN, null]);
  });

  it("slices as an array does", () => {
    const bound = fc.integer({ min: -40, max: 40 });
    fc.assert(
      fc.property(knownColumn(), bound, bound, ({ values, column }, from, to) => {
        expect(valuesOf(sliceColumn(column, from, to))).toEqual(values.slice(from, to));
      }),
    );
  });

  it("slices without a copy", () => {
    const values = Float64Array.of(1, 2, 3);
    const slice = sliceColumn({ kind: "number", values }, 1, 3);
    expect(slice.kind === "number" && slice.values.buffer === values.buffer).toBe(true);
  });

  it("takes any rows in any order, more than once", () => {
    fc.assert(
      fc.property(knownColumn(), fc.array(fc.nat()), ({ values, column }, picks) => {
        const rows = values.length === 0 ? [] : picks.map((pick) => pick % values.length);
        expect(valuesOf(takeRows(column, Int32Array.from(rows)))).toEqual(rows.map((row) => values[row]));
      }),
    );
  });

  it.each([-1, 3])("takes no row %i of three", (row) => {
    expect(() => takeRows(numberColumn([1, 2, 3]), Int32Array.of(row))).toThrow(InvalidInputError);
  });
});

describe("columns made of values", () => {
  it("keep a text once", () => {
    expect(textColumn(["BHP", null, "CBA", "BHP"])).toEqual({
      kind: "text",
      codes: Int32Array.of(0, -1, 1, 0),
      dictionary: ["BHP", "CBA"],
    });
  });

  it("mark null numbers", () => {
    expect(valuesOf(numberColumn([1.5, null]))).toEqual([1.5, null]);
    expect(numberColumn([1.5])).toEqual({ kind: "number", values: Float64Array.of(1.5) });
  });
});

describe("columns by name", () => {
  it("keep their order", () => {
    const columns = columnsOf([
      ["b", numberColumn([1])],
      ["1", numberColumn([2])],
      ["a", numberColumn([3])],
    ]);
    expect([...columns.keys()]).toEqual(["b", "1", "a"]);
  });

  it("refuse one name twice, and say what to write", () => {
    const make = () =>
      columnsOf([
        ["close", numberColumn([1])],
        ["close", numberColumn([2])],
      ]);
    expect(make).toThrow(InvalidInputError);
    expect(make).toThrow('two columns are named "close"; give one of them another name with "as"');
  });

  it("refuse two lengths", () => {
    const make = () =>
      columnsOf([
        ["open", numberColumn([1])],
        ["close", numberColumn([1, 2])],
      ]);
    expect(make).toThrow('column "close" has 2 rows, the first column 1');
  });
});
