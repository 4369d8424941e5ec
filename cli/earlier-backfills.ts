/** What is stored of other backfills from the same date, as far as one that is to begin should know of it. */
import { BACKFILL_STATUSES, type BackfillRecord } from "../domain/backfill.ts";
import { MOST_FILL_DAYS, SYMBOL_SOURCES } from "../domain/batch.ts";
import { contains, type DateSpan, spanName } from "../domain/date-span.ts";
import { StoredFileError } from "../domain/errors.ts";
import { backfillKey, backfillsPrefix, parseBackfillKey, parseBackfillLockKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { parseBackfillRecord } from "../domain/parse-backfill-record.ts";
import type { TradingCalendar } from "../domain/trading-calendar.ts";
import { addDays, daysBetween } from "../domain/trading-date.ts";
import { counted } from "./numbers.ts";
import { USUAL_FILL_DAYS } from "./run-input.ts";

/** What a backfill is to fetch. */
interface Asked extends DateSpan {
  readonly symbols?: readonly string[] | undefined;
}

/**
 * What to know before a backfill to the last finished trading day begins, a sentence each without its stop:
 * - the newest one from that date that was begun and is not whole goes on by its own last date, as what it has fetched counts
 *   for its own dates alone. It is passed over where a complete backfill of the market has all of its dates;
 * - where the newest complete one ends earlier, all of its dates are asked for again, and less is enough.
 * @throws StoreUnavailableError, StoreRefusedError
 */
export async function earlierBackfills(
  store: ObjectStore,
  asked: Asked,
  calendar: Pick<TradingCalendar, "tradingDays">,
): Promise<string[]> {
  const listed = (await store.list(backfillsPrefix)).map(({ key }) => key);
  const keys = listed.filter((key) => parseBackfillKey(key) !== undefined);
  const records = (await Promise.all(keys.map((key) => readRecord(store, key)))).filter((known) => known !== undefined);
  const complete = records.filter(
    ({ status, symbols }) => status === BACKFILL_STATUSES.complete && symbols.source !== SYMBOL_SOURCES.event,
  );
  if (complete.some((known) => contains(known, asked))) return [];
  const begun = listed
    .flatMap((key) => parseBackfillLockKey(key) ?? parseBackfillKey(key) ?? [])
    .filter((span) => span.from === asked.from && span.to !== asked.to)
    .filter((span) => !complete.some((known) => contains(known, span)))
    .filter((span) => !records.some((known) => spanName(known) === spanName(span) && known.status === "complete"))
    .toSorted((left, right) => (left.to < right.to ? 1 : -1))[0];
  if (begun !== undefined) {
    const { from, to } = begun;
    return [`a backfill from ${from} to ${to} was begun and is not whole: --to ${to} goes on with it`];
  }
  const isBegun = listed.includes(backfillKey(asked));
  const known = complete
    .filter(({ from, to }) => from === asked.from && to < asked.to)
    .toSorted((left, right) => (left.to < right.to ? 1 : -1))[0];
  return known === undefined || isBegun ? [] : [describeAgain(known, asked, calendar)];
}

function describeAgain(known: BackfillRecord, asked: Asked, calendar: Pick<TradingCalendar, "tradingDays">): string {
  const since = calendar.tradingDays(addDays(known.to, 1), asked.to);
  const [next = asked.to] = since;
  const days = daysBetween(next, asked.to) + 1;
  const catchUp = `asx catch-up${days <= USUAL_FILL_DAYS ? "" : ` --days ${days}`}`;
  const enough = `--from ${next} is enough${days <= MOST_FILL_DAYS ? `, and so is ${catchUp}` : ""}`;
  const requests = counted(asked.symbols?.length ?? known.symbols.total, "request");
  return (
    `the backfill from ${known.from} to ${known.to} is complete, and this one asks for its dates again: about ${requests}. ` +
    `For the ${counted(since.length, "trading day")} since ${enough}`
  );
}

/** Undefined where it is gone or damaged. */
async function readRecord(store: ObjectStore, key: string): Promise<BackfillRecord | undefined> {
  const bytes = await store.get(key);
  try {
    return bytes === undefined ? undefined : parseBackfillRecord(key, bytes);
  } catch (error) {
    if (error instanceof StoredFileError) return undefined;
    throw error;
  }
}
