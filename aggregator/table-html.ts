import { isNumeric, shownCells, shownLine, shownRows, sizeText } from "./cell-text.ts";
import { type Columns, rowCount } from "./column.ts";

/**
 * The method by which Deno's Jupyter kernel asks how an object is shown. tslab (1.0.22) does not know it and prints the
 * text of a console; there `tslab.display.html(table.toHTML())` shows the table.
 */
export const JUPYTER_DISPLAY: unique symbol = Symbol.for("Jupyter.display");

/** What a notebook shows, in the forms it chooses from. */
export interface DisplayBundle {
  readonly "text/plain": string;
  readonly "text/html": string;
}

const MOST_ROWS = 50;
const RIGHT = ' style="text-align: right"';

/** A table for a notebook: at most 50 rows, the first and the last 25, and how large the table is. */
export function tableHtml(columns: Columns): string {
  const length = rowCount(columns);
  const { rows, gapAfter } = shownRows(length, MOST_ROWS);
  const cells = Array.from(columns.values(), (column) => ({
    align: isNumeric(column) ? RIGHT : ' style="text-align: left"',
    texts: shownCells(column, rows),
  }));
  const names = Array.from(columns.keys());
  const head = names.map((name, at) => `<th${cells[at]?.align ?? ""}>${escapeHtml(shownLine(name))}</th>`).join("");
  const lines = rows.map(
    (_, line) => `<tr>${cells.map(({ align, texts }) => htmlCell(texts[line] ?? null, align)).join("")}</tr>`,
  );
  if (gapAfter !== null)
    lines.splice(gapAfter, 0, `<tr>${cells.map(({ align }) => `<td${align}>…</td>`).join("")}</tr>`);
  const table = `<table>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${lines.join("\n")}\n</tbody>\n</table>`;
  return `<div style="overflow-x: auto">\n${table}\n<p>${sizeText(length, columns.size)}</p>\n</div>`;
}

function htmlCell(text: string | null, align: string): string {
  return `<td${align}>${text === null ? '<span style="opacity: 0.5">null</span>' : escapeHtml(text)}</td>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A text that HTML shows as it is. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}
