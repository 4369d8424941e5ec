import { StoreConflictError } from "../../domain/errors.ts";
import { parseRawDataKey, revisionsKey } from "../../domain/object-keys.ts";
import { parseRevisions, type Revision } from "../../domain/revision.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** Tries to add to a record beside another writer of it, and the longest wait between two, in milliseconds. */
const WRITES = 8;
const LONGEST_WAIT_MS = 200;

/**
 * Adds changes of stored bars to the record of their batch file. A change that was recorded already, by a try that was
 * killed before it stored the bar, is not recorded twice.
 * @param batchKey key of the batch file that holds the bars.
 * @throws StoredFileError where the record is damaged; StoreConflictError where others kept changing it.
 */
export async function storeRevisions(
  batchKey: string,
  revisions: readonly Revision[],
  { store, clock, random }: Pick<Runtime, "store" | "clock" | "random">,
): Promise<void> {
  const name = parseRawDataKey(batchKey);
  if (name === undefined || revisions.length === 0) return;
  const key = revisionsKey(name);
  for (let writes = 1; ; writes += 1) {
    const stored = await store.read(key);
    const known = stored === undefined ? [] : parseRevisions(key, stored.bytes);
    const added = revisions.filter((revision) => !isRecorded(revision, known));
    if (added.length === 0) return;
    const file = { version: 1, date: name.date, revisions: [...known, ...added] };
    try {
      await store.replace(key, new TextEncoder().encode(`${JSON.stringify(file)}\n`), stored?.version);
      return;
    } catch (error) {
      if (!(error instanceof StoreConflictError) || writes === WRITES) throw error;
      await clock.sleep(Math.ceil(random() * LONGEST_WAIT_MS));
    }
  }
}

/** Whether the last change of the symbol's bar is this one. */
function isRecorded(revision: Revision, known: readonly Revision[]): boolean {
  const last = known.findLast(({ symbol }) => symbol === revision.symbol);
  return (
    last !== undefined &&
    JSON.stringify([last.before, last.after]) === JSON.stringify([revision.before, revision.after])
  );
}
