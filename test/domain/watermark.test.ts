import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { addOutcomes, type KnownOutcomes } from "../../domain/watermark.ts";

const calendar = createTradingCalendar();
const marksOf = (known: readonly KnownOutcomes[]) =>
  Object.fromEntries(
    [...addOutcomes(new Map(), known, calendar)].map(([symbol, { firstBar, lastFinal }]) => [
      symbol,
      [firstBar, lastFinal],
    ]),
  );
const nothing = { bars: 0, first: null, last: null, leftOut: 0 };

describe("watermarks", () => {
  it("are the first date with a bar and the latest with an outcome that stands", () => {
    expect(
      marksOf([
        { date: "2024-05-29", outcomes: [{ symbol: "BHP", outcome: "noTrade" }] },
        {
          date: "2024-05-30",
          outcomes: [
            { symbol: "BHP", outcome: "fetched" },
            { symbol: "CBA", outcome: "notFound" },
            { symbol: "NAB", outcome: "failed" },
          ],
        },
        {
          date: "2024-05-31",
          outcomes: [
            { symbol: "BHP", outcome: "deferred" },
            { symbol: "CBA", outcome: "invalid" },
          ],
        },
      ]),
    ).toEqual({ BHP: ["2024-05-30", "2024-05-30"], CBA: [null, "2024-05-31"] });
  });

  it("of a backfill reach to the last trading day of its span", () => {
    expect(
      marksOf([
        {
          from: "2024-05-01",
          to: "2024-06-02",
          outcomes: [
            { symbol: "BHP", outcome: "fetched", bars: 9, first: "2024-05-03", last: "2024-05-20", leftOut: 0 },
            { symbol: "CBA", outcome: "noTrade", ...nothing },
            { symbol: "NAB", outcome: "failed", ...nothing },
          ],
        },
        { from: "2024-06-01", to: "2024-06-02", outcomes: [{ symbol: "NAB", outcome: "noTrade", ...nothing }] },
      ]),
    ).toEqual({ BHP: ["2024-05-03", "2024-05-31"], CBA: [null, "2024-05-31"] });
  });

  it("do not depend on the order in which runs and backfills are added, nor on adding one twice", () => {
    const report = fc.record({
      symbol: fc.constantFrom("BHP", "CBA"),
      outcome: fc.constantFrom("fetched", "noTrade", "failed", "deferred", "invalid"),
    });
    const date = fc.constantFrom("2024-05-27", "2024-05-28", "2024-05-31", "2024-06-03");
    const run = fc.record({ date, outcomes: fc.array(report) });
    fc.assert(
      fc.property(fc.array(run), (runs) => {
        expect(marksOf([...runs, ...runs].reverse())).toEqual(marksOf(runs));
      }),
    );
  });
});
