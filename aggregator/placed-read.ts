import type { DuckDBDataChunk } from "@duckdb/node-api";
import { BAR_COLUMNS } from "../domain/bar-columns.ts";
import { orderKeys, rankSymbols } from "./bar-order.ts";
import type { BarColumnName } from "./bars.ts";
import { plainNumber, selectBars, selectCells } from "./bars-relation.ts";
import type { Column, Columns } from "./column.ts";
import type { Engine } from "./engine.ts";
import type { ReadPart } from "./read-plan.ts";
import { vectorBytes, visitNulls } from "./result-columns.ts";
import { TextInterner } from "./text-interner.ts";

type TextColumn = Extract<Column, { kind: "text" }>;

/** Symbols and dates of rows, in the order in which they are read. */
interface Keys {
  readonly symbol: TextColumn;
  readonly days: Int32Array;
}

/**
 * Reads bars of compacted files straight into their places. First their symbols and dates are read, which says where each
 * row belongs; then the other columns, in the same order, of which every chunk is copied to its places and nowhere before.
 * @param rows as many as the parts have, exactly: it is what the manifest says.
 * @param raw bars of other dates, read before, that are put among them; with the same columns.
 * @returns undefined where the parts have other rows than that: the files are not what the manifest says.
 */
export async function readPlaced(
  engine: Engine,
  parts: readonly ReadPart[],
  names: readonly BarColumnName[],
  rows: number,
  raw: Columns,
): Promise<Columns | undefined> {
  const read = await readKeys(engine, parts, rows);
  if (read === undefined) return undefined;
  const keys = withRaw(read, raw);
  const symbol = rankSymbols(keys.symbol);
  const order = orderKeys(symbol, keys.days, undefined);
  if (order === "undecided") return undefined; // a pair stands twice: no manifest says that
  const places = order === "ordered" ? undefined : inverse(order);
  const columns = new Map<string, Column>([
    ["symbol", { ...symbol, codes: placed(symbol.codes, places) }],
    ["date", { kind: "date", values: placed(keys.days, places) }],
  ]);
  const others = BAR_COLUMNS.filter(({ name }) => name !== "symbol" && name !== "date" && names.includes(name));
  const targets = others.map(({ name }) => new Target(raw.get(name), keys.days.length, rows, places));
  if (targets.length > 0 && rows > 0) {
    let offset = 0;
    const sql = selectCells(parts, others.map(plainNumber));
    await engine.chunksInOrder(sql, (chunk) => {
      const segments = segmentsOf(places, offset, chunk.rowCount);
      for (const [index, target] of targets.entries()) target.place(chunk, index, segments, places, offset);
      offset += chunk.rowCount;
    });
    if (offset !== rows) return undefined;
  }
  for (const [index, { name, type }] of others.entries()) {
    const kind = type === "TIMESTAMP_MILLIS" ? "instant" : "number";
    const target = targets[index];
    if (target !== undefined) columns.set(name, { kind, ...target.finished() });
  }
  return columns;
}

async function readKeys(engine: Engine, parts: readonly ReadPart[], rows: number): Promise<Keys | undefined> {
  const texts = new TextInterner();
  const codes = new Int32Array(rows);
  const days = new Int32Array(rows);
  let offset = 0;
  await engine.chunksInOrder(selectBars(parts, ["symbol", "date"]), (chunk) => {
    const count = chunk.rowCount;
    if (offset + count <= rows) {
      texts.intern(vectorBytes(chunk, 0, count * 16), count, codes, offset);
      const bytes = vectorBytes(chunk, 1, count * 4);
      days.set(new Int32Array(bytes.buffer, bytes.byteOffset, count), offset);
    }
    offset += count;
  });
  return offset === rows ? { symbol: { kind: "text", codes, dictionary: texts.dictionary }, days } : undefined;
}

/** The keys with those of the raw bars behind them. */
function withRaw({ symbol, days }: Keys, raw: Columns): Keys {
  const rawSymbol = raw.get("symbol");
  const rawDate = raw.get("date");
  if (rawSymbol?.kind !== "text" || rawDate?.kind !== "date" || rawSymbol.codes.length === 0) return { symbol, days };
  const dictionary = [...symbol.dictionary];
  const codeOf = new Map(dictionary.map((text, code) => [text, code]));
  const rawCodes = Int32Array.from(rawSymbol.dictionary, (text) => {
    const known = codeOf.get(text);
    return known ?? dictionary.push(text) - 1;
  });
  const codes = new Int32Array(symbol.codes.length + rawSymbol.codes.length);
  codes.set(symbol.codes);
  for (const [row, code] of rawSymbol.codes.entries()) codes[symbol.codes.length + row] = rawCodes[code] ?? 0;
  const allDays = new Int32Array(codes.length);
  allDays.set(days);
  allDays.set(rawDate.values, days.length);
  return { symbol: { kind: "text", codes, dictionary }, days: allDays };
}

function inverse(order: Int32Array): Int32Array {
  const places = new Int32Array(order.length);
  for (let place = 0; place < order.length; place += 1) places[order[place] ?? 0] = place;
  return places;
}

function placed(values: Int32Array, places: Int32Array | undefined): Int32Array {
  if (places === undefined) return values;
  const target = new Int32Array(values.length);
  for (let row = 0; row < values.length; row += 1) target[places[row] ?? 0] = values[row] ?? 0;
  return target;
}

/** Rows of a chunk that stay together: the first, their count, and the place of the first. */
type Segment = readonly [from: number, count: number, place: number];

function segmentsOf(places: Int32Array | undefined, offset: number, rows: number): Segment[] {
  if (places === undefined) return [[0, rows, offset]];
  const segments: Segment[] = [];
  for (let from = 0, to = 0; from < rows; from = to) {
    const place = places[offset + from] ?? 0;
    for (to = from + 1; to < rows && places[offset + to] === place + to - from; ) to += 1;
    segments.push([from, to - from, place]);
  }
  return segments;
}

/** A column that is filled in any order. */
class Target {
  readonly #values: Float64Array;
  #nulls: Uint8Array | undefined;

  /** @param rawFrom the row from which on the raw bars follow. */
  constructor(raw: Column | undefined, rows: number, rawFrom: number, places: Int32Array | undefined) {
    this.#values = new Float64Array(rows);
    if (raw?.kind !== "number" && raw?.kind !== "instant") return;
    for (let row = 0; row < raw.values.length; row += 1) {
      const place = places?.[rawFrom + row] ?? rawFrom + row;
      this.#values[place] = raw.values[row] ?? Number.NaN;
      if (raw.nulls?.[row] === 1) this.#markNull(place);
    }
  }

  place(
    chunk: DuckDBDataChunk,
    column: number,
    segments: readonly Segment[],
    places: Int32Array | undefined,
    offset: number,
  ): void {
    const bytes = vectorBytes(chunk, column, chunk.rowCount * 8);
    const values = new Float64Array(bytes.buffer, bytes.byteOffset, chunk.rowCount);
    for (const [from, count, place] of segments) {
      this.#values.set(count === values.length ? values : values.subarray(from, from + count), place);
    }
    visitNulls(chunk, column, chunk.rowCount, (row) => this.#markNull(places?.[offset + row] ?? offset + row));
  }

  #markNull(place: number): void {
    this.#nulls ??= new Uint8Array(this.#values.length);
    this.#nulls[place] = 1;
    this.#values[place] = Number.NaN;
  }

  finished(): { values: Float64Array; nulls?: Uint8Array } {
    return this.#nulls === undefined ? { values: this.#values } : { values: this.#values, nulls: this.#nulls };
  }
}
