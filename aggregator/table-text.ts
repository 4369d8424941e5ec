import { isNumeric, shownCells, shownLine, shownRows, sizeText } from "./cell-text.ts";
import { type Column, type Columns, rowCount } from "./column.ts";

/** The method by which Node and Deno ask how an object is shown in a console. */
export const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom");

/** What a console says of itself: of the options of `util.inspect`, those a table uses. */
export interface InspectOptions {
  /** Characters a line may have. */
  readonly breakLength?: number | undefined;
  /** Gives a text the console's colours for a kind of value. */
  readonly stylize?: ((text: string, style: typeof DIM) => string) | undefined;
}

/** Characters of a line where nobody says how many there are. */
const WIDTH = 120;

const MOST_ROWS = 20;
const SPACE = "  ";
const GAP = "…";
const NULL = "null";

/** Node has a style for null, bold; this one is grey. */
const DIM = "undefined";

/** A column as it is shown: its head, its cells, all as wide. */
interface ShownColumn {
  readonly width: number;
  readonly lines: readonly string[];
}

/**
 * A table for a console: heads, at most 20 rows (the first ten and the last ten), numbers at the right, and how large
 * the table is. Columns before the last that do not fit the width become one `…`.
 */
export function tableText(columns: Columns, options: InspectOptions = {}): string {
  const length = rowCount(columns);
  const size = sizeText(length, columns.size);
  if (columns.size === 0) return size;
  const { rows, gapAfter } = shownRows(length, MOST_ROWS);
  const style = options.stylize ?? ((text: string) => text);
  const shown = Array.from(columns, ([name, column]) =>
    shownColumn(name, column, shownCells(column, rows), gapAfter, (text) => style(text, DIM)),
  );
  const fitting = columnsThatFit(shown, options.breakLength ?? WIDTH);
  const lineCount = fitting[0]?.lines.length ?? 0;
  const lines = Array.from({ length: lineCount }, (_, line) =>
    fitting
      .map(({ lines: cells }) => cells[line] ?? "")
      .join(SPACE)
      .trimEnd(),
  );
  return [...lines, "", size].join("\n");
}

function shownColumn(
  name: string,
  column: Column,
  cells: readonly (string | null)[],
  gapAfter: number | null,
  dim: (text: string) => string,
): ShownColumn {
  const head = shownLine(name);
  const width = Math.max(head.length, ...cells.map((cell) => (cell ?? NULL).length));
  const pad = (text: string): string => (isNumeric(column) ? text.padStart(width) : text.padEnd(width));
  // Dimmed after it was measured: the marks that colour a text have no width.
  const lines = cells.map((cell) => (cell === null ? pad(NULL).replace(NULL, dim) : pad(cell)));
  if (gapAfter !== null) lines.splice(gapAfter, 0, pad(GAP));
  return { width, lines: [pad(head), ...lines] };
}

/** Of the columns those that fit: the first and the last always, then from the left, where tables have what matters. */
function columnsThatFit(columns: readonly ShownColumn[], width: number): readonly ShownColumn[] {
  const total = columns.reduce((sum, column) => sum + column.width + SPACE.length, -SPACE.length);
  const [first, ...others] = columns;
  const last = others.pop();
  if (total <= width || first === undefined || last === undefined || others.length === 0) return columns;
  let room = width - first.width - last.width - GAP.length - 2 * SPACE.length;
  const tooFar = others.findIndex((column) => {
    room -= column.width + SPACE.length;
    return room < 0;
  });
  const gap = { width: GAP.length, lines: first.lines.map(() => GAP) };
  return [first, ...others.slice(0, tooFar), gap, last];
}
