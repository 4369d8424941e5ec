import { beforeAll, describe, expect, it } from "vitest";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { hasRealData, readRealData } from "../support/real-data.ts";

const FIRST_YEAR = 1997;
const LAST_YEAR = 2027;
const DAY_MS = 86_400_000;

/** Every date of a year, without the product's help. */
function datesOf(year: number): string[] {
  const dates: string[] = [];
  for (let day = Date.UTC(year, 0, 1); day < Date.UTC(year + 1, 0, 1); day += DAY_MS) {
    dates.push(new Date(day).toISOString().slice(0, 10));
  }
  return dates;
}

const YEARS = Array.from({ length: LAST_YEAR - FIRST_YEAR + 1 }, (_, index) => FIRST_YEAR + index);

describe.skipIf(!hasRealData)("the trading calendar against the days on which the exchange traded", () => {
  const calendar = createTradingCalendar();
  let listed: string[] = [];

  beforeAll(() => {
    listed = new TextDecoder().decode(readRealData("asx-calendar/trading-days-1997-2027.txt")).trim().split(/\s+/);
  });

  it("has 7,847 of them to compare with, in order and each once", () => {
    expect(listed).toHaveLength(7_847);
    expect([...new Set(listed)].sort()).toEqual(listed);
  });

  it.each(YEARS)("agrees on every day of %i, open or closed", (year) => {
    const open = new Set(listed);
    const dates = datesOf(year);
    const wrong = dates.filter((date) => calendar.isTradingDay(date) !== open.has(date));

    expect(dates.length).toBeGreaterThanOrEqual(365);
    expect(wrong).toEqual([]);
  });

  it("lists exactly these days", () => {
    expect(calendar.tradingDays(`${FIRST_YEAR}-01-01`, `${LAST_YEAR}-12-31`)).toEqual(listed);
  });

  it("steps back from each of them to the one before", () => {
    const later = listed.slice(1);

    expect(later.map((date) => calendar.previousTradingDay(date))).toEqual(listed.slice(0, -1));
  });
});
