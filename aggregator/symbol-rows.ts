import type { Column } from "./column.ts";

/** Where the rows of a symbol are: from one (inclusive) to another (exclusive), or one by one where they are scattered. */
export type RowsOfSymbol = { from: number; to: number } | Int32Array;

/** The rows of every symbol in order of date; symbols in the order in which they come first. */
export type SymbolRows = ReadonlyMap<string, RowsOfSymbol>;

/** Finds the rows of every symbol. Rows without a symbol belong to none; without dates the order is that of the rows. */
export function symbolRows(symbol: Extract<Column, { kind: "text" }>, date: Column | undefined): SymbolRows {
  const { codes, dictionary } = symbol;
  const days = date?.kind === "date" ? date.values : undefined;
  const found = new Map<string, RowsOfSymbol>();
  const scattered = new Set<string>();
  for (let from = 0, to = 0; from < codes.length; from = to) {
    const code = codes[from] ?? -1;
    let inOrder = true;
    for (to = from + 1; to < codes.length && codes[to] === code; to++) {
      if (days !== undefined && (days[to] ?? 0) < (days[to - 1] ?? 0)) inOrder = false;
    }
    const text = dictionary[code];
    if (text === undefined) continue;
    if (found.has(text) || !inOrder) scattered.add(text);
    found.set(text, { from, to });
  }
  if (scattered.size > 0) gather(symbol, days, scattered, found);
  return found;
}

/** Of the scattered symbols, every row in order of date; of one date, in the order of the rows. */
function gather(
  { codes, dictionary }: Extract<Column, { kind: "text" }>,
  days: Int32Array | undefined,
  scattered: ReadonlySet<string>,
  found: Map<string, RowsOfSymbol>,
): void {
  const rowsBySymbol = new Map<string, number[]>(Array.from(scattered, (text) => [text, []]));
  codes.forEach((code, row) => {
    rowsBySymbol.get(dictionary[code] ?? "")?.push(row);
  });
  for (const [text, rows] of rowsBySymbol) {
    if (days !== undefined) rows.sort((one, other) => (days[one] ?? 0) - (days[other] ?? 0));
    found.set(text, Int32Array.from(rows));
  }
}
