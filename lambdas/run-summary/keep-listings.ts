import type { BackfillRecord } from "../../domain/backfill.ts";
import { messageOf, StoreConflictError, StoredFileError } from "../../domain/errors.ts";
import { addLists } from "../../domain/listing-history.ts";
import type { ListingState } from "../../domain/listings-file.ts";
import { listingsKey, parseSymbolsKey, runKey } from "../../domain/object-keys.ts";
import type { RunSummary } from "../../domain/run-summary.ts";
import type { TradingCalendar } from "../../domain/trading-calendar.ts";
import { addOutcomes } from "../../domain/watermark.ts";
import {
  type BuildListingsParts,
  buildListings,
  listBackfillRecords,
  readBackfillOutcomes,
  readLists,
  readRunOutcomes,
} from "../../stores/build-listings.ts";
import { decodeListings, encodeListings } from "../../stores/listings-file.ts";
import { storedListDates } from "../../stores/symbols-csv.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** Times that another writer may be first. */
const MOST_TRIES = 5;

/** What was written into the store: the listings follow. */
export interface ListingNews {
  /** Run summaries, each with the outcomes of its date. */
  readonly runs?: readonly RunSummary[];
  /** Records of backfills. */
  readonly backfills?: readonly BackfillRecord[];
}

/** What keeping the listings needs. */
export interface KeepListingsOptions {
  readonly calendar: TradingCalendar;
  readonly runtime: Pick<Runtime, "store" | "logger">;
}

/**
 * Brings `listings/listings.json` up to date: the lists that are new, and the outcomes of a run or a backfill. Where the
 * file is missing or damaged, or a list in its middle is not as it was folded, it is made anew from all that is stored.
 *
 * What an earlier run could not keep is made up for: lists that are not folded, with the runs of their dates, the newest list
 * where it was stored anew, and records of backfills. Not so a run of a date whose list was folded before.
 *
 * It never throws: the file is derived. Trouble is logged.
 */
export async function keepListings(news: ListingNews, { calendar, runtime }: KeepListingsOptions): Promise<void> {
  const { store, logger } = runtime;
  const parts: BuildListingsParts = { store, calendar, warn: (message) => logger.warn(message) };
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        await keepOnce(news, parts);
        return;
      } catch (error) {
        if (!(error instanceof StoreConflictError) || tries >= MOST_TRIES) throw error;
      }
    }
  } catch (error) {
    logger.warn(
      `${store.locate(listingsKey)} is not up to date: ${messageOf(error)}; the next run makes up for it, but for days that were run again: asx listings --rebuild takes in all`,
    );
  }
}

async function keepOnce(news: ListingNews, parts: BuildListingsParts): Promise<void> {
  const { store, warn } = parts;
  const stored = await store.read(listingsKey);
  const known = stored && readable(stored.bytes, warn);
  const state = (known && (await continued(known, news, parts))) ?? (await buildListings(parts));
  const bytes = encodeListings(state);
  if (stored !== undefined && Buffer.from(stored.bytes).equals(bytes)) return;
  await store.replace(listingsKey, bytes, stored?.version);
}

function readable(bytes: Uint8Array, warn: (message: string) => void): ListingState | undefined {
  try {
    return decodeListings(bytes);
  } catch (error) {
    if (!(error instanceof StoredFileError)) throw error;
    warn(messageOf(error));
    return undefined;
  }
}

/** The state with what is new; undefined where it has to be made anew. */
async function continued(
  { history, unreadable, watermarks, backfills: folded }: ListingState,
  { runs = [], backfills = [] }: ListingNews,
  parts: BuildListingsParts,
): Promise<ListingState | undefined> {
  const sums = new Map([...history.lists, ...unreadable].map(({ date, sha256 }) => [date, sha256]));
  const dates = await storedListDates(parts.store);
  const newest = history.lists.at(-1)?.date ?? "";
  const added = dates.filter((date) => !sums.has(date));
  const isBehind = sums.size + added.length !== dates.length || added.some((date) => date < newest);
  if (isBehind) return undefined;

  const written = new Set([...runs, ...backfills].map(({ symbols }) => parseSymbolsKey(symbols.s3Key ?? "")));
  // The newest list was stored anew by a run that was killed, or by one that could not keep it.
  const rewritten = dates.filter((date) => (written.has(date) || date === newest) && sums.has(date));
  const read = await readLists([...rewritten, ...added], parts);
  const lists = read.lists.filter(({ date, sha256 }) => sums.get(date) !== sha256);
  const failed = read.unreadable.filter(({ date, sha256 }) => sums.get(date) !== sha256);
  const isMiddle = lists.some(({ date }) => date < newest) || unreadable.some(({ date }) => written.has(date));
  if (isMiddle || failed.some(({ date }) => sums.has(date))) return undefined;

  const own = new Set(runs.map(({ date }) => date));
  const missed = added.filter((date) => !own.has(date)).map(runKey);
  const marks = new Map(folded.map(({ key, mark }) => [key, mark]));
  const records = await listBackfillRecords(parts.store);
  const changed = records.filter(({ key, mark }) => marks.get(key) !== mark).map(({ key }) => key);
  const outcomes = [
    ...(await readRunOutcomes(missed, parts)),
    ...(await readBackfillOutcomes(changed, parts)),
    ...[...runs, ...backfills],
  ];
  return {
    history: addLists(history, lists),
    unreadable: [...unreadable, ...failed],
    watermarks: addOutcomes(watermarks, outcomes, parts.calendar),
    backfills: records,
  };
}
