import { DateNotStoredError } from "../domain/errors.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { parseRunSummary } from "../domain/parse-run-summary.ts";
import type { RunSummary } from "../domain/run-summary.ts";

/**
 * The run summary that a run has just written.
 * @throws DateNotStoredError where it is gone, StoredFileError where it is damaged.
 */
export async function readWrittenSummary(store: ObjectStore, key: string): Promise<RunSummary> {
  const bytes = await store.get(key);
  if (bytes === undefined) {
    throw new DateNotStoredError(`${store.locate(key)} vanished after it was written; run the date again`);
  }
  return parseRunSummary(key, bytes);
}
