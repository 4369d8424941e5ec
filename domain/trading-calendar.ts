import { Temporal } from "temporal-polyfill";
import { addDays, dateInSydney, settledInstant, toEpochDays } from "./trading-date.ts";

/**
 * Days the exchange was closed, or will be, by no rule: the last day of 1999, ANZAC Day observed on
 * a Monday in 2010, ANZAC Day and Easter Monday falling together in 2011, the National Day of
 * Mourning in 2022. Special closures come at short notice, so a user can add dates.
 */
const SPECIAL_CLOSURES: ReadonlySet<string> = new Set(["1999-12-31", "2010-04-26", "2011-04-26", "2022-09-22"]);

const SATURDAY = 6;
const SUNDAY = 7;
const MONDAY = 1;

/** The first date that the rules are known for. */
export const FIRST_CALENDAR_DATE = "1997-01-01";

/** Says on which dates the exchange trades. */
export interface TradingCalendar {
  /** Whether the exchange holds a session on the date. */
  isTradingDay(date: string): boolean;
  /** The latest trading day before the date. */
  previousTradingDay(date: string): string;
  /** The latest trading day whose prices have settled at the instant (milliseconds since 1970). */
  lastFinishedTradingDay(epochMs: number): string;
  /** All trading days from one date to another, both inclusive. */
  tradingDays(from: string, to: string): string[];
}

/**
 * The calendar of ASX cash equities by the exchange's published rules, valid from {@link FIRST_CALENDAR_DATE}.
 * @param addedClosures further closed dates, `YYYY-MM-DD`, that the rules do not know.
 */
export function createTradingCalendar(addedClosures: Iterable<string> = []): TradingCalendar {
  const closures = new Set([...SPECIAL_CLOSURES, ...addedClosures]);
  const holidaysByYear = new Map<number, ReadonlySet<string>>();

  function isTradingDay(date: string): boolean {
    if (dayOfWeek(date) >= SATURDAY || closures.has(date)) return false;
    const year = Number(date.slice(0, 4));
    let holidays = holidaysByYear.get(year);
    if (holidays === undefined) {
      holidays = holidaysOf(year);
      holidaysByYear.set(year, holidays);
    }
    return !holidays.has(date);
  }

  function latestTradingDay(date: string): string {
    let day = date;
    while (!isTradingDay(day)) day = addDays(day, -1);
    return day;
  }

  return {
    isTradingDay,
    previousTradingDay: (date) => latestTradingDay(addDays(date, -1)),
    lastFinishedTradingDay(epochMs) {
      const today = dateInSydney(epochMs);
      return latestTradingDay(epochMs >= settledInstant(today) ? today : addDays(today, -1));
    },
    tradingDays(from, to) {
      const days: string[] = [];
      for (let day = from; day <= to; day = addDays(day, 1)) if (isTradingDay(day)) days.push(day);
      return days;
    },
  };
}

/** Monday is 1, Sunday 7. Day 0, 1 January 1970, was a Thursday. */
function dayOfWeek(date: string): number {
  return ((((toEpochDays(date) + 3) % 7) + 7) % 7) + 1;
}

/** The closed dates of a year by rule. Some fall on weekends; those change nothing. */
function holidaysOf(year: number): ReadonlySet<string> {
  const easterSunday = easter(year);
  const christmas = new Temporal.PlainDate(year, 12, 25);
  return new Set(
    [
      nextWeekday(new Temporal.PlainDate(year, 1, 1)),
      nextWeekday(new Temporal.PlainDate(year, 1, 26)),
      easterSunday.subtract({ days: 2 }),
      easterSunday.add({ days: 1 }),
      new Temporal.PlainDate(year, 4, 25), // ANZAC Day: not moved when it falls on a weekend
      secondMonday(year, 6),
      ...christmasHolidays(christmas),
    ].map(String),
  );
}

/** The date itself, or the Monday after it where it falls on a weekend. */
function nextWeekday(date: Temporal.PlainDate): Temporal.PlainDate {
  if (date.dayOfWeek === SATURDAY) return date.add({ days: 2 });
  if (date.dayOfWeek === SUNDAY) return date.add({ days: 1 });
  return date;
}

/**
 * The two closed days of Christmas Day and Boxing Day: where one of them falls on a weekend it moves
 * to the first weekday after both that the other does not take.
 */
function christmasHolidays(christmas: Temporal.PlainDate): Temporal.PlainDate[] {
  const boxingDay = christmas.add({ days: 1 });
  switch (christmas.dayOfWeek) {
    case 5: // Friday: Boxing Day on Saturday moves to Monday 28
      return [christmas, christmas.add({ days: 3 })];
    case SATURDAY: // Monday 27 and Tuesday 28
      return [christmas.add({ days: 2 }), christmas.add({ days: 3 })];
    case SUNDAY: // Boxing Day stays on Monday 26, Christmas moves to Tuesday 27
      return [boxingDay, christmas.add({ days: 2 })];
    default:
      return [christmas, boxingDay];
  }
}

function secondMonday(year: number, month: number): Temporal.PlainDate {
  const first = new Temporal.PlainDate(year, month, 1);
  return first.add({ days: ((MONDAY - first.dayOfWeek + 7) % 7) + 7 });
}

/**
 * Easter Sunday of a year in the Gregorian calendar, by the anonymous algorithm in Meeus,
 * "Astronomical Algorithms", chapter 8; the names follow the golden number and epact it derives.
 */
function easter(year: number): Temporal.PlainDate {
  const goldenNumber = year % 19;
  const century = Math.floor(year / 100);
  const yearOfCentury = year % 100;
  const correction = Math.floor((century - Math.floor((century + 8) / 25) + 1) / 3);
  const epact = (19 * goldenNumber + century - Math.floor(century / 4) - correction + 15) % 30;
  const weekday = (32 + 2 * (century % 4) + 2 * Math.floor(yearOfCentury / 4) - epact - (yearOfCentury % 4)) % 7;
  const lateMoon = Math.floor((goldenNumber + 11 * epact + 22 * weekday) / 451);
  const dayOfMarch = epact + weekday - 7 * lateMoon + 22;
  return new Temporal.PlainDate(year, 3, 1).add({ days: dayOfMarch - 1 });
}
