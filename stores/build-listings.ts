/** Makes the listings over time from what they are derived from: symbols CSVs, run summaries and records of backfills. */
import pLimit from "p-limit";
import { messageOf, StoredFileError } from "../domain/errors.ts";
import { addLists, type DatedList } from "../domain/listing-history.ts";
import {
  EMPTY_LISTING_STATE,
  type FoldedBackfill,
  type ListingState,
  type UnreadableList,
} from "../domain/listings-file.ts";
import { backfillsPrefix, parseBackfillKey, parseRunKey, runsPrefix, symbolsKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { parseBackfillRecord } from "../domain/parse-backfill-record.ts";
import { parseRunSummary } from "../domain/parse-run-summary.ts";
import type { TradingCalendar } from "../domain/trading-calendar.ts";
import { addOutcomes, type KnownOutcomes, type Watermarks } from "../domain/watermark.ts";
import { createListDecoder } from "./list-decoder.ts";
import { sha256 } from "./sha256.ts";
import { storedListDates } from "./symbols-csv.ts";

/** Files that are read at once. */
const READS_AT_ONCE = 16;
/** Files that are held in memory at once: a summary of 2,000 symbols has some 100 kB. */
const FILES_AT_ONCE = 64;

/** What the listings are made with. */
export interface BuildListingsParts {
  readonly store: ObjectStore;
  readonly calendar: Pick<TradingCalendar, "isTradingDay" | "previousTradingDay">;
  /** Is told of each file that is damaged and left out. */
  readonly warn: (message: string) => void;
}

/** Lists that were read, ascending, and those that could not be. */
export interface ReadLists {
  readonly lists: readonly DatedList[];
  readonly unreadable: readonly UnreadableList[];
}

/**
 * Reads everything that is stored and makes the state from it. A damaged file is left out and told.
 * @throws StoreUnavailableError where the store cannot be reached.
 */
export async function buildListings(parts: BuildListingsParts): Promise<ListingState> {
  let history = EMPTY_LISTING_STATE.history;
  const decode = createListDecoder();
  const unreadable: UnreadableList[] = [];
  for (const dates of inParts(await storedListDates(parts.store))) {
    const read = await readLists(dates, parts, decode);
    history = addLists(history, read.lists);
    unreadable.push(...read.unreadable);
  }
  const backfills = await listBackfillRecords(parts.store);
  return { history, unreadable, watermarks: await buildWatermarks(backfills, parts), backfills };
}

/** Reads the lists of some dates; one that is gone meanwhile is left out. */
export async function readLists(
  dates: readonly string[],
  { store, warn }: Pick<BuildListingsParts, "store" | "warn">,
  decode = createListDecoder(),
): Promise<ReadLists> {
  const lists: DatedList[] = [];
  const unreadable: UnreadableList[] = [];
  const files = await readAll(store, dates.map(symbolsKey));
  for (const [at, date] of dates.entries()) {
    const bytes = files[at];
    if (bytes === undefined) continue;
    const mark = sha256(bytes);
    try {
      lists.push({ date, sha256: mark, listings: decode(symbolsKey(date), bytes) });
    } catch (error) {
      if (!(error instanceof StoredFileError)) throw error;
      warn(`${messageOf(error)}. The listings over time are made without it`);
      unreadable.push({ date, sha256: mark });
    }
  }
  return { lists, unreadable };
}

/** What the run summaries of some dates say; a date without one is left out. */
export async function readRunOutcomes(
  keys: readonly string[],
  { store, warn }: Pick<BuildListingsParts, "store" | "warn">,
): Promise<KnownOutcomes[]> {
  return readOutcomes(keys, { store, warn }, parseRunSummary);
}

/** The records of backfills that are stored, with the store's marks of them. */
export async function listBackfillRecords(store: ObjectStore): Promise<FoldedBackfill[]> {
  const listed = await store.list(backfillsPrefix);
  return listed
    .filter(({ key }) => parseBackfillKey(key) !== undefined)
    .map(({ key, mark }): FoldedBackfill => ({ key, mark }));
}

/** What records of backfills say, by their keys. */
export async function readBackfillOutcomes(
  keys: readonly string[],
  { store, warn }: Pick<BuildListingsParts, "store" | "warn">,
): Promise<KnownOutcomes[]> {
  return readOutcomes(keys, { store, warn }, parseBackfillRecord);
}

async function buildWatermarks(
  backfills: readonly FoldedBackfill[],
  { store, calendar, warn }: BuildListingsParts,
): Promise<Watermarks> {
  let watermarks = EMPTY_LISTING_STATE.watermarks;
  const runs = (await store.list(runsPrefix)).filter(({ key }) => parseRunKey(key) !== undefined);
  for (const some of inParts(runs)) {
    const keys = some.map(({ key }) => key);
    watermarks = addOutcomes(watermarks, await readRunOutcomes(keys, { store, warn }), calendar);
  }
  for (const some of inParts(backfills)) {
    const keys = some.map(({ key }) => key);
    watermarks = addOutcomes(watermarks, await readBackfillOutcomes(keys, { store, warn }), calendar);
  }
  return watermarks;
}

async function readOutcomes(
  keys: readonly string[],
  { store, warn }: Pick<BuildListingsParts, "store" | "warn">,
  parse: (key: string, bytes: Uint8Array) => KnownOutcomes,
): Promise<KnownOutcomes[]> {
  const files = await readAll(store, keys);
  return keys.flatMap((key, at) => {
    const bytes = files[at];
    try {
      return bytes === undefined ? [] : [parse(key, bytes)];
    } catch (error) {
      if (!(error instanceof StoredFileError)) throw error;
      warn(`${messageOf(error)}. The watermarks are made without it`);
      return [];
    }
  });
}

function readAll(store: ObjectStore, keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
  const limit = pLimit(READS_AT_ONCE);
  return Promise.all(keys.map((key) => limit(() => store.get(key))));
}

function inParts<Item>(items: readonly Item[]): Item[][] {
  const count = Math.ceil(items.length / FILES_AT_ONCE);
  return Array.from({ length: count }, (_, at) => items.slice(at * FILES_AT_ONCE, (at + 1) * FILES_AT_ONCE));
}
