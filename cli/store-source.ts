import { InvalidInputError, StoredFileError } from "../domain/errors.ts";
import {
  historyPrefix,
  parseHistoryKey,
  parseRawDataGroup,
  parseRawDataKey,
  RAW_DATA_DELIMITER,
  rawDataFolder,
  rawDataPrefix,
} from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { priceSourceName } from "../lambdas/batch-fetcher/yahoo.ts";
import type { Environment } from "../lambdas/runtime/runtime.ts";
import { readStoredDay, readStoredFile, refuseOtherSource } from "../lambdas/runtime/stored-day.ts";
import { readHistorySource } from "../stores/history-file-reader.ts";
import { endpointOf, openStore } from "../stores/open-store.ts";

/** The price source that files of a sandbox name. */
const MADE_UP_SOURCE = "stand-in";
/** Days, and files of backfills, that are looked at, newest first, for one that says where its bars came from. */
const DAYS_LOOKED_AT = 3;
const HISTORY_LOOKED_AT = 3;
/** A hint is not worth more waiting, in milliseconds. */
const HINT_TIMEOUT_MS = 3_000;

/** What is known of a store's bars by one of its newest files. */
export interface StoreSource {
  readonly key: string;
  /** The name of the price source. */
  readonly source: string;
}

/**
 * Where the stored bars came from, by a file of one of the newest days, else by one of a backfill; undefined where nothing
 * is stored, or none of the files that were looked at can be read and says it.
 * @throws StoreUnavailableError, StoreRefusedError
 */
export async function sourceOfStore(store: ObjectStore): Promise<StoreSource | undefined> {
  return (await sourceOfDays(store)) ?? (await sourceOfHistory(store));
}

async function sourceOfDays(store: ObjectStore): Promise<StoreSource | undefined> {
  const groups = await store.groups(rawDataFolder, RAW_DATA_DELIMITER);
  const dates = new Set(groups.map(parseRawDataGroup).filter((date) => date !== undefined));
  for (const date of [...dates].sort().reverse().slice(0, DAYS_LOOKED_AT)) {
    const keys = (await store.list(rawDataPrefix(date))).map(({ key }) => key);
    const key = keys.find((listed) => parseRawDataKey(listed)?.date === date);
    const source = key === undefined ? undefined : await sourceOfFile(store, key);
    if (key !== undefined && source !== undefined) return { key, source };
  }
  return undefined;
}

async function sourceOfHistory(store: ObjectStore): Promise<StoreSource | undefined> {
  const keys = (await store.list(historyPrefix)).map(({ key }) => key).filter((key) => parseHistoryKey(key));
  for (const key of keys.reverse().slice(0, HISTORY_LOOKED_AT)) {
    const source = await sourceOfFile(store, key);
    if (source !== undefined) return { key, source };
  }
  return undefined;
}

async function sourceOfFile(store: ObjectStore, key: string): Promise<string | undefined> {
  try {
    if (parseHistoryKey(key) === undefined) return (await readStoredFile(store, key))?.contents.source;
    const bytes = await store.get(key);
    return bytes && readHistorySource(key, bytes);
  } catch (error) {
    if (error instanceof StoredFileError) return undefined; // another file can tell as well
    throw error;
  }
}

/** What a run is to be kept from mixing. */
export interface RunSource {
  /** Trading dates whose every file is looked at; none for a backfill, which touches no day's files. */
  readonly dates: readonly string[];
  /** As `--source` names it. */
  readonly source: string;
  readonly environment: Environment;
}

/**
 * Refuses a run that would put made-up bars beside real ones: nobody could tell them apart any more, and those that are
 * stored are not asked for again.
 * @throws InvalidInputError that names a file of another source and what to do.
 */
export async function refuseMixedSources(store: ObjectStore, { dates, source, environment }: RunSource): Promise<void> {
  const base = source === "live" ? environment["YAHOO_URL"] : source;
  const expected = base === undefined ? "yahoo" : base === "sandbox" ? MADE_UP_SOURCE : priceSourceName(base);
  for (const date of dates) refuseOtherSource(await readStoredDay(store, date), expected);
  const stored = await sourceOfStore(store);
  if (stored === undefined || stored.source === expected) return;
  const remedy =
    stored.source === MADE_UP_SOURCE
      ? "say --source sandbox to go on with made-up bars, or name another --store"
      : "name another --store";
  throw new InvalidInputError(
    `${store.url} holds bars of another source (${stored.key}: ${stored.source}, this run has ${expected}); ${remedy}, so that made-up and real bars are not mixed`,
  );
}

/**
 * The option that a run into the store needs besides, with a space before it: ` --source sandbox` where its bars are made
 * up, else nothing, also where the store cannot be asked.
 */
export async function sourceOption(url: string, environment: Environment): Promise<string> {
  try {
    const store = await openStore(url, { endpoint: endpointOf(environment), listingTimeoutMs: HINT_TIMEOUT_MS });
    return (await sourceOfStore(store))?.source === MADE_UP_SOURCE ? " --source sandbox" : "";
  } catch {
    return ""; // a hint must not replace what it was for
  }
}
