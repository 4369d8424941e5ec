import { parquetMetadata, parquetReadObjects } from "hyparquet";
import * as z from "zod";
import type { Bar } from "../../domain/bar.ts";
import {
  BAR_COLUMNS,
  DIGEST_METADATA_KEY,
  OUTCOMES_METADATA_KEY,
  SOURCE_METADATA_KEY,
} from "../../domain/bar-columns.ts";
import { type SymbolReport, symbolReport } from "../../domain/batch.ts";
import { messageOf, StoredFileError } from "../../domain/errors.ts";
import { parseRawDataKey } from "../../domain/object-keys.ts";
import { barOfRow, type StoredRow } from "../../domain/stored-bar.ts";
import { batchDigest } from "./batch-digest.ts";

/** What a batch file holds. */
export interface BatchContents {
  readonly bars: readonly Bar[];
  /** The outcomes of symbols without a bar in the file. */
  readonly reports: readonly SymbolReport[];
  /** The name of the price source; undefined where the file does not say. */
  readonly source?: string | undefined;
}

const REQUIRED_COLUMNS = BAR_COLUMNS.filter(({ nullable }) => !nullable).map(({ name }) => name);

/**
 * Reads a batch file back, whole. Columns that may be null and that an older file lacks are null.
 * @param key the file's key; its date must be that of every row.
 * @throws StoredFileError that names the key, for anything that is not a batch file of that date.
 */
export async function decodeBatchFile(key: string, bytes: Uint8Array): Promise<BatchContents> {
  const date = parseRawDataKey(key)?.date;
  if (date === undefined) throw new StoredFileError(`${key} is no key of a batch file`);
  try {
    const file = new Uint8Array(bytes).buffer;
    const metadata = parquetMetadata(file);
    const columns = new Set(metadata.schema.slice(1).map(({ name }) => name));
    const missing = REQUIRED_COLUMNS.filter((name) => !columns.has(name));
    if (missing.length > 0) throw new Error(`it has no column ${missing.join(", ")}`);
    const rows = metadata.num_rows === 0n ? [] : await parquetReadObjects({ file, metadata });
    const metadataOf = (name: string) => metadata.key_value_metadata?.find((entry) => entry.key === name)?.value;
    const outcomes = metadataOf(OUTCOMES_METADATA_KEY);
    const contents: BatchContents = {
      bars: rows.map((row) => barOfRow(storedRow(row), date)),
      reports: outcomes === undefined ? [] : z.array(symbolReport).parse(JSON.parse(outcomes)),
      source: metadataOf(SOURCE_METADATA_KEY),
    };
    const digest = metadataOf(DIGEST_METADATA_KEY);
    if (digest !== undefined && digest !== batchDigest(contents)) {
      throw new Error("its values are not those it was written with");
    }
    return contents;
  } catch (cause) {
    throw new StoredFileError(
      `${key} is damaged or not a batch file of ${date}: ${messageOf(cause)}; restore it, or delete it and run the date again`,
      { cause },
    );
  }
}

/** A row with dates as text and instants in milliseconds: hyparquet gives both as Date, at UTC. */
function storedRow(row: Readonly<Record<string, unknown>>): StoredRow {
  const { date, fetch_timestamp: fetched } = row;
  return {
    ...row,
    date: date instanceof Date ? date.toISOString().slice(0, 10) : date,
    fetch_timestamp: fetched instanceof Date ? fetched.getTime() : fetched,
  };
}
