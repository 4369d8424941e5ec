import { messageOf, StoreConflictError, StoredFileError } from "../../domain/errors.ts";
import { parseRawDataKey, rawDataPrefix } from "../../domain/object-keys.ts";
import { decodeBatchFile } from "../../stores/batch-file-reader.ts";
import { encodeBatchFile } from "../runtime/batch-file-writer.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { readStoredDay, type StoredDay } from "../runtime/stored-day.ts";

/**
 * Reads every batch file of a date, as `readStoredDay` does. A file that cannot be read is replaced by one of no rows and
 * no outcomes first: what it held is unknown, so all of it is fetched again. A versioned store keeps the bytes that it had.
 * @param source the name of the price source, for the file of no rows.
 * @throws StoredFileError where the files contradict each other: no fetching mends that.
 */
export async function readMendedDay(
  date: string,
  source: string,
  runtime: Pick<Runtime, "store" | "logger">,
): Promise<StoredDay> {
  const { store } = runtime;
  try {
    return await readStoredDay(store, date);
  } catch (error) {
    if (!(error instanceof StoredFileError)) throw error;
  }
  for (const { key } of await store.list(rawDataPrefix(date))) {
    if (parseRawDataKey(key) !== undefined) await mendFile(key, source, runtime);
  }
  return readStoredDay(store, date);
}

async function mendFile(
  key: string,
  source: string,
  { store, logger }: Pick<Runtime, "store" | "logger">,
): Promise<void> {
  const stored = await store.read(key);
  if (stored === undefined) return;
  try {
    await decodeBatchFile(key, stored.bytes);
  } catch (error) {
    if (!(error instanceof StoredFileError)) throw error;
    logger.error(`${messageOf(error)}. What it held is fetched again`, { key });
    const empty = await encodeBatchFile({ bars: [], reports: [], source });
    await store.replace(key, empty, stored.version).catch((conflict: unknown) => {
      // Another worker of the run has mended it.
      if (!(conflict instanceof StoreConflictError)) throw conflict;
    });
  }
}
