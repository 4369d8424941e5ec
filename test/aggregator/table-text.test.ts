import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { columnsOf } from "../../aggregator/column.ts";
import { numberColumn, textColumn } from "../../aggregator/make-column.ts";
import { Table } from "../../aggregator/table.ts";
import { columnsOfKnown, knownColumns } from "./any-columns.ts";

function counting(columns: number, rows: number): Table {
  const entries = Array.from({ length: columns }, (_, column) => {
    return [`column_${column}`, numberColumn(Array.from({ length: rows }, (_, row) => row * column))] as const;
  });
  return new Table(columnsOf(entries));
}

describe("a table as text", () => {
  const table = new Table(
    columnsOf([
      ["symbol", textColumn(["BHP", "CBA", null])],
      ["date", { kind: "date", values: Int32Array.of(19_874, 19_874, 19_874) }],
      ["close", numberColumn([44.51, 119, -0.5])],
      ["adjusted_close", numberColumn([0.1 + 0.2, null, 42.1012306])],
      ["volume", numberColumn([18_577_219, 0, 2 ** 53 - 1])],
      ["fetch_timestamp", { kind: "instant", values: Float64Array.of(0, 1, 1_717_148_400_123) }],
      ["listed", { kind: "boolean", values: Uint8Array.of(1, 0, 1) }],
      ["closes", { kind: "other", values: [[1, 2n], "1.50", null] }],
    ]),
  );

  it("has heads, numbers at the right with their points below each other, nulls, and its size", () => {
    expect(String(table)).toBe(
      [
        "symbol  date         close  adjusted_close            volume  fetch_timestamp           listed  closes",
        'BHP     2024-05-31   44.51       0.3000000          18577219  1970-01-01T00:00:00.000Z  true    [1,"2"]',
        "CBA     2024-05-31  119.00            null                 0  1970-01-01T00:00:00.001Z  false   1.50",
        "null    2024-05-31   -0.50      42.1012306  9007199254740991  2024-05-31T09:40:00.123Z  true    null",
        "",
        "3 rows x 8 columns",
      ].join("\n"),
    );
  });

  it("is what a console shows, with nulls in grey", () => {
    expect(inspect(table, { breakLength: 120 })).toBe(String(table));
    const grey = "\u001b[90mnull\u001b[39m";
    expect(inspect(table, { breakLength: 120, colors: true }).replaceAll(grey, "null")).toBe(String(table));
    expect(inspect(table, { breakLength: 120, colors: true })).toContain(`${grey}    2024-05-31`);
  });

  it("shows the first ten rows and the last ten", () => {
    const lines = String(counting(2, 1_234)).split("\n");
    expect(lines).toHaveLength(24);
    expect(lines[10]).toMatch(/ 9$/);
    expect(lines[11]).toMatch(/^ +… +…$/);
    expect(lines[12]).toMatch(/ 1224$/);
    expect(lines[21]).toMatch(/ 1233$/);
    expect(lines.at(-1)).toBe("1,234 rows x 2 columns");
    expect(String(counting(2, 20)).split("\n")).toHaveLength(23);
  });

  it("leaves out columns before the last that do not fit the line", () => {
    const lines = inspect(counting(30, 2), { breakLength: 60 }).split("\n");
    expect(lines[0]).toBe("column_0  column_1  column_2  column_3  …  column_29");
    expect(lines.at(-1)).toBe("2 rows x 30 columns");
    expect(inspect(counting(30, 2), { breakLength: 52 }).split("\n")[0]).toBe(lines[0]);
    expect(inspect(counting(30, 2), { breakLength: 51 })).not.toContain("column_3 ");
    expect(inspect(counting(30, 2), { breakLength: Number.POSITIVE_INFINITY })).not.toContain("…");
  });

  it("has no line longer than asked for, where three columns fit", () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 40 }), fc.integer({ min: 30, max: 200 }), (columns, breakLength) => {
        const lines = inspect(counting(columns, 3), { breakLength }).split("\n");
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(breakLength);
      }),
    );
  });

  it("shows a table of no rows, of no columns, and of one of each", () => {
    expect(String(new Table(columnsOf([["close", numberColumn([])]])))).toBe("close\n\n0 rows x 1 column");
    expect(String(new Table(new Map()))).toBe("0 rows x 0 columns");
    expect(String(counting(1, 1))).toBe("column_0\n       0\n\n1 row x 1 column");
  });

  it("keeps texts of others in their line, and short", () => {
    const text = String(new Table(columnsOf([["na\nme", textColumn([`two\n\u001b[31mlines${"x".repeat(100)}`])]])));
    expect(text).toBe(`na me\ntwo [31mlines${"x".repeat(26)}…\n\n1 row x 1 column`);
  });

  it("can be made of anything", () => {
    fc.assert(
      fc.property(knownColumns(40), (known) => {
        const lines = String(new Table(columnsOfKnown(known))).split("\n");
        expect(lines.at(-1)).toMatch(/^\d+ rows? x \d+ columns?$/);
        expect(lines.length).toBeLessThanOrEqual(24);
      }),
    );
  });
});
