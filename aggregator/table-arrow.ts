import type { Table as ArrowTable, Data, DataType } from "apache-arrow";
import { type Column, type Columns, columnLength, isNullAt, rowCount } from "./column.ts";
import { otherText } from "./table-rows.ts";

type Arrow = typeof import("apache-arrow");

/**
 * The columns as an Arrow table. Texts become Dictionary<Utf8>, numbers Float64, bigints Int64, dates DateDay, instants
 * TimestampMillisecond in UTC (fractions cut off), booleans Bool, others Utf8 (JSON). Nulls are Arrow's nulls. Numbers,
 * bigints and dates share their memory with the columns.
 */
export async function arrowOf(columns: Columns): Promise<ArrowTable> {
  // Loaded when it is asked for: it takes a tenth of a second, longer than a day of bars.
  const arrow = await import("apache-arrow");
  const parts = Array.from(columns, ([name, column]) => ({ name, data: dataOf(arrow, column) }));
  const schema = new arrow.Schema(parts.map(({ name, data }) => new arrow.Field(name, data.type, true)));
  const children = parts.map(({ data }) => data);
  const length = rowCount(columns);
  const struct = arrow.makeData({ type: new arrow.Struct(schema.fields), length, nullCount: 0, children });
  return new arrow.Table(schema, [new arrow.RecordBatch(schema, struct)]);
}

function dataOf(arrow: Arrow, column: Column): Data<DataType> {
  const length = columnLength(column);
  const nulls = nullsOf(column, length);
  switch (column.kind) {
    case "text": {
      const type = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32());
      const dictionary = arrow.vectorFromArray(column.dictionary, new arrow.Utf8());
      // Readers may look up the code under a null: -1 stands nowhere in a dictionary.
      const codes = nulls.nullCount === 0 ? column.codes : column.codes.map((code) => Math.max(code, 0));
      return arrow.makeData({ type, length, ...nulls, data: codes, dictionary });
    }
    case "number":
      return arrow.makeData({ type: new arrow.Float64(), length, ...nulls, data: column.values });
    case "bigint":
      return arrow.makeData({ type: new arrow.Int64(), length, ...nulls, data: column.values });
    case "date":
      return arrow.makeData({ type: new arrow.DateDay(), length, ...nulls, data: column.values });
    case "instant": {
      const type = new arrow.TimestampMillisecond("UTC");
      const data = BigInt64Array.from(column.values, (epochMs) =>
        Number.isNaN(epochMs) ? 0n : BigInt(Math.trunc(epochMs)),
      );
      return arrow.makeData({ type, length, ...nulls, data });
    }
    case "boolean":
      return arrow.makeData({
        type: new arrow.Bool(),
        length,
        ...nulls,
        data: bits(length, (row) => column.values[row] === 1),
      });
    case "other": {
      const texts = column.values.map((value) => (value === null || value === undefined ? null : otherText(value)));
      const [data] = arrow.vectorFromArray(texts, new arrow.Utf8()).data;
      return data ?? arrow.makeData({ type: new arrow.Utf8(), length: 0, valueOffsets: new Int32Array(1) });
    }
  }
}

function nullsOf(column: Column, length: number): { nullCount: number; nullBitmap?: Uint8Array } {
  let nullCount = 0;
  for (let row = 0; row < length; row++) if (isNullAt(column, row)) nullCount++;
  return nullCount === 0 ? { nullCount } : { nullCount, nullBitmap: bits(length, (row) => !isNullAt(column, row)) };
}

/** One bit a row, the lowest first, padded to the eight bytes Arrow asks for. */
function bits(length: number, isSet: (row: number) => boolean): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(length / 64) * 8);
  for (let row = 0; row < length; row++) if (isSet(row)) bytes[row >> 3] = (bytes[row >> 3] ?? 0) | (1 << (row & 7));
  return bytes;
}
