import type { BackfillRecord, HistoryFileEntry } from "../../domain/backfill.ts";
import type { DateSpan } from "../../domain/date-span.ts";
import { InvalidInputError, StoredFileError } from "../../domain/errors.ts";
import { backfillKey, historyFilesPrefix, parseHistoryKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { parseBackfillRecord } from "../../domain/parse-backfill-record.ts";
import { type HistoryFacts, readHistoryFacts, readHistorySource } from "../../stores/history-file-reader.ts";
import { sha256 } from "../../stores/sha256.ts";

/** What is stored of a backfill, without what its files say. */
export interface StoredBackfill {
  /** Undefined where no round has ended yet. */
  readonly record: BackfillRecord | undefined;
  /** The store's mark of the record, for writing over it and no other. */
  readonly version: string | undefined;
  /** The stored files in order of number, whether the record names them or not. */
  readonly files: readonly ListedHistoryFile[];
}

/** A stored file of a backfill as a listing shows it. */
export interface ListedHistoryFile {
  readonly key: string;
  readonly batchNumber: number;
  readonly bytes: number;
}

/** A stored file of a backfill that was read. */
export interface ReadHistoryFile {
  readonly entry: HistoryFileEntry;
  readonly facts: HistoryFacts;
}

/**
 * Looks at what is stored of a backfill.
 * @throws StoredFileError where its record is damaged.
 */
export async function readStoredBackfill(store: ObjectStore, span: DateSpan): Promise<StoredBackfill> {
  const key = backfillKey(span);
  const [listed, stored] = await Promise.all([store.list(historyFilesPrefix(span)), store.read(key)]);
  const files = listed.flatMap(({ key: fileKey, bytes }) => {
    const name = parseHistoryKey(fileKey);
    return name === undefined ? [] : { key: fileKey, batchNumber: name.batchNumber, bytes };
  });
  return {
    record: stored === undefined ? undefined : parseBackfillRecord(key, stored.bytes),
    version: stored?.version,
    files: files.toSorted((left, right) => left.batchNumber - right.batchNumber),
  };
}

/**
 * The files that the record names and that are gone.
 * @throws StoredFileError where one has another size than the record says: it was changed, and what it holds is unknown.
 */
export function goneFiles({ record, files }: Pick<StoredBackfill, "record" | "files">): HistoryFileEntry[] {
  const sizes = new Map(files.map(({ key, bytes }) => [key, bytes]));
  const named = record?.batches ?? [];
  const changed = named.find(({ key, bytes }) => (sizes.get(key) ?? bytes) !== bytes);
  if (changed !== undefined) {
    throw new StoredFileError(
      `${changed.key} has ${sizes.get(changed.key)} bytes, but the backfill's record names ${changed.bytes}; restore it, or delete it and run the backfill again: its symbols are asked for again then`,
    );
  }
  return named.filter(({ key }) => !sizes.has(key));
}

/** The files that the record names and that are still there, as far as a listing can tell. */
export function namedFiles({ record, files }: Pick<StoredBackfill, "record" | "files">): HistoryFileEntry[] {
  const sizes = new Map(files.map(({ key, bytes }) => [key, bytes]));
  return record?.batches.filter(({ key, bytes }) => sizes.get(key) === bytes) ?? [];
}

/** The files that the record does not name: of a run that was killed before its summary, or of the round just ended. */
export function unnamedFiles({ record, files }: Pick<StoredBackfill, "record" | "files">): ListedHistoryFile[] {
  const named = new Set(record?.batches.map(({ key }) => key));
  return files.filter(({ key }) => !named.has(key));
}

/**
 * Reads a stored file of a backfill without its prices; undefined where there is none.
 * @throws StoredFileError where it is damaged.
 */
export async function readHistoryFile(
  store: ObjectStore,
  { key, batchNumber }: Pick<ListedHistoryFile, "key" | "batchNumber">,
): Promise<ReadHistoryFile | undefined> {
  const bytes = await store.get(key);
  if (bytes === undefined) return undefined;
  const facts = await readHistoryFacts(key, bytes);
  return { entry: { batchNumber, key, rows: facts.rows, bytes: bytes.length, sha256: sha256(bytes) }, facts };
}

/**
 * Made-up bars that were mixed with real ones could not be told apart any more.
 * @throws InvalidInputError where the record, or where there is none a stored file, is of another source.
 */
export async function refuseOtherHistory(store: ObjectStore, stored: StoredBackfill, source: string): Promise<void> {
  const recorded = stored.record?.source ?? undefined;
  const [first] = stored.files;
  const bytes = recorded === undefined && first !== undefined ? await store.get(first.key) : undefined;
  const known = first === undefined || bytes === undefined ? recorded : readHistorySource(first.key, bytes);
  if (known === undefined || known === source) return;
  throw new InvalidInputError(
    `${first?.key ?? "the backfill's record"} is of another source (${known}, this run has ${source}); use another store, so that made-up and real bars are not mixed`,
  );
}
