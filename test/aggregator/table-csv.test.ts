import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Column, columnsOf } from "../../aggregator/column.ts";
import { numberColumn, textColumn } from "../../aggregator/make-column.ts";
import { Table } from "../../aggregator/table.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import { unmarkFormula } from "../../domain/formula-text.ts";
import { columnsOfKnown, knownColumns, lengthOfKnown } from "./any-columns.ts";

function csvOf(...columns: [string, Column][]): string {
  return new Table(columnsOf(columns)).toCSV();
}

/** The cells of a CSV: null for an empty one that is not quoted. */
function cellsOf(csv: string): unknown[][] {
  const rows: unknown = parse(csv, {
    cast: (text, { quoting }) => (text === "" && !quoting ? null : unmarkFormula(text)),
  });
  return Array.isArray(rows) ? rows : [];
}

function written(value: unknown): string | null {
  if (value === null) return null;
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? JSON.stringify(value) : String(value);
}

describe("a table as CSV", () => {
  it("has a header, then a line for every row", () => {
    const csv = csvOf(
      ["symbol", textColumn(["BHP", "CBA"])],
      ["date", { kind: "date", values: Int32Array.of(19_873, 19_874) }],
      ["close", numberColumn([44.51, 119.4])],
      ["volume", numberColumn([18_577_219, 0])],
      ["shares", { kind: "bigint", values: BigInt64Array.of(2n ** 60n, -1n) }],
      ["dividend", numberColumn([null, 0.205])],
      ["fetch_timestamp", { kind: "instant", values: Float64Array.of(1_717_148_400_123, 1_717_148_400_000) }],
      ["listed", { kind: "boolean", values: Uint8Array.of(1, 0) }],
      ["closes", { kind: "other", values: [[1, 2], null] }],
    );
    expect(csv).toBe(
      [
        "symbol,date,close,volume,shares,dividend,fetch_timestamp,listed,closes",
        'BHP,2024-05-30,44.51,18577219,1152921504606846976,,2024-05-31T09:40:00.123Z,true,"[1,2]"',
        "CBA,2024-05-31,119.4,0,-1,0.205,2024-05-31T09:40:00.000Z,false,",
        "",
      ].join("\n"),
    );
  });

  it("is its header where there is no row", () => {
    expect(csvOf(["symbol", textColumn([])], ["close", numberColumn([])])).toBe("symbol,close\n");
  });

  it("quotes what would break a line or a cell", () => {
    expect(csvOf(["a", textColumn(['say "no"', "x,y", "two\nlines"])], ["b", numberColumn([1, 2, 3])])).toBe(
      'a,b\n"say ""no""",1\n"x,y",2\n"two\nlines",3\n',
    );
  });

  it("tells null from an empty text, and keeps a row whose only cell is null", () => {
    expect(csvOf(["a", textColumn([null, ""])], ["b", numberColumn([1, 2])])).toBe('a,b\n,1\n"",2\n');
    expect(csvOf(["a", numberColumn([1, null, 3])])).toBe('a\n1\n""\n3\n');
  });

  it.each(["=1+1", "@SUM(A1)", "+61", "-x", "\t=x", "＝1"])(
    "marks the text %j, which a spreadsheet would run",
    (text) => {
      const csv = csvOf(["name", textColumn([text])], ["=2", numberColumn([-1])]);
      expect(cellsOf(csv)).toEqual([
        ["name", "=2"],
        [text, "-1"],
      ]);
      expect(csv).toContain(`'${text}`);
      expect(csv).toContain(`"'=2"\n`);
    },
  );

  it("writes the shortest decimal that gives the number back", () => {
    const numbers = fc.oneof(
      fc.double({ noNaN: true }),
      fc.integer(),
      fc.integer({ min: -2_000_000_000, max: 2_000_000_000 }).map((price) => price / 1e4),
      fc.integer({ min: 0, max: 2_000_000_000 }).map((price) => price / 1e3 + Number.EPSILON),
      fc.float({ noNaN: true }),
    );
    fc.assert(
      fc.property(fc.array(numbers), (values) => {
        const lines = csvOf(["close", numberColumn(values)])
          .trimEnd()
          .split("\n")
          .slice(1);
        expect(lines).toEqual(values.map(String));
      }),
      { numRuns: 1000 },
    );
  });

  it("reads back the same, whatever it holds", () => {
    fc.assert(
      fc.property(knownColumns(), (known) => {
        const names = [...known.keys()];
        // A null alone in its line is written as an empty text, or the row would be lost.
        const empty = known.size === 1 ? "" : null;
        const rows = Array.from({ length: lengthOfKnown(known) }, (_, row) =>
          Array.from(known.values(), ({ values }) => written(values[row]) ?? empty),
        );
        const expected = names.length === 0 ? [] : [names, ...rows];
        expect(cellsOf(new Table(columnsOfKnown(known)).toCSV())).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("comes in pieces of whole lines that make the whole", () => {
    const numbers = Array.from({ length: 2_000 }, (_, row) => row / 8);
    const table = new Table(columnsOf([["x", numberColumn(numbers)]]));
    const pieces = [...table.toCSVPieces()];
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces.every((piece) => piece.endsWith("\n"))).toBe(true);
    expect(pieces.join("")).toBe(table.toCSV());
    expect(table.toCSV()).toBe(`x\n${numbers.join("\n")}\n`);
  });

  it("says what to do where it is longer than a text can be", () => {
    const long = textColumn(Array.from({ length: 600 }, () => "x".repeat(2 ** 20)));
    expect(() => csvOf(["a", long])).toThrow(InvalidInputError);
    expect(() => csvOf(["a", long])).toThrow("600 rows are too many for one text; write toCSVPieces() to a file");
  });
});
