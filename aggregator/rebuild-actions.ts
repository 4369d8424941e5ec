import { type ActionsAnswer, type CorporateAction, observeActions } from "../domain/corporate-action.ts";
import { StoreConflictError, StoredFileError } from "../domain/errors.ts";
import { actionsKey, parseRevisionsKey, revisionsPrefix } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { parseRevisions, type Revision } from "../domain/revision.ts";
import { decodeActionsCsv, encodeActionsCsv, storedActionYears, yearOf } from "../stores/actions-csv.ts";

/** Times that others may change the files meanwhile before that is an error. */
const TRIES = 8;

/** What became of the files of actions. */
export interface RebuiltActions {
  /** Values recorded now, those that hold no more included. */
  readonly actions: number;
  /** Keys of the files that were written; the others were right. */
  readonly written: readonly string[];
  /** What could not be read, a sentence each: a damaged file of actions was written anew, a damaged record was left out. */
  readonly damaged: readonly string[];
}

/**
 * Writes the files of actions anew: what they hold, united with what is known from elsewhere and what the records of changed
 * bars say. Runs may record actions meanwhile.
 * @param known what all stored bars say.
 * @throws StoreConflictError where others keep changing the files.
 */
export async function rebuildActions(store: ObjectStore, known: readonly CorporateAction[]): Promise<RebuiltActions> {
  const { answers, damaged } = await revisedActions(store);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const rebuilt = await writeYears(store, known, answers);
      return { ...rebuilt, damaged: [...damaged, ...rebuilt.damaged] };
    } catch (error) {
      if (!(error instanceof StoreConflictError) || attempt === TRIES) throw error;
    }
  }
}

async function writeYears(
  store: ObjectStore,
  known: readonly CorporateAction[],
  answers: readonly ActionsAnswer[],
): Promise<RebuiltActions> {
  const damaged: string[] = [];
  const filed: CorporateAction[] = [];
  const files = new Map<string, { readonly version: string; readonly bytes: Uint8Array }>();
  for (const year of await storedActionYears(store)) {
    const key = actionsKey(year);
    const file = await store.read(key);
    if (file === undefined) continue;
    files.set(year, file);
    try {
      filed.push(...decodeActionsCsv(key, file.bytes));
    } catch (error) {
      if (!(error instanceof StoredFileError)) throw error;
      damaged.push(error.message);
    }
  }
  const actions = observeActions([...filed, ...known], answers);
  const years = Map.groupBy(actions, yearOf);
  const written: string[] = [];
  for (const year of [...new Set([...files.keys(), ...years.keys()])].sort()) {
    const bytes = encodeActionsCsv(years.get(year) ?? []);
    const before = files.get(year);
    if (before !== undefined && Buffer.compare(before.bytes, bytes) === 0) continue;
    await store.replace(actionsKey(year), bytes, before?.version);
    written.push(actionsKey(year));
  }
  return { actions: actions.length, written, damaged };
}

/** What bars said before and after they were changed. */
async function revisedActions(store: ObjectStore): Promise<{ answers: ActionsAnswer[]; damaged: string[] }> {
  const answers: ActionsAnswer[] = [];
  const damaged: string[] = [];
  for (const { key } of await store.list(revisionsPrefix)) {
    const date = parseRevisionsKey(key)?.date;
    const bytes = date === undefined ? undefined : await store.get(key);
    if (date === undefined || bytes === undefined) continue;
    try {
      answers.push(...parseRevisions(key, bytes).flatMap((revision) => answersOf(date, revision)));
    } catch (error) {
      if (!(error instanceof StoredFileError)) throw error;
      damaged.push(error.message);
    }
  }
  return { answers, damaged };
}

function answersOf(date: string, { symbol, fetchedAt, revisedAt, before, after }: Revision): ActionsAnswer[] {
  const states = [{ at: fetchedAt, values: before }, ...(after === null ? [] : [{ at: revisedAt, values: after }])];
  return states.map(({ at, values: { dividend, splitRatio } }) => ({
    ...{ symbol, span: { from: date, to: date }, answeredAt: Date.parse(at) },
    dividends: new Map(dividend === null ? [] : [[date, dividend]]),
    splits: new Map(splitRatio === null ? [] : [[date, splitRatio]]),
  }));
}
