import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidInputError } from "../../domain/errors.ts";
import {
  addDays,
  dateInSydney,
  dateInZone,
  daysBetween,
  describeSettling,
  fromEpochDays,
  isTradingDate,
  settledInstant,
  sydneyInstant,
  timeInZone,
  toEpochDays,
  tradingDate,
} from "../../domain/trading-date.ts";

const DAY_MS = 86_400_000;

/** Dates as text, made with the platform's own UTC arithmetic and not with the code under test. */
const dates = fc
  .integer({ min: Date.UTC(1972, 0, 1) / DAY_MS, max: Date.UTC(2099, 11, 31) / DAY_MS })
  .map((days) => new Date(days * DAY_MS).toISOString().slice(0, 10));

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

describe("a trading date", () => {
  it.each(["2024-05-31", "2024-02-29", "2000-02-29", "1999-12-31", "2024-12-25"])("may be %s", (text) => {
    expect(isTradingDate(text)).toBe(true);
    expect(tradingDate.parse(text)).toBe(text);
  });

  it.each([
    ["30 February", "2024-02-30"],
    ["29 February of a common year", "2023-02-29"],
    ["29 February of a century that is no leap year", "1900-02-29"],
    ["31 April", "2024-04-31"],
    ["month 13", "2024-13-01"],
    ["month 0", "2024-00-10"],
    ["day 0", "2024-01-00"],
    ["without leading zeros", "2024-5-31"],
    ["without hyphens", "20240531"],
    ["a week date", "2024-W22-5"],
    ["with a time", "2024-05-31T00:00"],
    ["with a zone", "2024-05-31Z"],
    ["with a year of six digits", "+002024-05-31"],
    ["with a space before it", " 2024-05-31"],
    ["with a line break after it", "2024-05-31\n"],
    ["in the Australian order", "31/05/2024"],
    ["in digits of another script", "２０２４-05-31"],
    ["a word", "yesterday"],
    ["empty", ""],
  ])("is not %s", (_, text) => {
    expect(isTradingDate(text)).toBe(false);
    expect(tradingDate.safeParse(text).success).toBe(false);
  });

  it("is refused with a message that names the form", () => {
    expect(() => tradingDate.parse("2024-02-30")).toThrow(/YYYY-MM-DD/);
  });

  it("is any day of the calendar, and only those", () => {
    const parts = fc.tuple(fc.integer({ min: 1900, max: 2100 }), fc.nat(13), fc.nat(32));
    fc.assert(
      fc.property(parts, ([year, month, day]) => {
        const text = `${year}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
        // Date.UTC rolls over what does not exist, so such a text does not come back.
        const exists = new Date(Date.UTC(year, month - 1, day)).toISOString().slice(0, 10) === text;
        expect(isTradingDate(text)).toBe(exists);
      }),
    );
  });
});

describe("the Sydney date of an instant", () => {
  it.each([
    ["the last millisecond before daylight saving ends", "2024-04-06T12:59:59.999Z", "2024-04-06"],
    ["midnight of the day daylight saving ends", "2024-04-06T13:00:00.000Z", "2024-04-07"],
    ["the end of that day of 25 hours", "2024-04-07T13:59:59.999Z", "2024-04-07"],
    ["the first midnight in standard time", "2024-04-07T14:00:00.000Z", "2024-04-08"],
    ["the last millisecond before the day daylight saving starts", "2024-10-05T13:59:59.999Z", "2024-10-05"],
    ["midnight of the day daylight saving starts", "2024-10-05T14:00:00.000Z", "2024-10-06"],
    ["the end of that day of 23 hours", "2024-10-06T12:59:59.999Z", "2024-10-06"],
    ["the first midnight in daylight time", "2024-10-06T13:00:00.000Z", "2024-10-07"],
    ["the open of a session in standard time", "2024-05-31T00:00:00.000Z", "2024-05-31"],
    ["the open of a session in daylight time", "2024-01-30T23:00:00.000Z", "2024-01-31"],
    ["new year", "2023-12-31T13:00:00.000Z", "2024-01-01"],
  ])("is right at %s", (_, instant, date) => {
    expect(dateInSydney(Date.parse(instant))).toBe(date);
  });

  it.each([
    ["2024-04-06T15:59:59Z", "02:59:59"],
    ["2024-04-06T16:00:00Z", "02:00:00"],
    ["2024-10-05T15:59:59Z", "01:59:59"],
    ["2024-10-05T16:00:00Z", "03:00:00"],
  ])("goes with clocks that change between two and three: at %s they show %s", (instant, time) => {
    expect(timeInZone(Date.parse(instant), "Australia/Sydney")).toBe(time);
  });

  it("begins at midnight and not a millisecond earlier, on every date", () => {
    fc.assert(
      fc.property(dates, (date) => {
        const midnight = sydneyInstant(date);
        expect(dateInSydney(midnight)).toBe(date);
        expect(dateInSydney(midnight - 1)).toBe(addDays(date, -1));
        expect(timeInZone(midnight, "Australia/Sydney")).toBe("00:00:00");
      }),
    );
  });

  it("differs from the date of another zone at the same instant", () => {
    const instant = Date.parse("2024-05-31T19:30:00+10:00");
    expect(dateInZone(instant, "Australia/Sydney")).toBe("2024-05-31");
    expect(dateInZone(instant, "Pacific/Honolulu")).toBe("2024-05-30");
    expect(dateInZone(instant, "Pacific/Kiritimati")).toBe("2024-05-31");
  });

  it("is not guessed for a zone that does not exist", () => {
    expect(() => dateInZone(0, "Australia/Atlantis")).toThrow(RangeError);
    expect(() => timeInZone(0, "Australia/Atlantis")).toThrow(RangeError);
  });
});

describe("the instant at which prices have settled", () => {
  it.each([
    ["summer", "2024-01-31", "2024-01-31T08:00:00.000Z"],
    ["winter", "2024-07-31", "2024-07-31T09:00:00.000Z"],
    ["the last session in daylight time", "2024-04-05", "2024-04-05T08:00:00.000Z"],
    ["the day daylight saving ends", "2024-04-07", "2024-04-07T09:00:00.000Z"],
    ["the last session in standard time", "2024-10-04", "2024-10-04T09:00:00.000Z"],
    ["the day daylight saving starts", "2024-10-06", "2024-10-06T08:00:00.000Z"],
  ])("is 19:00 in Sydney in %s", (_, date, instant) => {
    expect(iso(settledInstant(date))).toBe(instant);
  });

  it("is 19:00 in Sydney on every date", () => {
    fc.assert(
      fc.property(dates, (date) => {
        expect(dateInSydney(settledInstant(date))).toBe(date);
        expect(timeInZone(settledInstant(date), "Australia/Sydney")).toBe("19:00:00");
      }),
    );
  });

  it("is told to the person who came too early", () => {
    expect(describeSettling("2024-05-31")).toMatch(/2024-05-31.*19:00 in Sydney/);
  });
});

describe("calendar arithmetic", () => {
  it.each([
    ["2024-02-28", 1, "2024-02-29"],
    ["2023-02-28", 1, "2023-03-01"],
    ["2024-03-01", -1, "2024-02-29"],
    ["2023-12-31", 1, "2024-01-01"],
    ["2024-04-06", 1, "2024-04-07"],
    ["2024-10-06", 1, "2024-10-07"],
    ["2024-05-31", 0, "2024-05-31"],
  ])("%s and %i days is %s", (date, days, later) => {
    expect(addDays(date, days)).toBe(later);
    expect(daysBetween(date, later)).toBe(days);
  });

  it("counts back what it added", () => {
    fc.assert(
      fc.property(dates, fc.integer({ min: -20_000, max: 20_000 }), (date, days) => {
        expect(daysBetween(date, addDays(date, days))).toBe(days);
      }),
    );
  });

  it.each([
    ["1970-01-01", 0],
    ["1969-12-31", -1],
    ["2000-02-29", 11_016],
    ["2024-05-31", 19_874],
  ])("%s is day %i since 1970", (date, days) => {
    expect(toEpochDays(date)).toBe(days);
    expect(fromEpochDays(days)).toBe(date);
  });

  it("turns every date into its days since 1970 and back", () => {
    fc.assert(
      fc.property(dates, (date) => {
        expect(toEpochDays(date)).toBe(Date.parse(date) / DAY_MS);
        expect(fromEpochDays(toEpochDays(date))).toBe(date);
      }),
    );
  });

  it("turns every number of days into a date and back", () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 100_000 }), (days) => {
        expect(toEpochDays(fromEpochDays(days))).toBe(days);
      }),
    );
  });

  it("goes through every day of the calendar from 1900 to 2200, in order", () => {
    const first = toEpochDays("1900-01-01");
    const last = toEpochDays("2200-12-31");
    expect(last - first).toBe(301 * 365 + 73 - 1);
    let before = "";
    for (let days = first; days <= last; days++) {
      const date = fromEpochDays(days);
      if (toEpochDays(date) !== days || !(date > before) || !isTradingDate(date)) expect.fail(`${days} gives ${date}`);
      before = date;
    }
  });

  it.each(["Australia/Lord_Howe", "Pacific/Kiritimati", "America/New_York"])(
    "counts the same in a host's zone %s",
    (TZ) => {
      const module = new URL("../../domain/trading-date.ts", import.meta.url);
      const script = `
      import { fromEpochDays, toEpochDays } from ${JSON.stringify(module.href)};
      const dates = ["1969-12-31", "2024-04-07", "2024-10-06", "2024-12-31"];
      console.log(new Date(0).getTimezoneOffset() !== 0, dates.map(toEpochDays).join(), dates.map(toEpochDays).map(fromEpochDays).join());`;
      const options = { env: { ...process.env, TZ }, encoding: "utf8" } as const;
      expect(execFileSync(process.execPath, ["--input-type=module", "--eval", script], options).trim()).toBe(
        "true -1,19820,20002,20088 1969-12-31,2024-04-07,2024-10-06,2024-12-31",
      );
    },
  );

  it.each(["2024-02-30", "2024-5-31", "", "+002024-05-31"])("has no days of %j", (text) => {
    expect(() => toEpochDays(text)).toThrow(InvalidInputError);
  });

  it.each([0.5, Number.NaN, 1e9])("has no date of %d days", (days) => {
    expect(() => fromEpochDays(days)).toThrow(`${days} is no date`);
  });

  it("writes years of more than four digits as ISO 8601 does", () => {
    expect(fromEpochDays(toEpochDays("9999-12-31") + 1)).toBe("+010000-01-01");
  });
});
