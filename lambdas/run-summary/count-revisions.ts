import { parseRevisionsKey, revisionsPrefix } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { parseRevisions } from "../../domain/revision.ts";

/**
 * Changes of stored bars of a date that are on record.
 * @throws StoredFileError where a record is damaged.
 */
export async function countRevisions(store: ObjectStore, date: string): Promise<number> {
  let count = 0;
  for (const { key } of await store.list(`${revisionsPrefix}${date}`)) {
    const bytes = parseRevisionsKey(key)?.date === date ? await store.get(key) : undefined;
    if (bytes !== undefined) count += parseRevisions(key, bytes).length;
  }
  return count;
}
