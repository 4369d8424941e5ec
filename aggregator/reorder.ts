import { type Column, type Columns, takeRows } from "./column.ts";

/** Rows of a block that are moved together: their values of a column fit a processor's second cache. */
const BLOCK_ROWS = 2 ** 16;
/** From so many rows on that stay together on average, they are copied as runs. */
const LONG_RUN = 16;

/** The rows of a result in another order. */
export interface Order {
  /** For each row of the result the row that it was. */
  readonly rows: Int32Array;
  /** How many runs of rows that stay together that makes. */
  readonly runs: number;
}

/** An order, with its runs counted. */
export function orderOf(rows: Int32Array): Order {
  let runs = rows.length === 0 ? 0 : 1;
  for (let at = 1; at < rows.length; at += 1) if (rows[at] !== (rows[at - 1] ?? 0) + 1) runs += 1;
  return { rows, runs };
}

/**
 * Columns in another order. Memory that was used before is several times faster to write than new memory: the array that a
 * column leaves takes the values of the next one. The given columns must not be used afterwards.
 */
export function reorder(columns: Columns, order: Order): Columns {
  const move = order.runs * LONG_RUN <= order.rows.length ? moveRuns(order) : moveBlocks(order.rows);
  const spares = { f64: undefined as Float64Array | undefined, i32: undefined as Int32Array | undefined };
  const length = order.rows.length;
  const doubles = (values: Float64Array): Float64Array => {
    const target = spares.f64 !== undefined && spares.f64.length >= length ? spares.f64 : new Float64Array(length);
    move(values, target);
    spares.f64 = values;
    return target.length === length ? target : target.subarray(0, length);
  };
  const integers = (values: Int32Array): Int32Array => {
    const target = spares.i32 !== undefined && spares.i32.length >= length ? spares.i32 : new Int32Array(length);
    move(values, target);
    spares.i32 = values;
    return target.length === length ? target : target.subarray(0, length);
  };
  const nullsOf = (nulls: Uint8Array | undefined): { nulls?: Uint8Array } => {
    if (nulls === undefined) return {};
    const target = new Uint8Array(length);
    move(nulls, target);
    return { nulls: target };
  };
  const ordered = new Map<string, Column>();
  for (const [name, column] of columns) {
    if (column.kind === "text") ordered.set(name, { ...column, codes: integers(column.codes) });
    else if (column.kind === "date")
      ordered.set(name, { kind: "date", values: integers(column.values), ...nullsOf(column.nulls) });
    else if (column.kind === "number" || column.kind === "instant") {
      ordered.set(name, { kind: column.kind, values: doubles(column.values), ...nullsOf(column.nulls) });
    } else ordered.set(name, takeRows(column, order.rows));
  }
  return ordered;
}

type NumberArray = Float64Array | Int32Array | Uint8Array;

/** Writes the values of a column to an array in the new order. */
type Move = (from: NumberArray, to: NumberArray) => void;

function moveRuns({ rows, runs }: Order): Move {
  const starts = new Int32Array(runs + 1);
  let run = 0;
  for (let at = 0; at < rows.length; at += 1) {
    if (at > 0 && rows[at] === (rows[at - 1] ?? 0) + 1) continue;
    starts[run] = at;
    run += 1;
  }
  starts[run] = rows.length;
  return (from, to) => {
    for (let next = 0; next < runs; next += 1) {
      const at = starts[next] ?? 0;
      const row = rows[at] ?? 0;
      to.set(from.subarray(row, row + (starts[next + 1] ?? 0) - at), at);
    }
  };
}

/**
 * Rows that all move by themselves: those of a day come together and end up a history apart. They are moved block by block,
 * in each in the order of their targets, so that what is read is in the cache and what is written is in short runs.
 */
function moveBlocks(rows: Int32Array): Move {
  let last = 0;
  for (let at = 0; at < rows.length; at += 1) last = Math.max(last, rows[at] ?? 0);
  const firsts = new Int32Array(Math.floor(last / BLOCK_ROWS) + 2);
  for (let at = 0; at < rows.length; at += 1) {
    const block = Math.floor((rows[at] ?? 0) / BLOCK_ROWS) + 1;
    firsts[block] = (firsts[block] ?? 0) + 1;
  }
  for (let block = 1; block < firsts.length; block += 1)
    firsts[block] = (firsts[block] ?? 0) + (firsts[block - 1] ?? 0);
  const sources = new Int32Array(rows.length);
  const targets = new Int32Array(rows.length);
  for (let at = 0; at < rows.length; at += 1) {
    const row = rows[at] ?? 0;
    const block = Math.floor(row / BLOCK_ROWS);
    const next = firsts[block] ?? 0;
    firsts[block] = next + 1;
    sources[next] = row;
    targets[next] = at;
  }
  return (from, to) => {
    for (let at = 0; at < sources.length; at += 1) to[targets[at] ?? 0] = from[sources[at] ?? 0] ?? 0;
  };
}
