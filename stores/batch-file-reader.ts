import * as z from "zod";
import type { Bar } from "../domain/bar.ts";
import { BAR_COLUMNS, DIGEST_METADATA_KEY, OUTCOMES_METADATA_KEY, SOURCE_METADATA_KEY } from "../domain/bar-columns.ts";
import { type SymbolReport, symbolReport } from "../domain/batch.ts";
import { messageOf, StoredFileError } from "../domain/errors.ts";
import { parseRawDataKey } from "../domain/object-keys.ts";
import { barOfRow, type StoredRow } from "../domain/stored-bar.ts";
import { batchDigest } from "./batch-digest.ts";
import { checkSeal } from "./file-seal.ts";
import { checkFrame } from "./parquet-frame.ts";
import { type ParquetTable, readTable, readTableApart } from "./parquet-table.ts";

/** What a batch file holds. */
export interface BatchContents {
  readonly bars: readonly Bar[];
  /** The outcomes of symbols without a bar in the file. */
  readonly reports: readonly SymbolReport[];
  /** The name of the price source; undefined where the file does not say. */
  readonly source?: string | undefined;
}

const REQUIRED_COLUMNS = BAR_COLUMNS.filter(({ nullable }) => !nullable).map(({ name }) => name);

/** Bounds the reading of a file without a seal, in milliseconds: one of all symbols takes a tenth of a second. */
const READING_DEADLINE_MS = 10_000;

/**
 * Reads a batch file back, whole. One that is sealed is compared with its seal before anything in it is trusted. Columns
 * that may be null and that an older file lacks are null.
 * @param key the file's key; its date must be that of every row.
 * @throws StoredFileError that names the key, for anything that is not a batch file of that date.
 */
export async function decodeBatchFile(
  key: string,
  bytes: Uint8Array,
  deadlineMs = READING_DEADLINE_MS,
): Promise<BatchContents> {
  const date = parseRawDataKey(key)?.date;
  if (date === undefined) throw new StoredFileError(`${key} is no key of a batch file`);
  try {
    const { columns, rows, metadata } = await readChecked(bytes, deadlineMs);
    const missing = REQUIRED_COLUMNS.filter((name) => !columns.includes(name));
    if (missing.length > 0) throw new Error(`it has no column ${missing.join(", ")}`);
    const outcomes = metadata.get(OUTCOMES_METADATA_KEY);
    const contents: BatchContents = {
      bars: rows.map((row) => barOfRow(storedRow(row), date)),
      reports: outcomes === undefined ? [] : z.array(symbolReport).parse(JSON.parse(outcomes)),
      source: metadata.get(SOURCE_METADATA_KEY),
    };
    const digest = metadata.get(DIGEST_METADATA_KEY);
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

/** Nothing but an intact seal vouches for the lengths in a file: another is read where it can hold up nobody. */
async function readChecked(bytes: Uint8Array, deadlineMs: number): Promise<ParquetTable> {
  checkFrame(bytes);
  const seal = checkSeal(bytes);
  if (seal === "broken") throw new Error("its bytes are not those it was written with");
  return seal === "intact" ? readTable(bytes) : readTableApart(bytes, deadlineMs);
}

/** A row with dates as text and instants in milliseconds: hyparquet gives both as Date, at UTC. */
function storedRow(row: StoredRow): StoredRow {
  const { date, fetch_timestamp: fetched } = row;
  return {
    ...row,
    date: date instanceof Date ? date.toISOString().slice(0, 10) : date,
    fetch_timestamp: fetched instanceof Date ? fetched.getTime() : fetched,
  };
}
