import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adjustmentFactors, describeNotAdjusted, type PreviousClose, wholeShares } from "../../domain/adjustment.ts";
import type { ActionKind, CorporateAction } from "../../domain/corporate-action.ts";
import { splitEffectiveAt } from "../../domain/split-basis.ts";
import { addDays, sydneyInstant } from "../../domain/trading-date.ts";
import { createAdjuster } from "../support/adjuster.ts";

function action(exDate: string, kind: ActionKind, value: number, observedAt = exDate, symbol = "BHP"): CorporateAction {
  const seen = sydneyInstant(observedAt, "19:30");
  return { symbol, exDate, kind, value, firstSeen: seen, lastConfirmed: seen, supersededAt: null };
}

function closeBefore(exDate: string, date: string, close: number, fetched = date, symbol = "BHP"): PreviousClose {
  return { symbol, exDate, date, close, fetchedAt: sydneyInstant(fetched, "19:30") };
}

const evening = (date: string): number => sydneyInstant(date, "19:30");

describe("a split", () => {
  const adjuster = createAdjuster(adjustmentFactors([action("2024-05-15", "split", 4)], []));

  it("rescales bars before its ex-date that were fetched before it took effect, and no others", () => {
    expect(adjuster.splitFactor("BHP", "2024-05-14", evening("2024-05-14"))).toBe(4);
    expect(adjuster.splitFactor("BHP", "2024-05-14", sydneyInstant("2024-05-15", "09:59"))).toBe(4);
    expect(adjuster.splitFactor("BHP", "2024-05-14", sydneyInstant("2024-05-15", "10:00"))).toBe(1);
    expect(adjuster.splitFactor("BHP", "2024-05-14", evening("2024-05-15"))).toBe(1);
    expect(adjuster.splitFactor("BHP", "2024-05-15", evening("2024-05-14"))).toBe(1);
    expect(adjuster.splitFactor("CBA", "2024-05-14", evening("2024-05-14"))).toBe(1);
  });

  it.each(["2024-01-15", "2024-07-15", "2024-04-08", "2024-10-07"])("on %s spares the bar of its day", (exDate) => {
    const { splitFactor } = createAdjuster(adjustmentFactors([action(exDate, "split", 2)], []));
    expect([exDate, addDays(exDate, -1)].map((date) => splitFactor("BHP", date, 0))).toEqual([1, 2]);
  });

  it("is one row with the product of itself and all later ones, for an ASOF JOIN", () => {
    const splits = [action("2024-06-03", "split", 0.1), action("2024-05-15", "split", 4)];
    const always = { since: null, until: null };
    expect(adjustmentFactors([...splits, action("2024-06-03", "split", 3, "2024-06-03", "ANZ")], []).splits).toEqual([
      { symbol: "ANZ", ...always, effectiveAt: splitEffectiveAt("2024-06-03"), factor: 3 },
      { symbol: "BHP", ...always, effectiveAt: splitEffectiveAt("2024-05-15"), factor: 0.4 },
      { symbol: "BHP", ...always, effectiveAt: splitEffectiveAt("2024-06-03"), factor: 0.1 },
    ]);
  });

  it("that was superseded counts no more", () => {
    const superseded = { ...action("2024-05-15", "split", 4), supersededAt: evening("2024-05-20") };
    expect(adjustmentFactors([superseded], []).splits).toEqual([]);
  });
});

describe("a dividend", () => {
  it("lowers all prices before its ex-date, whenever they were fetched", () => {
    const dividends = [action("2024-05-15", "dividend", 0.5), action("2024-06-03", "dividend", 1)];
    const closes = [closeBefore("2024-05-15", "2024-05-14", 10), closeBefore("2024-06-03", "2024-05-31", 20)];
    const factors = adjustmentFactors(dividends, closes);
    expect(factors.dividends).toEqual([
      { symbol: "BHP", exDate: "2024-05-15", factor: 0.95 * 0.95 },
      { symbol: "BHP", exDate: "2024-06-03", factor: 0.95 },
    ]);
    const { dividendFactor } = createAdjuster(factors);
    const dates = ["2024-05-14", "2024-05-15", "2024-06-02", "2024-06-03"];
    expect(dates.map((date) => dividendFactor("BHP", date))).toEqual([0.95 * 0.95, 0.95, 0.95, 1]);
  });

  it.each([
    ["both before it", 0.8, "2024-05-10", 40, "2024-05-09"],
    ["the amount after it", 0.2, "2024-05-20", 40, "2024-05-09"],
    ["the close after it", 0.8, "2024-05-10", 10, "2024-05-20"],
    ["both after it", 0.2, "2024-05-20", 10, "2024-05-20"],
  ])("has the same factor by a later split for %s", (_, amount, observed, close, fetched) => {
    const actions = [action("2024-05-10", "dividend", amount, observed), action("2024-05-15", "split", 4)];
    const { dividends } = adjustmentFactors(actions, [closeBefore("2024-05-10", "2024-05-09", close, fetched)]);
    expect(dividends[0]?.factor).toBe(1 - 0.2 / 10);
  });

  it("that goes ex with a split is in new shares, the close before it in old ones", () => {
    const actions = [action("2024-05-15", "dividend", 0.2), action("2024-05-15", "split", 4)];
    const { dividends } = adjustmentFactors(actions, [closeBefore("2024-05-15", "2024-05-14", 40)]);
    expect(dividends[0]?.factor).toBe(0.98);
  });

  it("that is not below the close before it has the factor 1 and is told; one without a bar before it adjusts nothing", () => {
    const actions = [
      action("2024-05-15", "dividend", 10),
      action("2024-03-01", "dividend", 0.1),
      action("2024-06-03", "dividend", 1),
    ];
    const closes = [closeBefore("2024-05-15", "2024-05-14", 10), closeBefore("2024-06-03", "2024-05-31", 20)];
    const { dividends, notAdjusted } = adjustmentFactors(actions, closes);
    expect(dividends).toEqual([{ symbol: "BHP", exDate: "2024-06-03", factor: 0.95 }]);
    expect(notAdjusted.map(describeNotAdjusted)).toEqual([
      "BHP 2024-05-15: its dividend of 10 is not below the close before it, 10 on 2024-05-14",
    ]);
  });
});

it("whole shares are rounded, halves up", () => {
  expect([10, 10.4, 10.5, 11.5, 0.5, 0.49].map(wholeShares)).toEqual([10, 10, 11, 12, 1, 0]);
});

const DAYS = Array.from({ length: 40 }, (_, index) => addDays("2024-04-15", index));

/** A symbol's true prices, and what happened to it on some days. */
const anyMarket = fc.record({
  closes: fc.array(fc.double({ min: 5, max: 50, noNaN: true }), { minLength: DAYS.length, maxLength: DAYS.length }),
  splits: fc.uniqueArray(fc.record({ day: fc.integer({ min: 1, max: 39 }), ratio: fc.constantFrom(2, 3, 0.1, 1.25) }), {
    selector: ({ day }) => day,
    maxLength: 3,
  }),
  dividends: fc.uniqueArray(
    fc.record({ day: fc.integer({ min: 1, max: 39 }), share: fc.double({ min: 0.001, max: 0.4, noNaN: true }) }),
    { selector: ({ day }) => day, maxLength: 4 },
  ),
});

/** For each day, and for each dividend: how many days later it was asked for. */
const anyDelays = fc.array(fc.integer({ min: 0, max: 39 }), { minLength: DAYS.length, maxLength: DAYS.length });

describe("in a market whose truth is known", () => {
  it("adjusted prices are the true ones, and their returns the same whenever each bar and dividend was fetched", () => {
    fc.assert(
      fc.property(anyMarket, anyDelays, anyDelays, ({ closes, splits, dividends }, barDelays, actionDelays) => {
        // Closes are drawn in the newest shares; the provider gives them in the shares of the day it is asked on.
        const laterThan = (day: number): number =>
          splits.reduce((product, split) => (split.day > day ? product * split.ratio : product), 1);
        const askedOn = (delays: readonly number[], day: number): number => Math.min(39, day + (delays[day] ?? 0));
        const at = (day: number): string => DAYS[day] ?? "";
        const trueClose = (day: number): number => closes[day] ?? 0;
        const stored = DAYS.map((date, day) => {
          const asked = askedOn(barDelays, day);
          return { date, day, fetchedAt: evening(at(asked)), close: trueClose(day) * laterThan(asked) };
        });
        const actions = [
          ...splits.map(({ day, ratio }) => action(at(day), "split", ratio)),
          ...dividends.map(({ day, share }) => {
            const asked = askedOn(actionDelays, day);
            const amount = share * trueClose(day - 1);
            return action(at(day), "dividend", amount * laterThan(asked), at(asked));
          }),
        ];
        const previous = dividends.flatMap(({ day }) => {
          const bar = stored[day - 1];
          return bar === undefined ? [] : [{ symbol: "BHP", exDate: at(day), ...bar }];
        });
        const adjuster = createAdjuster(adjustmentFactors(actions, previous));
        for (const { date, day, close, fetchedAt } of stored) {
          const onSplits = close / adjuster.splitFactor("BHP", date, fetchedAt);
          expect(Math.abs(onSplits / trueClose(day) - 1)).toBeLessThan(1e-12);
          const closed = dividends.reduce(
            (factor, { day: ex, share }) => (ex > day ? factor * (1 - share) : factor),
            1,
          );
          const onAll = onSplits * adjuster.dividendFactor("BHP", date);
          expect(Math.abs(onAll / (trueClose(day) * closed) - 1)).toBeLessThan(1e-12);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("a code that another company took over", () => {
  const begins = new Map([["BHP", ["2024-05-20"]]]);
  const actions = [
    action("2024-05-08", "split", 2),
    action("2024-05-22", "split", 5),
    action("2024-05-09", "dividend", 1),
    action("2024-05-20", "dividend", 1),
    action("2024-05-23", "dividend", 1),
  ];
  const closes = [
    closeBefore("2024-05-09", "2024-05-08", 10),
    closeBefore("2024-05-20", "2024-05-10", 10), // of the company before
    closeBefore("2024-05-23", "2024-05-22", 20),
  ];
  const factors = adjustmentFactors(actions, closes, begins);
  const adjuster = createAdjuster(factors);

  it("keeps the actions of each company from the prices of the other", () => {
    const splits = ["2024-05-07", "2024-05-10", "2024-05-20", "2024-05-22"].map((date) =>
      adjuster.splitFactor("BHP", date, evening(date)),
    );
    expect(splits).toEqual([2, 1, 5, 1]);
    const fetchedLate = ["2024-05-07", "2024-05-19", "2024-05-20"].map((date) =>
      adjuster.splitFactor("BHP", date, evening("2024-05-21")),
    );
    expect(fetchedLate).toEqual([1, 1, 5]);
    const dividends = ["2024-05-08", "2024-05-10", "2024-05-20", "2024-05-23"].map((date) =>
      adjuster.dividendFactor("BHP", date),
    );
    expect(dividends).toEqual([0.9, 1, 0.95, 1]);
  });

  it("takes no close of the company before for the first dividend of the next", () => {
    expect(factors.notAdjusted).toEqual([]);
    expect(adjuster.dividendFactor("BHP", "2024-05-19")).toBe(1);
  });

  it("has the same factors without beginnings where nothing was reused", () => {
    const others = new Map([["CBA", ["2024-05-20"]]]);
    expect(adjustmentFactors(actions, closes, others)).toEqual(adjustmentFactors(actions, closes));
  });
});
