import { Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import parquet, { type FieldDefinition } from "parquetjs-lite";
import type { Bar } from "../../domain/bar.ts";
import { BAR_COLUMNS, type BarColumn } from "../../domain/bar-columns.ts";
import { toEpochDays } from "../../domain/trading-date.ts";
import { SEAL_METADATA_KEY, sealFile, UNSEALED } from "../../stores/file-seal.ts";

/** Rows after which others have their turn: encoding ten years of some symbols takes a second, and answers are under way. */
const ROWS_A_TURN = 2_000;

/** How bars are written. */
export interface BarsParquetOptions {
  /** Entries of the file's metadata, in their order. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly rowGroupRows: number;
}

/**
 * Encodes bars as Parquet, in their order: Snappy, with the file's seal in its metadata. The same bars and entries give the
 * same bytes.
 */
export async function encodeBars(
  bars: readonly Bar[],
  { metadata, rowGroupRows }: BarsParquetOptions,
): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  try {
    const writer = await parquet.ParquetWriter.openStream(SCHEMA, sink, { rowGroupSize: rowGroupRows });
    for (const [key, value] of Object.entries(metadata)) writer.setMetadata(key, value);
    writer.setMetadata(SEAL_METADATA_KEY, UNSEALED);
    for (const [index, bar] of bars.entries()) {
      if (index > 0 && index % ROWS_A_TURN === 0) await setImmediate();
      await writer.appendRow(rowOf(bar));
    }
    await writer.close();
  } catch (thrown) {
    // parquetjs-lite throws bare strings
    throw thrown instanceof Error ? thrown : new Error(`the Parquet writer refused the bars: ${String(thrown)}`);
  }
  const file = Buffer.concat(chunks);
  sealFile(file);
  return file;
}

function fieldDefinitions(): Record<string, FieldDefinition> {
  return Object.fromEntries(
    BAR_COLUMNS.map(({ name, type, nullable }): [string, FieldDefinition] => [
      name,
      { type, optional: nullable, compression: "SNAPPY" },
    ]),
  );
}

const SCHEMA = new parquet.ParquetSchema(fieldDefinitions());

function rowOf(bar: Bar): Record<string, unknown> {
  return Object.fromEntries(BAR_COLUMNS.map((column) => [column.name, cellOf(bar, column)]));
}

/** The writer takes dates as days and time stamps as milliseconds since 1970. */
function cellOf(bar: Bar, { field }: BarColumn): unknown {
  return field === "date" ? toEpochDays(bar.date) : bar[field];
}
