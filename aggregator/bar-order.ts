import { compareSymbols } from "../domain/symbol.ts";
import type { Column, Columns } from "./column.ts";
import { type IsLater, laterOf } from "./deciding-columns.ts";
import { orderOf, reorder } from "./reorder.ts";

/** Places in the table of all symbols and days above which rows are compared instead: 256 MB. */
const LARGEST_TABLE = 64 * 1024 * 1024;

/** From so many rows a run on average, whole runs are ordered. */
const LONG_RUN = 16;

type TextColumn = Extract<Column, { kind: "text" }>;

/**
 * Puts bars in order of symbol, then date, each pair once: of bars that stand in several files the one that counts by the columns that decide.
 *
 * The engine reads files side by side, so that rows come in any order. Every pair of a symbol and a day has a place of its
 * own in a table; two passes over it order the rows without comparing any.
 * @param columns `symbol` and `date` among them, without nulls.
 * @returns "undecided" where bars stand twice and the columns that decide between them were not read.
 */
export function orderBars(columns: Columns): Columns | "undecided" {
  const symbol = columns.get("symbol");
  const date = columns.get("date");
  if (symbol?.kind !== "text" || date?.kind !== "date") throw new TypeError("bars are ordered by symbol and date");
  const ranked = rankSymbols(symbol);
  const all = new Map(columns).set("symbol", ranked);
  const order = orderKeys(ranked, date.values, laterOf(columns));
  if (order === "undecided") return order;
  return order === "ordered" ? all : reorder(all, orderOf(order));
}

/**
 * The rows in order of symbol and date, each pair once.
 * @param symbol with its dictionary sorted.
 * @returns for each place its row; "ordered" where all rows are where they should be.
 */
export function orderKeys(
  { codes, dictionary }: TextColumn,
  days: Int32Array,
  isLater: IsLater | undefined,
): Int32Array | "ordered" | "undecided" {
  const starts = runStarts(codes, days);
  if (starts.length * LONG_RUN <= codes.length) {
    const order = orderByRuns(codes, days, starts);
    if (order !== undefined) return order;
  }
  if (isOrdered(codes, days)) return "ordered";
  const calendar = distinctDays(days);
  return dictionary.length * calendar.count > LARGEST_TABLE
    ? orderByComparing(codes, days, isLater)
    : orderByTable(codes, dictionary.length, days, calendar, isLater);
}

/** The rows at which a run begins: the bars of one symbol, a later date each. */
function runStarts(codes: Int32Array, days: Int32Array): number[] {
  const starts: number[] = [];
  const most = codes.length / LONG_RUN;
  for (let row = 0; row < codes.length && starts.length <= most; row += 1) {
    if (row === 0 || codes[row] !== codes[row - 1] || (days[row] ?? 0) <= (days[row - 1] ?? 0)) starts.push(row);
  }
  return starts;
}

/** Orders whole runs, as compacted files give them; undefined where the dates of two runs of a symbol overlap. */
function orderByRuns(
  codes: Int32Array,
  days: Int32Array,
  starts: readonly number[],
): Int32Array | "ordered" | undefined {
  const runs = starts.map((from, index) => ({ from, to: starts[index + 1] ?? codes.length }));
  const sorted = runs.toSorted(
    (left, right) =>
      (codes[left.from] ?? 0) - (codes[right.from] ?? 0) || (days[left.from] ?? 0) - (days[right.from] ?? 0),
  );
  const order = new Int32Array(codes.length);
  let next = 0;
  let last = -1; // the row before
  for (const { from, to } of sorted) {
    if (last !== -1 && codes[from] === codes[last] && (days[from] ?? 0) <= (days[last] ?? 0)) return undefined;
    last = to - 1;
    for (let row = from; row < to; row += 1, next += 1) order[next] = row;
  }
  return sorted.every((run, index) => run === runs[index]) ? "ordered" : order;
}

/** Gives the symbols codes in their order. */
export function rankSymbols({ codes, dictionary }: TextColumn): TextColumn {
  const sorted = dictionary.toSorted(compareSymbols);
  if (sorted.every((text, code) => text === dictionary[code])) return { kind: "text", codes, dictionary };
  const rankOf = new Map(sorted.map((text, at) => [text, at]));
  const ranks = Int32Array.from(dictionary, (text) => rankOf.get(text) ?? 0);
  const ranked = new Int32Array(codes.length);
  for (let row = 0; row < codes.length; row += 1) ranked[row] = ranks[codes[row] ?? 0] ?? 0;
  return { kind: "text", codes: ranked, dictionary: sorted };
}

function isOrdered(codes: Int32Array, days: Int32Array): boolean {
  for (let row = 1; row < codes.length; row += 1) {
    const step = (codes[row] ?? 0) - (codes[row - 1] ?? 0);
    if (step < 0 || (step === 0 && (days[row] ?? 0) <= (days[row - 1] ?? 0))) return false;
  }
  return true;
}

/** The days that occur, each with its place among them. */
interface DistinctDays {
  readonly count: number;
  /** The place of a day, by the day less the first. */
  readonly placeOf: Int32Array;
  readonly first: number;
}

function distinctDays(days: Int32Array): DistinctDays {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < days.length; row += 1) {
    const day = days[row] ?? 0;
    if (day < first) first = day;
    if (day > last) last = day;
  }
  const placeOf = new Int32Array(last - first + 1);
  for (let row = 0; row < days.length; row += 1) placeOf[(days[row] ?? 0) - first] = 1;
  let count = 0;
  for (let at = 0; at < placeOf.length; at += 1) {
    const occurs = placeOf[at] === 1;
    placeOf[at] = count;
    if (occurs) count += 1;
  }
  return { count, placeOf, first };
}

/** The rows in their order, by placing each in a table of symbols and days. */
function orderByTable(
  codes: Int32Array,
  symbols: number,
  days: Int32Array,
  { count, placeOf, first }: DistinctDays,
  isLater: IsLater | undefined,
): Int32Array | "undecided" {
  const table = new Int32Array(symbols * count); // a row and 1, or 0
  let kept = codes.length;
  for (let row = 0; row < codes.length; row += 1) {
    const place = (codes[row] ?? 0) * count + (placeOf[(days[row] ?? 0) - first] ?? 0);
    const other = (table[place] ?? 0) - 1;
    if (other === -1) table[place] = row + 1;
    else {
      if (isLater === undefined) return "undecided";
      kept -= 1;
      if (isLater(row, other)) table[place] = row + 1;
    }
  }
  const order = new Int32Array(kept);
  let next = 0;
  for (let place = 0; place < table.length; place += 1) {
    const row = table[place] ?? 0;
    if (row !== 0) {
      order[next] = row - 1;
      next += 1;
    }
  }
  return order;
}

/** The rows in their order where a table would be too large: many symbols of few days. */
function orderByComparing(codes: Int32Array, days: Int32Array, isLater: IsLater | undefined): Int32Array | "undecided" {
  const isSame = (row: number, other: number): boolean => codes[row] === codes[other] && days[row] === days[other];
  const order = Int32Array.from(codes, (_, row) => row).sort((row, other) => {
    const step = (codes[row] ?? 0) - (codes[other] ?? 0) || (days[row] ?? 0) - (days[other] ?? 0);
    return step !== 0 || isLater === undefined ? step : Number(isLater(other, row)) - Number(isLater(row, other));
  });
  const kept = order.filter((row, at) => at === 0 || !isSame(row, order[at - 1] ?? 0));
  return kept.length < order.length && isLater === undefined ? "undecided" : kept;
}
