import { type BackfillRecord, backfillRecord } from "./backfill.ts";
import { spanName } from "./date-span.ts";
import { messageOf, StoredFileError } from "./errors.ts";
import { parseBackfillKey, parseHistoryKey } from "./object-keys.ts";
import { parseInput } from "./parse.ts";
import { quote } from "./text.ts";

/**
 * Reads a stored record of a backfill.
 * @throws StoredFileError that names the key and what is wrong.
 */
export function parseBackfillRecord(key: string, bytes: Uint8Array): BackfillRecord {
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const record = parseInput(backfillRecord, json, "backfill");
    checkKeys(key, record);
    return record;
  } catch (cause) {
    throw new StoredFileError(
      `${key} is damaged or no record of a backfill: ${messageOf(cause)}; restore it, or delete it and run the backfill again: what is stored is not fetched again`,
      { cause },
    );
  }
}

/** A record is of its key's dates and names files of that backfill alone: what it names is read. */
function checkKeys(key: string, record: BackfillRecord): void {
  const span = parseBackfillKey(key);
  if (span === undefined || spanName(span) !== spanName(record)) throw new Error(`it is of ${spanName(record)}`);
  for (const batch of record.batches) {
    const name = parseHistoryKey(batch.key);
    if (name === undefined || spanName(name) !== spanName(span) || name.batchNumber !== batch.batchNumber) {
      throw new Error(`it names ${quote(batch.key)}, which is no file of that backfill`);
    }
  }
  const named = new Set(record.batches.map(({ batchNumber }) => batchNumber));
  const stray = record.outcomes.find(({ batchNumber }) => batchNumber !== undefined && !named.has(batchNumber));
  if (stray !== undefined) {
    throw new Error(`${stray.symbol} stands in batch ${stray.batchNumber}, whose file it does not name`);
  }
  const outside = Object.keys(record.days).find((date) => date < span.from || date > span.to);
  if (outside !== undefined) throw new Error(`it has bars of ${outside}, outside its dates`);
}
