import { StoredFileError } from "../domain/errors.ts";
import { parseRawDataKey, rawDataPrefix, runKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { parseRunSummary } from "../domain/parse-run-summary.ts";
import { checkSeal } from "../stores/file-seal.ts";
import { sha256 } from "../stores/sha256.ts";

/** A batch file's bytes, checked where there was something to check them against. */
export interface DayFile {
  readonly key: string;
  readonly bytes: Uint8Array;
}

/**
 * The batch files of a date: those its run summary names, each with the SHA-256 it says, or those that
 * a listing finds where there is no summary, each compared with its seal where it has one.
 * @returns undefined where nothing is stored for the date; no files where the market was closed.
 * @throws StoredFileError where a named file is missing or a file has other bytes.
 */
export async function readDayFiles(store: ObjectStore, date: string): Promise<DayFile[] | undefined> {
  const key = runKey(date);
  const bytes = await store.get(key);
  if (bytes === undefined) return listedFiles(store, date);
  const { batches } = parseRunSummary(key, bytes);
  const named = batches.flatMap((batch) => (batch.key === null ? [] : { key: batch.key, sha256: batch.sha256 }));
  return Promise.all(named.map((file) => readNamed(store, file, key)));
}

async function readNamed(
  store: ObjectStore,
  file: { readonly key: string; readonly sha256: string | null },
  summaryKey: string,
): Promise<DayFile> {
  const bytes = await store.get(file.key);
  if (bytes === undefined) {
    throw new StoredFileError(
      `${store.locate(file.key)} is missing, but ${summaryKey} names it; restore it, or run the date again`,
    );
  }
  const found = sha256(bytes);
  if (found !== file.sha256) {
    throw new StoredFileError(
      `${store.locate(file.key)} is not the file that ${summaryKey} names: its SHA-256 is ${found}, not ${file.sha256}. A run of the date is under way or broke off, or the file was changed: run the date again`,
    );
  }
  return { key: file.key, bytes };
}

async function listedFiles(store: ObjectStore, date: string): Promise<DayFile[] | undefined> {
  const listed = (await store.list(rawDataPrefix(date))).filter(({ key }) => parseRawDataKey(key)?.date === date);
  const files = await Promise.all(listed.map(({ key }) => readListed(store, key)));
  return files.length === 0 ? undefined : files;
}

async function readListed(store: ObjectStore, key: string): Promise<DayFile> {
  const bytes = await store.get(key);
  if (bytes === undefined) throw new StoredFileError(`${store.locate(key)} vanished while it was read; try again`);
  if (checkSeal(bytes) === "broken") {
    throw new StoredFileError(
      `${store.locate(key)} is damaged: its bytes are not those it was written with; restore it, or delete it and run the date again`,
    );
  }
  return { key, bytes };
}
