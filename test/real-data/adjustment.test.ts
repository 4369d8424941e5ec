import { describe, expect, it } from "vitest";
import * as z from "zod";
import { adjustmentFactors, type PreviousClose } from "../../domain/adjustment.ts";
import { type ActionsAnswer, observeActions } from "../../domain/corporate-action.ts";
import { splitEffectiveAt } from "../../domain/split-basis.ts";
import { sydneyInstant } from "../../domain/trading-date.ts";
import type { SessionChart } from "../../lambdas/batch-fetcher/price-source.ts";
import { parseChartResponse } from "../../lambdas/batch-fetcher/yahoo-chart.ts";
import { createAdjuster } from "../support/adjuster.ts";
import { hasRealData, readRealData, realDataFiles } from "../support/real-data.ts";

/** Long after every recorded session. */
const RECORDED_AT = Date.parse("2026-01-02T00:00:00Z");

/** Relative. */
const TOLERANCE = 1e-4;

const wrapped = z.object({ status: z.number(), body: z.unknown() });

function chartOf(file: string): SessionChart | undefined {
  const recorded: unknown = JSON.parse(new TextDecoder().decode(readRealData(`yahoo/${file}`)));
  const answer = wrapped.safeParse(recorded);
  const body = answer.success ? answer.data.body : recorded;
  try {
    const bytes = new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
    const chart = parseChartResponse({ status: answer.success ? answer.data.status : 200, body: bytes });
    return chart.kind === "chart" ? chart : undefined;
  } catch {
    return undefined; // no chart: yahoo-recordings.test.ts says which
  }
}

interface Row {
  readonly date: string;
  readonly close: number;
  readonly adjustedClose: number;
}

function rowsOf({ rows }: SessionChart): Row[] {
  return rows.flatMap(({ date, close, adjustedClose }) =>
    typeof close === "number" && typeof adjustedClose === "number" ? [{ date, close, adjustedClose }] : [],
  );
}

/** Values of events, which are numbers in these recordings. */
function numbersOf(events: ReadonlyMap<string, unknown>): Map<string, number> {
  return new Map([...events].map(([date, value]) => [date, Number(value)]));
}

interface Market {
  readonly rows: readonly Row[];
  readonly dividends: ReadonlyMap<string, number>;
  readonly splits: ReadonlyMap<string, number>;
}

/** The largest relative difference between our adjusted closes and the provider's, over all rows. */
function largestDifference({ rows, dividends, splits }: Market, fetchedAt: (date: string) => number): number {
  const span = { from: rows[0]?.date ?? "", to: rows.at(-1)?.date ?? "" };
  const answer: ActionsAnswer = { symbol: "ANY", span, answeredAt: RECORDED_AT, dividends, splits };
  // The chart shows every close in the shares of the recording. A bar that was fetched before a split had it in older ones.
  const stored = rows.map(({ date, close }) => {
    const later = [...splits].filter(([exDate]) => exDate > date && splitEffectiveAt(exDate) > fetchedAt(date));
    return { date, close: later.reduce((price, [, ratio]) => price * ratio, close), fetchedAt: fetchedAt(date) };
  });
  const closes = [...dividends.keys()].flatMap((exDate): PreviousClose[] => {
    const before = stored.findLast(({ date }) => date < exDate);
    return before === undefined ? [] : [{ symbol: "ANY", exDate, ...before }];
  });
  const adjuster = createAdjuster(adjustmentFactors(observeActions([], [answer]), closes));
  const ours = stored.map(
    (bar) =>
      (bar.close / adjuster.splitFactor("ANY", bar.date, bar.fetchedAt)) * adjuster.dividendFactor("ANY", bar.date),
  );
  // The provider's closes are adjusted for dividends after the last row too, which a recording does not hold: a common factor.
  const anchor = (rows.at(-1)?.adjustedClose ?? Number.NaN) / (ours.at(-1) ?? Number.NaN);
  return Math.max(...rows.map(({ adjustedClose }, row) => Math.abs(((ours[row] ?? 0) * anchor) / adjustedClose - 1)));
}

const AAPL = "chart-AAPL-2020-08-31-to-2020-11-07.json";
const MSFT = "historical-via-chart-MSFT-dividends-2021-02-01-to-2022-01-31.json";
const NVDA = "historical-via-chart-NVDA-split-2021-02-01-to-2022-01-31.json";

/**
 * The recording of NVDA asked for splits alone, and its adjusted closes have dividends in them all the same: 0.16 a share of
 * before the split on two dates and 0.04 after it on two, which is 0.004 in the shares of the recording, made after another
 * split of ten for one.
 */
const NVDA_DIVIDENDS = ["2021-03-09", "2021-06-09", "2021-08-31", "2021-12-01"].map((date) => [date, 0.004] as const);

function marketOf(file: string): Market {
  const chart = chartOf(file);
  if (chart === undefined) throw new Error(`${file} is no chart`);
  const dividends = file === NVDA ? new Map(NVDA_DIVIDENDS) : numbersOf(chart.dividends);
  return { rows: rowsOf(chart), dividends, splits: numbersOf(chart.splits) };
}

describe.skipIf(!hasRealData)("our adjusted closes and those of the recorded charts", () => {
  it("are compared for every recorded chart with dividends or splits", () => {
    const withEvents = realDataFiles("yahoo").filter((file) => {
      const chart = chartOf(file);
      return chart !== undefined && chart.dividends.size + chart.splits.size > 0;
    });
    expect(withEvents.sort()).toEqual([AAPL, MSFT, NVDA]);
  });

  it.each([
    [AAPL, 49, 1, 1, "2020-08-31"],
    [MSFT, 252, 4, 0, "2021-02-17"],
    [NVDA, 252, 4, 1, "2021-07-20"],
  ])("of %s are the same on each of %i rows, over %i dividends and %i splits", (file, rows, dividends, splits, ex) => {
    const market = marketOf(file);
    expect([market.rows.length, market.dividends.size, market.splits.size]).toEqual([rows, dividends, splits]);
    expect(market.dividends.has(ex) || market.splits.has(ex)).toBe(true);
    expect(largestDifference(market, () => RECORDED_AT)).toBeLessThan(TOLERANCE);
  });

  it.each([AAPL, MSFT, NVDA])("of %s are the same where each bar was fetched on its evening", (file) => {
    expect(largestDifference(marketOf(file), (date) => sydneyInstant(date, "19:30"))).toBeLessThan(TOLERANCE);
  });

  it("differ where a dividend or a split is left out: the comparison would tell", () => {
    const [msft, nvda] = [marketOf(MSFT), marketOf(NVDA)];
    const fewer = new Map([...msft.dividends].slice(1));
    expect(largestDifference({ ...msft, dividends: fewer }, () => RECORDED_AT)).toBeGreaterThan(TOLERANCE);
    expect(largestDifference({ ...nvda, dividends: new Map() }, () => RECORDED_AT)).toBeGreaterThan(TOLERANCE);
    const unsplit = nvda.rows.map((row) => (row.date < "2021-07-20" ? { ...row, close: row.close * 4 } : row));
    expect(largestDifference({ ...nvda, rows: unsplit }, () => RECORDED_AT)).toBeGreaterThan(1);
  });
});
