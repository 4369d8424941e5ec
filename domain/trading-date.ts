import { Temporal } from "temporal-polyfill";
import * as z from "zod";
import { InvalidInputError } from "./errors.ts";
import { quote } from "./text.ts";

/** The zone all trading dates are in. */
export const EXCHANGE_TIME_ZONE = "Australia/Sydney";

/** Time of day in Sydney by which a session's prices have settled: late trades, the feed's lag and corrections are in. */
export const SETTLED_TIME = "19:00";

/** Time of day in Sydney of the closing auction. */
const CLOSING_AUCTION_TIME = "16:10";

/** Whether the text is `YYYY-MM-DD` and names a day that exists. */
export function isTradingDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  // Every key and message is checked by this; Date reads the form at UTC, and moves a day that does not exist.
  const at = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}

/**
 * A calendar date `YYYY-MM-DD` in Australia/Sydney. It names a day on which the exchange may have
 * traded; whether it did is the calendar's to say.
 */
export const tradingDate = z.string().refine(isTradingDate, "expected a date that exists, as YYYY-MM-DD");

/** The Sydney date of an instant given in milliseconds since 1970, right on both sides of daylight saving. */
export function dateInSydney(epochMs: number): string {
  return dateInZone(epochMs, EXCHANGE_TIME_ZONE);
}

/**
 * The calendar date of an instant in a zone.
 * @throws RangeError where the zone's name is unknown.
 */
export function dateInZone(epochMs: number, timeZone: string): string {
  return zoned(epochMs, timeZone).toPlainDate().toString();
}

/** The time of day, `HH:MM:SS`, of an instant in a zone. Throws a RangeError where the zone is unknown. */
export function timeInZone(epochMs: number, timeZone: string): string {
  return zoned(epochMs, timeZone).toPlainTime().toString({ smallestUnit: "second" });
}

function zoned(epochMs: number, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(timeZone);
}

/** The instant, in milliseconds since 1970, of a Sydney date and time of day. */
export function sydneyInstant(date: string, time = "00:00"): number {
  return Temporal.PlainDate.from(date).toZonedDateTime({
    timeZone: EXCHANGE_TIME_ZONE,
    plainTime: Temporal.PlainTime.from(time),
  }).epochMilliseconds;
}

/** The instant from which a date's prices count as settled: 19:00 Sydney on that date, in milliseconds since 1970. */
export function settledInstant(date: string): number {
  return sydneyInstant(date, SETTLED_TIME);
}

/** The instant of a date's closing auction, 16:10 Sydney, in milliseconds since 1970. Two days a year close earlier. */
export function closingInstant(date: string): number {
  return sydneyInstant(date, CLOSING_AUCTION_TIME);
}

/** The date `days` calendar days later (earlier where negative). */
export function addDays(date: string, days: number): string {
  return fromEpochDays(toEpochDays(date) + days);
}

/** Calendar days from one date to another: positive where `to` is later. */
export function daysBetween(from: string, to: string): number {
  return toEpochDays(to) - toEpochDays(from);
}

const DAY_MS = 86_400_000;

/** Texts of days since 1970 that were asked for: a column of millions of rows has few dates, and its rows share them. */
const dateTexts: (string | undefined)[] = [];
const LAST_KEPT_DAY = 73_000;

/** The most days that a Date reaches from 1970. */
const LAST_DAY = 100_000_000;

/**
 * Days since 1970-01-01: how Parquet stores a DATE.
 * @throws InvalidInputError where the text is not `YYYY-MM-DD` or the day does not exist.
 */
export function toEpochDays(date: string): number {
  // Of this form alone, Date reads the text at UTC whatever the host's zone is.
  if (isTradingDate(date)) return Date.parse(date) / DAY_MS;
  throw new InvalidInputError(`${quote(date)} is no date; give one that exists, as YYYY-MM-DD`);
}

/**
 * The date of a whole number of days since 1970-01-01. Inverse of {@link toEpochDays} for the years 0 to 9999;
 * a year beyond them has a sign and six digits, as ISO 8601 writes it.
 * @throws InvalidInputError where the number is not whole, or more than a hundred million days away.
 */
export function fromEpochDays(days: number): string {
  return dateTexts[days] ?? dateText(days);
}

function dateText(days: number): string {
  if (!Number.isInteger(days) || Math.abs(days) > LAST_DAY) {
    throw new InvalidInputError(`${days} is no date; give a whole number of days since 1970-01-01, up to ${LAST_DAY}`);
  }
  const iso = new Date(days * DAY_MS).toISOString();
  const text = iso.slice(0, iso.indexOf("T"));
  if (days >= 0 && days <= LAST_KEPT_DAY) dateTexts[days] = text;
  return text;
}

/** Says of a date whose prices have not settled from when on it can be fetched. */
export function describeSettling(date: string): string {
  return `prices of ${date} have not settled yet: it can be run from ${SETTLED_TIME} in Sydney on that day`;
}
