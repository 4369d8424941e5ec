import { markFormula } from "../domain/formula-text.ts";
import { fromEpochDays } from "../domain/trading-date.ts";
import { type Column, type Columns, rowCount } from "./column.ts";
import { otherText } from "./table-rows.ts";

/** Rows of one piece of text: few enough to stay small, enough for the pieces not to count. */
const BLOCK = 512;

/** Prices have up to four decimals, most of them: what stands behind the point for each ten-thousandth. */
const FRACTIONS = Array.from({ length: 10_000 }, (_, fraction) =>
  fraction === 0 ? "" : `.${String(fraction).padStart(4, "0").replace(/0+$/, "")}`,
);

/**
 * Quoted: what RFC 4180 says, further control characters, marked texts, a byte order mark, which a reader would drop,
 * and the empty text, which is no null.
 */
const QUOTED = /^$|^'|[",\p{Cc}\uFEFF]/u;

/** Text of one cell. */
type Cell = (row: number) => string;

/**
 * The columns as CSV (RFC 4180, lines end with a line feed), a header of their names first, in pieces of whole lines:
 * a piece at a time goes to a file without the whole text in memory.
 *
 * Numbers have the fewest digits that give the same double, dates are `YYYY-MM-DD`, instants ISO 8601 in UTC with
 * milliseconds and Z, booleans `true` and `false`, lists and structs JSON. Nulls are empty, the empty text is `""`.
 * A text that a spreadsheet would run as a formula begins with an apostrophe, as in the stored lists of symbols:
 * names come from the exchange's directory, and a spreadsheet is where many open a CSV.
 */
export function* csvPieces(columns: Columns): Generator<string> {
  if (columns.size === 0) return;
  yield `${Array.from(columns.keys(), cellOfText).join(",")}\n`;
  const cells = Array.from(columns.values(), cellsOf);
  const length = rowCount(columns);
  for (let start = 0; start < length; start += BLOCK) {
    yield piece(cells, start, Math.min(start + BLOCK, length));
  }
}

/** The lines of some rows: filled column by column and joined once, as adding millions of short texts is slow. */
function piece(cells: readonly Cell[], from: number, to: number): string {
  const width = 2 * cells.length;
  const parts: string[] = new Array((to - from) * width).fill(",");
  cells.forEach((cell, column) => {
    for (let row = from, at = 2 * column; row < to; row++, at += width) parts[at] = cell(row);
  });
  for (let at = width - 1; at < parts.length; at += width) parts[at] = "\n";
  // A line of nothing is no row to most readers.
  if (cells.length === 1) for (let at = 0; at < parts.length; at += 2) parts[at] ||= '""';
  return parts.join("");
}

function cellOfText(text: string): string {
  const marked = markFormula(text);
  return QUOTED.test(marked) ? `"${marked.replaceAll('"', '""')}"` : marked;
}

function cellsOf(column: Column): Cell {
  switch (column.kind) {
    case "text": {
      const { codes } = column;
      const texts = column.dictionary.map(cellOfText);
      return (row) => texts[codes[row] ?? -1] ?? "";
    }
    case "other":
      return (row) => {
        const value = column.values[row] ?? null;
        return value === null ? "" : cellOfText(otherText(value));
      };
    case "date": {
      const { values } = column;
      return unlessNull(column.nulls, (row) => fromEpochDays(values[row] ?? Number.NaN));
    }
    case "instant": {
      const { values } = column;
      return unlessNull(column.nulls, (row) => instantText(values[row] ?? Number.NaN));
    }
    case "boolean": {
      const { values } = column;
      return unlessNull(column.nulls, (row) => (values[row] === 1 ? "true" : "false"));
    }
    case "bigint": {
      const { values } = column;
      return unlessNull(column.nulls, (row) => `${values[row]}`);
    }
    case "number": {
      const { values } = column;
      return unlessNull(column.nulls, (row) => numberText(values[row] ?? Number.NaN));
    }
  }
}

/**
 * `String(value)`, several times as fast for whole numbers and prices: a decimal of up to nine digits that gives the
 * double back is the shortest, as no two of up to fifteen share a double.
 */
function numberText(value: number): string {
  const whole = value | 0;
  if (whole === value) return `${whole}`;
  const scaled = Math.round(value * 10_000);
  if (scaled <= 0 || scaled >= 1e9 || scaled / 10_000 !== value) return `${value}`;
  const units = (scaled / 10_000) | 0;
  return `${units}${FRACTIONS[scaled - units * 10_000]}`;
}

function unlessNull(nulls: Uint8Array | undefined, cell: Cell): Cell {
  return nulls === undefined ? cell : (row) => (nulls[row] === 1 ? "" : cell(row));
}

/** An instant as ISO 8601 in UTC; `Invalid Date` beyond what a Date holds, the years -271821 to 275760. */
export function instantText(epochMs: number): string {
  const date = new Date(epochMs);
  return Number.isNaN(date.getTime()) ? String(date) : date.toISOString();
}
