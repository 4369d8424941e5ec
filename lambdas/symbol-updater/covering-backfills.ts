/** What complete backfills of the market say of days: which are whole by them, and what they settle that a run left. */
import pLimit from "p-limit";
import { BACKFILL_STATUSES, type BackfillRecord } from "../../domain/backfill.ts";
import { isFinal, SYMBOL_SOURCES } from "../../domain/batch.ts";
import { backfillsPrefix, historyFilesPrefix, parseBackfillKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { parseBackfillRecord } from "../../domain/parse-backfill-record.ts";
import { RUN_STATUSES, type RunSummary } from "../../domain/run-summary.ts";

/** Records that are read at the same time. */
const RECORDS_AT_ONCE = 20;

/** Takes note of a damaged file, and throws every other error. */
export type Warn = (error: unknown) => undefined;

/** A complete backfill of the market. */
export interface Backfill {
  readonly record: BackfillRecord;
  /** Whether the files that it names are stored, as far as a listing tells; they are listed once, when that is asked. */
  readonly isStored: () => Promise<boolean>;
}

/** Who is told what is wrong with backfills. */
interface Tell {
  /** Of damaged records. */
  readonly warn: Warn;
  /** Of files that are missing or of another size, in a sentence without its stop. */
  readonly lost: (sentence: string) => void;
}

/** The backfills that are complete and of the market, rather than of a few named symbols. */
export async function readBackfills(store: ObjectStore, { warn, lost }: Tell): Promise<Backfill[]> {
  const listed = (await store.list(backfillsPrefix)).filter(({ key }) => parseBackfillKey(key) !== undefined);
  const records = await pLimit(RECORDS_AT_ONCE).map(listed, async ({ key }) => {
    const bytes = await store.get(key);
    try {
      return bytes === undefined ? undefined : parseBackfillRecord(key, bytes);
    } catch (error) {
      return warn(error);
    }
  });
  return records
    .filter((record) => record !== undefined)
    .filter(({ status, symbols }) => status === BACKFILL_STATUSES.complete && symbols.source !== SYMBOL_SOURCES.event)
    .map((record) => ({ record, isStored: rememberingFiles(record, store, lost) }));
}

/** The records of those whose files are stored. */
export async function thoseStored(backfills: readonly Backfill[]): Promise<BackfillRecord[]> {
  const stored = await Promise.all(backfills.map(({ isStored }) => isStored()));
  return backfills.filter((_, index) => stored[index] === true).map(({ record }) => record);
}

/** Whether backfills over a run's day that were finished after it have an outcome that stands for every symbol it left unfinished. */
export function settles(
  covering: readonly BackfillRecord[],
  { date, status, finishedAt, outcomes }: RunSummary,
): boolean {
  const newer = covering.filter((record) => Date.parse(record.finishedAt) > Date.parse(finishedAt));
  // What a gate refused, newer bars alone can mend.
  const since = status === RUN_STATUSES.failed ? newer.filter(({ days }) => (days[date] ?? 0) > 0) : newer;
  if (since.length === 0) return false;
  const settled = new Set(
    since.flatMap((record) => record.outcomes.filter(({ outcome }) => isFinal(outcome)).map(({ symbol }) => symbol)),
  );
  return outcomes.every(({ symbol, outcome }) => isFinal(outcome) || settled.has(symbol));
}

/** Looks once whether the files of a backfill are stored in their sizes, and tells where one is not. */
function rememberingFiles(
  { from, to, batches }: BackfillRecord,
  store: ObjectStore,
  lost: Tell["lost"],
): () => Promise<boolean> {
  const look = async (): Promise<boolean> => {
    const listed = await store.list(historyFilesPrefix({ from, to }));
    const sizes = new Map(listed.map(({ key, bytes }) => [key, bytes]));
    const notAsNamed = batches.filter(({ key, bytes }) => sizes.get(key) !== bytes);
    const [first] = notAsNamed;
    if (first === undefined) return true;
    lost(
      `${notAsNamed.length} of the ${batches.length} files of the backfill from ${from} to ${to} are missing or of another size, such as ${first.key}: its days are not whole until it is run again, asx backfill --from ${from} --to ${to}`,
    );
    return false;
  };
  let looked: Promise<boolean> | undefined;
  return () => {
    looked ??= look();
    return looked;
  };
}
