import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { addDays } from "../../domain/trading-date.ts";

const calendar = createTradingCalendar();

const dates = fc.integer({ min: 0, max: 40 * 365 }).map((days) => addDays("1997-01-01", days));

describe("the exchange is closed on", () => {
  it.each([
    ["Saturday", "2024-06-01"],
    ["Sunday", "2024-06-02"],
    ["New Year's Day on a weekday", "2024-01-01"],
    ["the Monday after a New Year's Day on Saturday", "2022-01-03"],
    ["the Monday after a New Year's Day on Sunday", "2023-01-02"],
    ["26 January on a weekday", "2024-01-26"],
    ["the Monday after a 26 January on Saturday", "2019-01-28"],
    ["the Monday after a 26 January on Sunday", "2020-01-27"],
    ["Good Friday in March", "2024-03-29"],
    ["Easter Monday in April after a Good Friday in March", "2024-04-01"],
    ["Good Friday in April", "2025-04-18"],
    ["Easter Monday in April", "2025-04-21"],
    ["an early Good Friday", "2008-03-21"],
    ["an early Easter Monday", "2008-03-24"],
    ["25 April on a weekday", "2024-04-25"],
    ["25 April on a Monday", "2022-04-25"],
    ["the second Monday of June where 1 June is a Monday", "2020-06-08"],
    ["the second Monday of June where 1 June is a Tuesday", "2021-06-14"],
    ["the second Monday of June where 1 June is a Saturday", "2024-06-10"],
    ["25 December on a weekday", "2024-12-25"],
    ["26 December on a weekday", "2024-12-26"],
    ["Friday 25 December, whose 26th is a Saturday", "2020-12-25"],
    ["Monday 28 December for a Saturday the 26th", "2020-12-28"],
    ["Monday 27 December for a Saturday the 25th", "2021-12-27"],
    ["Tuesday 28 December for a Sunday the 26th", "2021-12-28"],
    ["Monday 26 December after a Sunday the 25th", "2022-12-26"],
    ["Tuesday 27 December for a Sunday the 25th", "2022-12-27"],
    ["the last day of 1999, by exception", "1999-12-31"],
    ["the Monday after ANZAC Day of 2010, by exception", "2010-04-26"],
    ["the Tuesday after Easter of 2011, by exception", "2011-04-26"],
    ["the National Day of Mourning of 2022, by exception", "2022-09-22"],
  ])("%s: %s", (_, date) => {
    expect(calendar.isTradingDay(date)).toBe(false);
  });
});

describe("the exchange trades on", () => {
  it.each([
    ["an ordinary Friday", "2024-05-31"],
    ["an ordinary Monday", "2024-06-03"],
    ["the Thursday before Good Friday", "2024-03-28"],
    ["the Tuesday after Easter", "2024-04-02"],
    ["Monday 27 April 2026: 25 April on a Saturday is not moved", "2026-04-27"],
    ["Monday 26 April 2021: 25 April on a Sunday is not moved", "2021-04-26"],
    ["Friday 31 December 2021: a Saturday 1 January moves forward only", "2021-12-31"],
    ["Tuesday 4 January 2022, the day after the moved holiday", "2022-01-04"],
    ["Friday 25 January 2019: a Saturday 26 January moves forward only", "2019-01-25"],
    ["the first Monday of June", "2024-06-03"],
    ["the third Monday of June", "2024-06-17"],
    ["Monday 1 June, the first of the month", "2020-06-01"],
    ["Christmas Eve", "2024-12-24"],
    ["27 December after two weekday holidays", "2024-12-27"],
    ["Tuesday 29 December after a moved 26th", "2020-12-29"],
    ["Wednesday 29 December after two moved holidays", "2021-12-29"],
    ["Wednesday 28 December after a moved 25th", "2022-12-28"],
    ["the last day of the year", "2024-12-31"],
    ["22 September of any other year", "2023-09-22"],
    ["the last day of 1998", "1998-12-31"],
    ["the public holiday of Melbourne", "2024-11-05"],
    ["the Labour Day of New South Wales", "2024-10-07"],
  ])("%s: %s", (_, date) => {
    expect(calendar.isTradingDay(date)).toBe(true);
  });
});

describe("a year", () => {
  it.each([
    ["2011, where 25 April was Easter Monday", "2011", 252],
    ["2022, with a special closure", "2022", 251],
    ["2024, a leap year", "2024", 254],
    ["2026, where 25 April is a Saturday", "2026", 254],
  ])("%s has the sessions the exchange's calendar lists", (_, year, sessions) => {
    expect(calendar.tradingDays(`${year}-01-01`, `${year}-12-31`)).toHaveLength(sessions);
  });
});

describe("added closures", () => {
  it("close the exchange on those dates and on no others", () => {
    const extended = createTradingCalendar(["2024-05-31", "2024-06-03"]);
    expect(extended.tradingDays("2024-05-29", "2024-06-05")).toEqual([
      "2024-05-29",
      "2024-05-30",
      "2024-06-04",
      "2024-06-05",
    ]);
    expect(extended.previousTradingDay("2024-06-04")).toBe("2024-05-30");
    expect(extended.lastFinishedTradingDay(Date.parse("2024-06-03T20:00:00+10:00"))).toBe("2024-05-30");
  });

  it("keep the closures by rule and by exception", () => {
    const extended = createTradingCalendar(["2024-05-31"]);
    expect(extended.isTradingDay("2022-09-22")).toBe(false);
    expect(extended.isTradingDay("2024-12-25")).toBe(false);
  });

  it("stay with the calendar they were given to", () => {
    createTradingCalendar(["2024-05-31"]);
    expect(createTradingCalendar().isTradingDay("2024-05-31")).toBe(true);
  });
});

describe("the last finished trading day", () => {
  it.each([
    ["on a winter evening at 19:00", "2024-05-31T19:00:00.000+10:00", "2024-05-31"],
    ["a millisecond before a winter 19:00", "2024-05-31T18:59:59.999+10:00", "2024-05-30"],
    ["on a summer evening at 19:00", "2024-01-31T19:00:00.000+11:00", "2024-01-31"],
    ["a millisecond before a summer 19:00", "2024-01-31T18:59:59.999+11:00", "2024-01-30"],
    ["during a session", "2024-05-31T12:00:00+10:00", "2024-05-30"],
    ["just after midnight", "2024-05-31T00:00:00+10:00", "2024-05-30"],
    ["on Saturday", "2024-06-01T12:00:00+10:00", "2024-05-31"],
    ["on Sunday evening", "2024-06-02T20:00:00+10:00", "2024-05-31"],
    ["on Monday morning", "2024-06-03T09:00:00+10:00", "2024-05-31"],
    ["on Monday evening", "2024-06-03T19:30:00+10:00", "2024-06-03"],
    ["on Good Friday evening", "2024-03-29T20:00:00+11:00", "2024-03-28"],
    ["on Easter Monday evening", "2024-04-01T20:00:00+11:00", "2024-03-28"],
    ["on the Tuesday after Easter, before 19:00", "2024-04-02T18:59:59+11:00", "2024-03-28"],
    ["on the Tuesday after Easter, from 19:00", "2024-04-02T19:00:00+11:00", "2024-04-02"],
    ["on the Monday after daylight saving ended, before 19:00", "2024-04-08T18:59:59+10:00", "2024-04-05"],
    ["on the Monday after daylight saving ended, from 19:00", "2024-04-08T19:00:00+10:00", "2024-04-08"],
    ["on the Monday after daylight saving started, before 19:00", "2024-10-07T18:59:59+11:00", "2024-10-04"],
    ["on the Monday after daylight saving started, from 19:00", "2024-10-07T19:00:00+11:00", "2024-10-07"],
    ["over the turn of the year", "2025-01-01T20:00:00+11:00", "2024-12-31"],
    ["after four closed days of Christmas", "2021-12-28T20:00:00+11:00", "2021-12-24"],
  ])("%s (%s) is %s", (_, instant, date) => {
    expect(calendar.lastFinishedTradingDay(Date.parse(instant))).toBe(date);
  });
});

describe("the previous trading day", () => {
  it.each([
    ["of a Friday is Thursday", "2024-05-31", "2024-05-30"],
    ["of a Monday is Friday", "2024-06-03", "2024-05-31"],
    ["of a Sunday is Friday", "2024-06-02", "2024-05-31"],
    ["of the Tuesday after Easter is the Thursday before it", "2024-04-02", "2024-03-28"],
    ["of Easter Monday is the Thursday before it", "2024-04-01", "2024-03-28"],
    ["of a first session is that of the year before", "2024-01-02", "2023-12-29"],
    ["of the day after a special closure skips it", "2022-09-23", "2022-09-21"],
    ["of 27 April 2011 is 21 April, five closed days earlier", "2011-04-27", "2011-04-21"],
  ])("%s", (_, date, previous) => {
    expect(calendar.previousTradingDay(date)).toBe(previous);
  });

  it("is the nearest earlier session, on every date", () => {
    fc.assert(
      fc.property(dates, (date) => {
        const previous = calendar.previousTradingDay(date);
        expect(calendar.tradingDays(previous, addDays(date, -1))).toEqual([previous]);
      }),
    );
  });
});

describe("a list of trading days", () => {
  it("includes both ends", () => {
    expect(calendar.tradingDays("2024-05-31", "2024-06-03")).toEqual(["2024-05-31", "2024-06-03"]);
  });

  it("is the one day where both ends are the same", () => {
    expect(calendar.tradingDays("2024-05-31", "2024-05-31")).toEqual(["2024-05-31"]);
  });

  it.each([
    ["a weekend", "2024-06-01", "2024-06-02"],
    ["an end before its start", "2024-06-03", "2024-05-31"],
  ])("is empty for %s", (_, from, to) => {
    expect(calendar.tradingDays(from, to)).toEqual([]);
  });
});
