import pLimit from "p-limit";
import { isFinal } from "../../domain/batch.ts";
import { messageOf, StoredFileError } from "../../domain/errors.ts";
import { parseRawDataKey, rawDataPrefix } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { RUN_STATUSES, type RunSummary } from "../../domain/run-summary.ts";
import { FIRST_CALENDAR_DATE, type TradingCalendar } from "../../domain/trading-calendar.ts";
import { addDays } from "../../domain/trading-date.ts";
import { sha256 } from "../../stores/sha256.ts";
import { readStoredList, storedListDates } from "../../stores/symbols-csv.ts";
import { knowsListing, readRunSummary } from "../runtime/earlier-sessions.ts";
import { readStoredFile } from "../runtime/stored-day.ts";
import { type Backfill, readBackfills, settles, thoseStored, type Warn } from "./covering-backfills.ts";

/** Days that are looked at at the same time; the files of each are read together. */
const DAYS_AT_ONCE = 4;
/** Files of a day that are read at the same time. */
const FILES_AT_ONCE = 20;
/** Most warnings that are told: the run's message carries them. */
const WARNINGS_TOLD = 10;

/** A trading day that is not whole. */
export interface Gap {
  readonly date: string;
  /** Why, in a few words. */
  readonly why: string;
  /** Symbols that the day is known to lack: of its summary's, or where it has none of the newest list at that time. */
  readonly lacking: ReadonlySet<string>;
}

/** What is not whole. */
export interface Gaps {
  /** In order of date. */
  readonly gaps: readonly Gap[];
  /** What is damaged, in full sentences without their stop; the first few. */
  readonly warnings: readonly string[];
}

/** The trading days of the last so many calendar days up to a date, that date included; ascending. */
export function datesToFill(date: string, fillDays: number, calendar: TradingCalendar): string[] {
  const from = addDays(date, 1 - fillDays);
  return calendar.tradingDays(from > FIRST_CALENDAR_DATE ? from : FIRST_CALENDAR_DATE, date);
}

/**
 * Finds the trading days that are not whole. Such a day has
 * - no run summary that knows its list, and no complete backfill of the market covers it; or
 * - a summary that is not complete, and no such backfill, finished since, settles its unfinished symbols; or
 * - a file that its summary names and that is missing or has other bytes.
 *
 * A backfill counts while all files that it names are stored in the sizes that it names. What is damaged is told in a
 * warning, and its day is not whole.
 * @param dates trading days, ascending.
 * @param named the only symbols that are asked for, where they are named by hand: a day whose run settled them is whole.
 */
export async function findGaps(dates: readonly string[], store: ObjectStore, named?: readonly string[]): Promise<Gaps> {
  const warnings: string[] = [];
  const warn: Warn = (error) => {
    if (!(error instanceof StoredFileError)) throw error;
    warnings.push(messageOf(error));
    return undefined;
  };
  const [backfills, listDates] = await Promise.all([
    readBackfills(store, { warn, lost: (sentence) => warnings.push(sentence) }),
    storedListDates(store),
  ]);
  const listed = rememberingLists(store, listDates, warn);
  const found = await pLimit(DAYS_AT_ONCE).map(dates, async (date) => {
    const why = await reasonNotWhole(date, { store, backfills, warn, named });
    if (why === undefined) return undefined;
    const { reason, summary } = why;
    const known = summary?.outcomes.map(({ symbol }) => symbol) ?? (await listed(date));
    return { date, why: reason, lacking: await lackingOf(date, known, { store, warn }) };
  });
  const told = [...new Set(warnings)].sort();
  const more = told.length - WARNINGS_TOLD;
  return {
    gaps: found.filter((gap) => gap !== undefined),
    warnings: [...told.slice(0, WARNINGS_TOLD), ...(more > 0 ? [`${more} more files are damaged`] : [])],
  };
}

interface Search {
  readonly store: ObjectStore;
  readonly warn: Warn;
}

/** Why a day is not whole, and its summary where that knows the list of its day. */
interface Unwhole {
  readonly reason: string;
  readonly summary?: RunSummary;
}

async function reasonNotWhole(
  date: string,
  {
    store,
    backfills,
    warn,
    named,
  }: Search & { readonly backfills: readonly Backfill[]; readonly named: readonly string[] | undefined },
): Promise<Unwhole | undefined> {
  let isDamaged = false;
  const stored = await readRunSummary(store, date).catch((error: unknown) => {
    isDamaged = true;
    return warn(error);
  });
  if (isDamaged) return { reason: "its summary is damaged" };
  const covering = backfills.filter(({ record: { from, to } }) => from <= date && date <= to);
  if (stored === undefined || !knowsListing(stored)) {
    // A market without a single bar is no whole day: a run of it says what it was.
    const withBars = covering.filter(({ record: { days } }) => (days[date] ?? 0) > 0);
    if ((await thoseStored(withBars)).length > 0) return undefined;
    if (stored !== undefined && named !== undefined && (await isSettledFor(named, stored, store))) return undefined;
    return { reason: stored === undefined ? "it has no run summary" : "only symbols named by hand were asked for" };
  }
  const files = await filesNotAsNamed(stored, store);
  if (files > 0) return { reason: `${files} of its files are missing or changed`, summary: stored };
  if (stored.status === RUN_STATUSES.complete) return undefined;
  if (settles(await thoseStored(covering), stored)) return undefined;
  return { reason: `it is ${stored.status}`, summary: stored };
}

/** Whether a run of symbols named by hand settled these, and its files are there. */
async function isSettledFor(named: readonly string[], summary: RunSummary, store: ObjectStore): Promise<boolean> {
  const finals = new Set(summary.outcomes.filter(({ outcome }) => isFinal(outcome)).map(({ symbol }) => symbol));
  return named.every((symbol) => finals.has(symbol)) && (await filesNotAsNamed(summary, store)) === 0;
}

/** How many of the files that a summary names are not stored as it names them. */
async function filesNotAsNamed({ batches }: RunSummary, store: ObjectStore): Promise<number> {
  const same = await pLimit(FILES_AT_ONCE).map(batches, async ({ key, sha256: named }) => {
    if (key === null || named === null) return true;
    const bytes = await store.get(key);
    return bytes !== undefined && sha256(bytes) === named;
  });
  return same.filter((isSame) => !isSame).length;
}

/** Symbols without an outcome that stands in the day's files that can be read: of the known ones, and of the files' own. */
async function lackingOf(date: string, known: Iterable<string>, { store, warn }: Search): Promise<Set<string>> {
  const listed = (await store.list(rawDataPrefix(date))).filter(({ key }) => parseRawDataKey(key) !== undefined);
  const files = await pLimit(FILES_AT_ONCE).map(listed, ({ key }) => readStoredFile(store, key).catch(warn));
  const lacking = new Set(known);
  const contents = files.flatMap((file) => file?.contents ?? []);
  for (const { reports } of contents) for (const { symbol } of reports) lacking.add(symbol);
  for (const { bars, reports } of contents) {
    for (const { symbol, outcome } of reports) if (isFinal(outcome)) lacking.delete(symbol);
    for (const { symbol } of bars) lacking.delete(symbol);
  }
  return lacking;
}

/** The symbols of the newest list that was stored on or before a date, else of the oldest; none where none is stored. */
function rememberingLists(
  store: ObjectStore,
  listDates: readonly string[],
  warn: Warn,
): (date: string) => Promise<readonly string[]> {
  const lists = new Map<string, Promise<readonly string[]>>();
  const read = async (date: string): Promise<readonly string[]> => {
    const list = await readStoredList(store, date).catch(warn);
    return list?.listings.map(({ symbol }) => symbol) ?? [];
  };
  return async (date) => {
    const newest = listDates.findLast((listed) => listed <= date) ?? listDates[0];
    if (newest === undefined) return [];
    const list = lists.get(newest) ?? read(newest);
    lists.set(newest, list);
    return list;
  };
}
