import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { columnsOf } from "../../aggregator/column.ts";
import { numberColumn, textColumn } from "../../aggregator/make-column.ts";
import { Table } from "../../aggregator/table.ts";

function describeNumbers(numbers: readonly (number | null)[]): Record<string, unknown> {
  return new Table(columnsOf([["x", numberColumn(numbers)]])).describe().row(0);
}

describe("the statistics of a table", () => {
  it("are one row for every column of numbers", () => {
    const table = new Table(
      columnsOf([
        ["symbol", textColumn(["BHP", "CBA", "BHP", "CBA"])],
        ["close", numberColumn([4, 1, null, 2])],
        ["shares", { kind: "bigint", values: BigInt64Array.of(2n, 4n, 4n, 6n) }],
      ]),
    );
    // Quartiles and deviations as numpy.percentile(x, q) and numpy.std(x, ddof=1) define them, worked out by hand.
    expect(table.describe().toRows()).toEqual([
      {
        column: "close",
        count: 3,
        nulls: 1,
        mean: 7 / 3,
        standard_deviation: expect.closeTo(Math.sqrt(7 / 3), 12),
        minimum: 1,
        quartile_25: 1.5,
        quartile_50: 2,
        quartile_75: 3,
        maximum: 4,
      },
      {
        column: "shares",
        count: 4,
        nulls: 0,
        mean: 4,
        standard_deviation: expect.closeTo(Math.sqrt(8 / 3), 12),
        minimum: 2,
        quartile_25: 3.5,
        quartile_50: 4,
        quartile_75: 4.5,
        maximum: 6,
      },
    ]);
  });

  it("are null where there is no number, and there is none for a table without numbers", () => {
    const nothing = { mean: null, standard_deviation: null, minimum: null, quartile_50: null, maximum: null };
    expect(describeNumbers([])).toMatchObject({ count: 0, nulls: 0, ...nothing });
    expect(describeNumbers([null, null])).toMatchObject({ count: 0, nulls: 2, ...nothing });
    expect(new Table(columnsOf([["a", textColumn(["x"])]])).describe().length).toBe(0);
    expect(new Table(new Map()).describe().length).toBe(0);
  });

  it("have no deviation of one number", () => {
    expect(describeNumbers([7])).toMatchObject({ mean: 7, standard_deviation: null, quartile_25: 7, maximum: 7 });
  });

  it("leave NaN out and keep infinities", () => {
    expect(describeNumbers([1, Number.NaN, 3])).toMatchObject({ count: 2, nulls: 0, mean: 2, maximum: 3 });
    expect(describeNumbers([1, Number.POSITIVE_INFINITY])).toMatchObject({
      count: 2,
      mean: Number.POSITIVE_INFINITY,
      minimum: 1,
    });
  });

  it("do not drift where numbers are large and close to each other", () => {
    const numbers = Array.from({ length: 10_000 }, (_, row) => 1e15 + (row % 2));
    expect(describeNumbers(numbers)).toMatchObject({ mean: 1e15 + 0.5, standard_deviation: expect.closeTo(0.5, 4) });
  });

  it("hold for any numbers: as many below the median as above it", () => {
    const numbers = fc.array(fc.option(fc.integer({ min: -1000, max: 1000 })), { minLength: 1 });
    fc.assert(
      fc.property(numbers, (values) => {
        const known = values.filter((value) => value !== null);
        const { count, nulls, quartile_50: median } = describeNumbers(values);
        expect([count, nulls]).toEqual([known.length, values.length - known.length]);
        const middle = typeof median === "number" ? median : Number.NaN;
        expect(Number.isNaN(middle)).toBe(known.length === 0);
        expect(known.filter((value) => value < middle).length).toBeLessThanOrEqual(known.length / 2);
        expect(known.filter((value) => value > middle).length).toBeLessThanOrEqual(known.length / 2);
      }),
    );
  });

  it("leave the table as it was", () => {
    const table = new Table(columnsOf([["x", numberColumn([3, 1, 2])]]));
    table.describe();
    expect(table.values("x")).toEqual([3, 1, 2]);
  });
});
