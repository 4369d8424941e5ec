import { spanName } from "../domain/date-span.ts";
import { StoredFileError } from "../domain/errors.ts";
import { backfillKey, backfillsPrefix, parseBackfillKey, parseBackfillLockKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { parseBackfillRecord } from "../domain/parse-backfill-record.ts";

/**
 * The last date of the newest backfill from a date that was begun and is not whole, other than one to a date; undefined
 * where there is none. What it has fetched counts for its own dates alone.
 * @throws StoreUnavailableError, StoreRefusedError
 */
export async function unfinishedBackfill(
  store: ObjectStore,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<string | undefined> {
  const listed = await store.list(`${backfillsPrefix}${from}_`);
  const spans = listed.flatMap(({ key }) => parseBackfillLockKey(key) ?? parseBackfillKey(key) ?? []);
  const others = new Map(spans.filter((span) => span.to !== to).map((span) => [spanName(span), span]));
  for (const span of [...others.values()].reverse()) {
    const bytes = await store.get(backfillKey(span));
    if (bytes === undefined || !isComplete(backfillKey(span), bytes)) return span.to;
  }
  return undefined;
}

function isComplete(key: string, bytes: Uint8Array): boolean {
  try {
    return parseBackfillRecord(key, bytes).status === "complete";
  } catch (error) {
    if (error instanceof StoredFileError) return false;
    throw error;
  }
}
