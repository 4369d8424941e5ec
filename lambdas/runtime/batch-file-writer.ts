import { Writable } from "node:stream";
import parquet, { type FieldDefinition } from "parquetjs-lite";
import type { Bar } from "../../domain/bar.ts";
import {
  BAR_COLUMNS,
  type BarColumn,
  DIGEST_METADATA_KEY,
  OUTCOMES_METADATA_KEY,
  SOURCE_METADATA_KEY,
} from "../../domain/bar-columns.ts";
import type { SymbolReport } from "../../domain/batch.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import { toEpochDays } from "../../domain/trading-date.ts";
import { batchDigest } from "../../stores/batch-digest.ts";
import type { BatchContents } from "../../stores/batch-file-reader.ts";
import { SEAL_METADATA_KEY, sealFile, UNSEALED } from "../../stores/file-seal.ts";

/**
 * Encodes a batch file: the bars sorted by symbol, Snappy, one row group; in the file's metadata the
 * outcomes of the symbols without a bar, and the file's seal. The same contents give the same bytes.
 */
export async function encodeBatchFile({ bars, reports, source }: BatchContents): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  try {
    const writer = await parquet.ParquetWriter.openStream(SCHEMA, sink, {
      rowGroupSize: 1_000_000,
    });
    writer.setMetadata(OUTCOMES_METADATA_KEY, JSON.stringify(sorted(reports)));
    if (source !== undefined) writer.setMetadata(SOURCE_METADATA_KEY, source);
    writer.setMetadata(DIGEST_METADATA_KEY, batchDigest({ bars: sorted(bars), reports: sorted(reports), source }));
    writer.setMetadata(SEAL_METADATA_KEY, UNSEALED);
    for (const bar of sorted(bars)) await writer.appendRow(rowOf(bar));
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

function rowOf(bar: Bar): Record<string, unknown> {
  return Object.fromEntries(BAR_COLUMNS.map((column) => [column.name, cellOf(bar, column)]));
}

const SCHEMA = new parquet.ParquetSchema(fieldDefinitions());

/** The writer takes dates as days and time stamps as milliseconds since 1970. */
function cellOf(bar: Bar, { field }: BarColumn): unknown {
  return field === "date" ? toEpochDays(bar.date) : bar[field];
}

function sorted<Entry extends Bar | SymbolReport>(entries: readonly Entry[]): Entry[] {
  return entries.toSorted((left, right) => compareSymbols(left.symbol, right.symbol));
}
