import { isNumeric, shownCells, shownLine } from "../aggregator/cell-text.ts";
import type { Columns } from "../aggregator/index.ts";
import { whole } from "./numbers.ts";

/** How much of a table is shown. */
export interface ColumnTableOptions {
  /** Rows, from the first. */
  readonly rows: number;
  /** Characters in a line; undefined for as many as it takes. */
  readonly width: number | undefined;
  /** Columns of whole numbers that are shown with commas. */
  readonly grouped?: ReadonlySet<string>;
}

/** A table as text, and the columns that found no room in its lines. */
export interface ColumnTable {
  readonly text: string;
  readonly leftOut: readonly string[];
}

/** Rows of a table where no limit is named. */
export const ROWS_SHOWN = 20;

const SPACE = "  ";

/** The first rows of columns, numbers at the right, nulls empty. Columns that do not fit are left out, the last ones. */
export function columnTable(columns: Columns, { rows, width, grouped }: ColumnTableOptions): ColumnTable {
  const positions = Array.from({ length: rows }, (_, row) => row);
  const shown = Array.from(columns, ([name, column]) => {
    const cells = shownCells(column, positions).map((cell) => cell ?? "");
    const texts = grouped?.has(name) === true ? cells.map((cell) => (cell === "" ? cell : whole(Number(cell)))) : cells;
    return { name, lines: aligned([shownLine(name), ...texts], isNumeric(column)) };
  });
  const fitting = shown.slice(0, fittingCount(shown, width));
  const lines = Array.from({ length: rows + 1 }, (_, line) =>
    fitting
      .map(({ lines: cells }) => cells[line] ?? "")
      .join(SPACE)
      .trimEnd(),
  );
  return { text: lines.join("\n"), leftOut: shown.slice(fitting.length).map(({ name }) => shownLine(name)) };
}

function aligned(texts: readonly string[], toTheRight: boolean): string[] {
  const width = texts.reduce((most, { length }) => Math.max(most, length), 0);
  return texts.map((text) => (toTheRight ? text.padStart(width) : text.padEnd(width)));
}

/** At least one column, however narrow the lines are. */
function fittingCount(columns: readonly { readonly lines: readonly string[] }[], width: number | undefined): number {
  if (width === undefined) return columns.length;
  let room = width + SPACE.length;
  const tooFar = columns.findIndex(({ lines }) => {
    room -= (lines[0]?.length ?? 0) + SPACE.length;
    return room < 0;
  });
  return tooFar === -1 ? columns.length : Math.max(1, tooFar);
}
