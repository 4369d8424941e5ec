import type { BackfillRecord } from "../domain/backfill.ts";
import { DateNotStoredError } from "../domain/errors.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { parseBackfillRecord } from "../domain/parse-backfill-record.ts";

/**
 * The record that a backfill has just written.
 * @throws DateNotStoredError where it is gone, StoredFileError where it is damaged.
 */
export async function readWrittenBackfill(store: ObjectStore, key: string): Promise<BackfillRecord> {
  const bytes = await store.get(key);
  if (bytes === undefined) {
    throw new DateNotStoredError(`${store.locate(key)} vanished after it was written; run the backfill again`);
  }
  return parseBackfillRecord(key, bytes);
}
