import {
  type DuckDBDataChunk,
  DuckDBDecimalValue,
  type DuckDBMaterializedResult,
  DuckDBTypeId,
  JSDuckDBValueConverter,
} from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";
import { type Column, type Columns, columnsOf } from "./column.ts";
import { TextInterner } from "./text-interner.ts";
import { dateColumn, instantColumn, type WideNumber, wideNumberColumn } from "./wide-values.ts";

/**
 * The columns of a result. Values are copied from the engine's own vectors, a chunk at a time: no row and no value passes
 * through an object of its own, but for types that JavaScript has no array for.
 * @throws InvalidInputError where two columns have one name.
 */
export function resultColumns(result: DuckDBMaterializedResult): Columns {
  const names = result.columnNames();
  const collectors = names.map((_, index) => collectorOf(result.columnTypeId(index), result.rowCount));
  let offset = 0;
  for (let index = 0; index < result.chunkCount; index += 1) {
    const chunk = result.getChunk(index);
    const rows = chunk.rowCount;
    for (const [column, collector] of collectors.entries()) collector.take(chunk, column, rows, offset);
    offset += rows;
  }
  return columnsOf(names.map((name, index) => [name, columnOf(collectors[index])]));
}

/** Gathers one column, chunk by chunk. */
interface Collector {
  /** Takes the column of a chunk of `rows` rows, the first of which is row `offset` of the result. */
  take(chunk: DuckDBDataChunk, column: number, rows: number, offset: number): void;
  finish(): Column;
}

function columnOf(collector: Collector | undefined): Column {
  return collector?.finish() ?? { kind: "other", values: [] };
}

function collectorOf(type: DuckDBTypeId, rows: number): Collector {
  switch (type) {
    case DuckDBTypeId.VARCHAR:
      return collectTexts(rows);
    case DuckDBTypeId.DOUBLE:
      return collectDoubles(rows);
    case DuckDBTypeId.FLOAT:
      return collectNumbers(rows, (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset), 4);
    case DuckDBTypeId.TINYINT:
      return collectNumbers(rows, (bytes) => new Int8Array(bytes.buffer, bytes.byteOffset), 1);
    case DuckDBTypeId.UTINYINT:
      return collectNumbers(rows, (bytes) => new Uint8Array(bytes.buffer, bytes.byteOffset), 1);
    case DuckDBTypeId.SMALLINT:
      return collectNumbers(rows, (bytes) => new Int16Array(bytes.buffer, bytes.byteOffset), 2);
    case DuckDBTypeId.USMALLINT:
      return collectNumbers(rows, (bytes) => new Uint16Array(bytes.buffer, bytes.byteOffset), 2);
    case DuckDBTypeId.INTEGER:
      return collectNumbers(rows, (bytes) => new Int32Array(bytes.buffer, bytes.byteOffset), 4);
    case DuckDBTypeId.UINTEGER:
      return collectNumbers(rows, (bytes) => new Uint32Array(bytes.buffer, bytes.byteOffset), 4);
    case DuckDBTypeId.BIGINT:
      return collectIntegers(rows);
    case DuckDBTypeId.DATE:
      return collectDates(rows);
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_TZ:
      return collectInstants(rows, 1 / 1_000);
    case DuckDBTypeId.TIMESTAMP_MS:
      return collectInstants(rows, 1);
    case DuckDBTypeId.TIMESTAMP_S:
      return collectInstants(rows, 1_000);
    case DuckDBTypeId.TIMESTAMP_NS:
      return collectInstants(rows, 1 / 1_000_000);
    case DuckDBTypeId.BOOLEAN:
      return collectBooleans(rows);
    case DuckDBTypeId.HUGEINT:
    case DuckDBTypeId.UHUGEINT:
    case DuckDBTypeId.UBIGINT:
    case DuckDBTypeId.DECIMAL:
      return collectWideNumbers();
    default:
      return collectOthers(rows);
  }
}

/** The bytes of a chunk's column, `width` a row, aligned for typed arrays. */
export function vectorBytes(chunk: DuckDBDataChunk, column: number, byteCount: number): Uint8Array {
  const bytes = duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk.chunk, column), byteCount);
  return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
}

/** A bit for each row of a chunk's column, 0 where it is null; null where none is. */
function validityOf(chunk: DuckDBDataChunk, column: number, rows: number): Uint8Array | null {
  const bytes = Math.ceil(rows / 64) * 8;
  return duckdb.vector_get_validity(duckdb.data_chunk_get_vector(chunk.chunk, column), bytes) ?? null;
}

/** Visits the rows of a chunk's column that are null. */
export function visitNulls(chunk: DuckDBDataChunk, column: number, rows: number, visit: (row: number) => void): void {
  const validity = validityOf(chunk, column, rows);
  if (validity === null) return;
  for (let row = 0; row < rows; row += 1) {
    const byte = validity[row >> 3] ?? 0xff;
    if (byte === 0xff) row |= 7;
    else if ((byte & (1 << (row & 7))) === 0) visit(row);
  }
}

/** Which rows of a column are null, as far as it has been read: nothing is kept for a column without any. */
class Nulls {
  readonly #rows: number;
  #marks: Uint8Array | undefined;

  constructor(rows: number) {
    this.#rows = rows;
  }

  take(chunk: DuckDBDataChunk, column: number, rows: number, offset: number): void {
    visitNulls(chunk, column, rows, (row) => this.#mark(offset + row));
  }

  #mark(row: number): void {
    this.#marks ??= new Uint8Array(this.#rows);
    this.#marks[row] = 1;
  }

  get marks(): Uint8Array | undefined {
    return this.#marks;
  }

  /** As a column's property: absent where no row is null. */
  get property(): { nulls?: Uint8Array } {
    return this.#marks === undefined ? {} : { nulls: this.#marks };
  }

  /** Gives the null rows a value that says so. */
  blank(values: Float64Array | Int32Array, blank: number): void {
    const marks = this.#marks;
    if (marks === undefined) return;
    for (let row = 0; row < marks.length; row += 1) if (marks[row] === 1) values[row] = blank;
  }
}

function collectTexts(rows: number): Collector {
  const codes = new Int32Array(rows);
  const texts = new TextInterner();
  return {
    take(chunk, column, count, offset) {
      const validity = validityOf(chunk, column, count);
      texts.intern(vectorBytes(chunk, column, count * 16), count, codes, offset, validity);
    },
    finish: () => ({ kind: "text", codes, dictionary: texts.dictionary }),
  };
}

function collectDoubles(rows: number): Collector {
  return collectNumbers(rows, (bytes) => new Float64Array(bytes.buffer, bytes.byteOffset), 8);
}

function collectNumbers(rows: number, view: (bytes: Uint8Array) => ArrayLike<number>, width: number): Collector {
  const values = new Float64Array(rows);
  const nulls = new Nulls(rows);
  return {
    take(chunk, column, count, offset) {
      const from = view(vectorBytes(chunk, column, count * width));
      for (let row = 0; row < count; row += 1) values[offset + row] = from[row] ?? Number.NaN;
      nulls.take(chunk, column, count, offset);
    },
    finish() {
      nulls.blank(values, Number.NaN);
      return { kind: "number", values, ...nulls.property };
    },
  };
}

/** Takes 64-bit integers as they are; what follows decides what array they are given in. */
function takeIntegers(rows: number): { values: BigInt64Array; nulls: Nulls; take: Collector["take"] } {
  const values = new BigInt64Array(rows);
  const bytes = new Uint8Array(values.buffer);
  const nulls = new Nulls(rows);
  return {
    values,
    nulls,
    take(chunk, column, count, offset) {
      bytes.set(vectorBytes(chunk, column, count * 8), offset * 8);
      nulls.take(chunk, column, count, offset);
    },
  };
}

/** Whole numbers as doubles where each fits one exactly, else as 64-bit integers: nothing is rounded. */
function collectIntegers(rows: number): Collector {
  const { values, nulls, take } = takeIntegers(rows);
  return {
    take,
    finish() {
      const marks = nulls.marks;
      if (marks !== undefined) for (let row = 0; row < rows; row += 1) if (marks[row] === 1) values[row] = 0n;
      if (!fitDoubles(values)) return { kind: "bigint", values, ...nulls.property };
      const numbers = toDoubles(values, 1);
      nulls.blank(numbers, Number.NaN);
      return { kind: "number", values: numbers, ...nulls.property };
    },
  };
}

function collectInstants(rows: number, millisecondsPerUnit: number): Collector {
  const { values, nulls, take } = takeIntegers(rows);
  return {
    take,
    finish() {
      const instants = toDoubles(values, millisecondsPerUnit);
      nulls.blank(instants, Number.NaN);
      return instantColumn(instants, millisecondsPerUnit, nulls.property);
    },
  };
}

/** The upper half of an integer of at most 53 bits lies in this range. */
const UPPER_HALF = 2 ** 21;

function fitDoubles(values: BigInt64Array): boolean {
  const halves = new Int32Array(values.buffer);
  for (let at = 1; at < halves.length; at += 2) {
    const upper = halves[at] ?? 0;
    if (upper >= UPPER_HALF || upper < -UPPER_HALF) return false;
    if (upper === -UPPER_HALF && halves[at - 1] === 0) return false; // -2^53 is one too far
  }
  return true;
}

/** Turns 64-bit integers into doubles where they lie; the integers are gone afterwards. */
function toDoubles(values: BigInt64Array, factor: number): Float64Array {
  const halves = new Int32Array(values.buffer);
  const doubles = new Float64Array(values.buffer);
  const divisor = factor < 1 ? Math.round(1 / factor) : 1;
  const multiplier = factor < 1 ? 1 : factor;
  for (let row = 0; row < doubles.length; row += 1) {
    const integer = (halves[2 * row + 1] ?? 0) * 4294967296 + ((halves[2 * row] ?? 0) >>> 0);
    doubles[row] = (integer / divisor) * multiplier;
  }
  return doubles;
}

function collectDates(rows: number): Collector {
  const values = new Int32Array(rows);
  const bytes = new Uint8Array(values.buffer);
  const nulls = new Nulls(rows);
  return {
    take(chunk, column, count, offset) {
      bytes.set(vectorBytes(chunk, column, count * 4), offset * 4);
      nulls.take(chunk, column, count, offset);
    },
    finish() {
      nulls.blank(values, 0);
      return dateColumn(values, nulls.property);
    },
  };
}

function collectBooleans(rows: number): Collector {
  const values = new Uint8Array(rows);
  const nulls = new Nulls(rows);
  return {
    take(chunk, column, count, offset) {
      values.set(vectorBytes(chunk, column, count), offset);
      nulls.take(chunk, column, count, offset);
    },
    finish() {
      const marks = nulls.marks;
      if (marks !== undefined) for (let row = 0; row < rows; row += 1) if (marks[row] === 1) values[row] = 0;
      return { kind: "boolean", values, ...nulls.property };
    },
  };
}

/** Sums of whole numbers and decimals, which the engine keeps in up to 128 bits. */
function collectWideNumbers(): Collector {
  const items: WideNumber[] = [];
  return {
    take(chunk, column, count) {
      const vector = chunk.getColumnVector(column);
      for (let row = 0; row < count; row += 1) {
        const item: unknown = vector.getItem(row);
        items.push(typeof item === "bigint" || item instanceof DuckDBDecimalValue ? item : null);
      }
    },
    finish: () => wideNumberColumn(items),
  };
}

function collectOthers(rows: number): Collector {
  const values = new Array<unknown>(rows).fill(null);
  return {
    take(chunk, column, count, offset) {
      const converted = chunk.convertColumnValues(column, JSDuckDBValueConverter);
      for (let row = 0; row < count; row += 1) values[offset + row] = converted[row] ?? null;
    },
    finish: () => ({ kind: "other", values }),
  };
}
