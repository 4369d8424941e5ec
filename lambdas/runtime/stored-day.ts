import { isFinal, type SymbolReport } from "../../domain/batch.ts";
import { InvalidInputError, StoredFileError } from "../../domain/errors.ts";
import { parseRawDataKey, rawDataPrefix } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { type BatchContents, decodeBatchFile } from "../../stores/batch-file-reader.ts";
import { sha256 } from "../../stores/sha256.ts";

/** A batch file as it is stored. */
export interface StoredBatchFile {
  readonly key: string;
  readonly batchNumber: number | null;
  readonly bytes: number;
  readonly sha256: string;
  /** The store's mark of these bytes, for writing over them and no others. */
  readonly version: string;
  readonly contents: BatchContents;
}

/** What is stored of a date. */
export interface StoredDay {
  readonly files: readonly StoredBatchFile[];
  /** The outcome of every symbol the files tell of: a final one wherever any file has one. */
  readonly reports: ReadonlyMap<string, SymbolReport>;
}

/**
 * Reads every batch file of a date. The files are the checkpoint: together they hold each bar once
 * and the outcome of each symbol that was asked for, however the batches were cut.
 * @throws StoredFileError where a file is damaged or two files hold the same symbol's bar.
 */
export async function readStoredDay(store: ObjectStore, date: string): Promise<StoredDay> {
  const listed = (await store.list(rawDataPrefix(date))).filter(({ key }) => parseRawDataKey(key) !== undefined);
  const read = await Promise.all(listed.map(({ key }) => readStoredFile(store, key)));
  const files = read.filter((file) => file !== undefined);
  return { files, reports: collectReports(files) };
}

/**
 * Reads one batch file; undefined where there is none.
 * @throws StoredFileError where it is damaged, or its key is none of a batch file.
 */
export async function readStoredFile(store: ObjectStore, key: string): Promise<StoredBatchFile | undefined> {
  const stored = await store.read(key);
  if (stored === undefined) return undefined;
  const { bytes, version } = stored;
  const contents = await decodeBatchFile(key, bytes);
  const batchNumber = parseRawDataKey(key)?.batchNumber ?? null;
  return { key, batchNumber, bytes: bytes.length, sha256: sha256(bytes), version, contents };
}

/**
 * Made-up bars that were mixed with real ones could not be told apart any more.
 * @throws InvalidInputError that names a file of another source.
 */
export function refuseOtherSource({ files }: StoredDay, source: string): void {
  const other = files.find(({ contents }) => contents.source !== undefined && contents.source !== source);
  if (other === undefined) return;
  throw new InvalidInputError(
    `${other.key} holds bars of another source (${other.contents.source}, this run has ${source}); use another store, so that made-up and real bars are not mixed`,
  );
}

function collectReports(files: readonly StoredBatchFile[]): Map<string, SymbolReport> {
  const reports = new Map<string, SymbolReport>();
  for (const report of files.flatMap(({ contents }) => contents.reports)) {
    const known = reports.get(report.symbol);
    if (known === undefined || !isFinal(known.outcome)) reports.set(report.symbol, report);
  }
  const keyOfBar = new Map<string, string>();
  for (const { key, contents } of files) {
    for (const { symbol } of contents.bars) {
      const other = keyOfBar.get(symbol);
      if (other !== undefined) {
        throw new StoredFileError(
          `${symbol} is stored twice, in ${other} and in ${key}; delete one of the two and run the date again`,
        );
      }
      keyOfBar.set(symbol, key);
      reports.set(symbol, { symbol, outcome: "fetched" });
    }
  }
  return reports;
}
