import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { UpstreamUnavailableError } from "../../domain/errors.ts";
import type { SessionChart } from "../../lambdas/batch-fetcher/price-source.ts";
import { type SessionOutcome, sessionOutcome } from "../../lambdas/batch-fetcher/session-bar.ts";
import { type ChartResponse, parseChartResponse } from "../../lambdas/batch-fetcher/yahoo-chart.ts";
import { hasRealData, readRealData, realDataPath } from "../support/real-data.ts";

const FOLDER = "yahoo";
const ERRORS = "error-bodies.json";

/** Long after every recorded session has settled. */
const LATER = "2026-01-02T12:00:00+11:00";

/** What a recorded chart must be read as, and what it must say of one date when asked for its own ticker. */
interface ExpectedChart {
  readonly ticker: string;
  readonly currency: string;
  /** How many rows there are, and the dates of the first and the last. */
  readonly rows: readonly [count: number, first?: string, last?: string];
  /** Whether the last row is stamped with a trade instead of the opening. */
  readonly liveLast?: true;
  readonly ask: string;
  readonly outcome: SessionOutcome["outcome"];
  /** What the reason quotes. */
  readonly quoted?: string;
}

/** Read as a chart, or refused as something to ask for again. */
type Expectation = readonly [why: string, expected: ExpectedChart | "unusable"];

function foreign(ticker: string, currency: string, rows: ExpectedChart["rows"] = [1, "2020-01-02"]): ExpectedChart {
  const [count, first, last = first] = rows;
  const dates: ExpectedChart["rows"] = first === undefined || last === undefined ? [count] : [count, first, last];
  return { ticker, currency, rows: dates, ask: first ?? "2020-01-02", outcome: "invalid", quoted: `${currency},` };
}

const QUOTE: Expectation = ["an answer of the quote endpoint: it has no chart", "unusable"];

const EXPECTED: Readonly<Record<string, Expectation>> = {
  "CCL.AX-2019-10-daylight-time-live-last-row.json": [
    "an ASX stock in AUD; 23:00Z of the day before is 10:00 in Sydney; no trading period in meta; last stamp 16:10:07",
    {
      ticker: "CCL.AX",
      currency: "AUD",
      rows: [3, "2019-10-16", "2019-10-18"],
      liveLast: true,
      ask: "2019-10-17",
      outcome: "fetched",
    },
  ],
  "NAB.AX-2017-09-standard-time-live-last-row.json": [
    "an ASX stock in AUD; 00:00Z is 10:00 in Sydney; last stamp 14:32:16",
    {
      ticker: "NAB.AX",
      currency: "AUD",
      rows: [5, "2017-09-04", "2017-09-08"],
      liveLast: true,
      ask: "2017-09-06",
      outcome: "fetched",
    },
  ],
  "chart-0P000071W8.TO-2020-01-01-to-2020-01-03.json": ["a fund in Toronto, volume 0", foreign("0P000071W8.TO", "CAD")],
  "chart-AAPL-2020-01-01-to-2020-01-03.json": ["one session in New York", foreign("AAPL", "USD")],
  "chart-AAPL-2020-08-31-to-2020-11-07.json": [
    "49 sessions across New York's own change of time, a split on the first and a dividend on the last",
    foreign("AAPL", "USD", [49, "2020-08-31", "2020-11-06"]),
  ],
  "chart-AAPL-2025-02-01-to-2025-02-02-includePrePost-false-interval-1m.json": [
    "a weekend: no time stamps, quote [{}], no adjclose",
    { ticker: "AAPL", currency: "USD", rows: [0], ask: "2025-02-01", outcome: "invalid", quoted: "USD," },
  ],
  "chart-AAPL.json": [
    "one session, recorded in another season than it was held",
    foreign("AAPL", "USD", [1, "2022-02-22"]),
  ],
  "chart-ABBV-2020-01-01-to-2020-01-03.json": ["one session in New York", foreign("ABBV", "USD")],
  "chart-AFRAF-2020-01-01-to-2020-01-03.json": [
    "all prices equal, volume 0: traded over the counter",
    foreign("AFRAF", "USD"),
  ],
  "chart-AMZN-2020-01-01-to-2020-01-03.json": ["one session in New York", foreign("AMZN", "USD")],
  "chart-AZT.OL-2020-01-01-to-2020-01-03.json": ["Oslo, stamped 09:00 there", foreign("AZT.OL", "NOK")],
  "chart-BABA-2020-01-01-to-2020-01-03.json": ["one session in New York", foreign("BABA", "USD")],
  "chart-BTC-USD-2020-01-01-to-2020-01-03.json": [
    "stamped at midnight UTC every day, New Year's Day too; volumes beyond 32 bits",
    foreign("BTC-USD", "USD", [3, "2020-01-01", "2020-01-03"]),
  ],
  "chart-CRON-2020-01-01-to-2020-01-03.json": ["one session in New York", foreign("CRON", "USD")],
  "chart-EPAC-2020-01-01-to-2020-01-03.json": ["one session in New York", foreign("EPAC", "USD")],
  "chart-EURUSD=X-2020-01-01-to-2020-01-03.json": [
    "a currency pair, stamped at midnight in London, volume 0",
    foreign("EURUSD=X", "USD", [3, "2020-01-01", "2020-01-03"]),
  ],
  "chart-GC=F-2020-01-01-to-2020-01-03.json": ["a future, stamped at midnight in New York", foreign("GC=F", "USD")],
  "chart-GOOG-2020-01-01-to-2020-01-03.json": ["one session in New York", foreign("GOOG", "USD")],
  "chart-OCDO.L-2020-01-01-to-2020-01-03.json": ["London, in pence: GBp is no pound", foreign("OCDO.L", "GBp")],
  "chart-ORSTED.CO-2020-01-01-to-2020-01-03.json": ["Copenhagen, stamped 09:00 there", foreign("ORSTED.CO", "DKK")],
  "chart-QQQ-2020-01-01-to-2020-01-03.json": ["an ETF in New York", foreign("QQQ", "USD")],
  "chart-SPOT-2020-01-01-to-2020-01-03.json": ["one session in New York", foreign("SPOT", "USD")],
  "chart-TSLA-2025-01-01-to-2025-01-02-interval-1h.fake.json": [
    "a holiday: no time stamps, quote [{}]",
    { ticker: "TSLA", currency: "USD", rows: [0], ask: "2025-01-01", outcome: "invalid", quoted: "USD," },
  ],
  "chart-WSKT.JK-2020-01-01-to-2020-01-03.json": ["Jakarta, which has no daylight time", foreign("WSKT.JK", "IDR")],
  "chart-WSU.DE-2023-08-04-to-2023-08-09.json": [
    "August in Berlin is +2 h, meta.gmtoffset says +1 h: still stamped at the opening",
    foreign("WSU.DE", "EUR", [3, "2023-08-04", "2023-08-08"]),
  ],
  "chart-notimestamp-quotes-length.fake.json": [
    "no time stamps, but a filled quote: whose prices are these?",
    "unusable",
  ],
  "chart-notimestamp-weird-quote.fake.json": [
    "no time stamps, but a filled quote: whose prices are these?",
    "unusable",
  ],
  "historical-via-chart-0P0000XTS7-2024-09-12-to-2024-09-16.json": [
    "a fund, volume 0",
    foreign("0P0000XTS7", "USD", [2, "2024-09-12", "2024-09-13"]),
  ],
  "historical-via-chart-MSFT-dividends-2021-02-01-to-2022-01-31.json": [
    "a year with four dividends",
    foreign("MSFT", "USD", [252, "2021-02-01", "2022-01-28"]),
  ],
  "historical-via-chart-NVDA-split-2021-02-01-to-2022-01-31.json": [
    "a year with a split",
    foreign("NVDA", "USD", [252, "2021-02-01", "2022-01-28"]),
  ],
  "quote-0P000071W8.TO.json": QUOTE,
  "quote-AAPL-BABA.json": QUOTE,
  "quote-AAPL.json": QUOTE,
  "quote-AAPL220121C00025000.json": QUOTE,
  "quote-APS.AX.json": ["an unknown symbol at the quote endpoint: an empty list, and no chart", "unusable"],
  "quote-GC=F.json": QUOTE,
  "quote-OCDO.L.json": QUOTE,
  "quote-WSKT.JK.json": QUOTE,
};

/** What each failure that was seen must come to. */
const EXPECTED_ERRORS: Readonly<Record<string, readonly [why: string, expected: string]>> = {
  "not-found": ["404 with the chart's own code", "notFound"],
  "no-data-in-window": ["400 with the chart's own code", "noData"],
  "rate-limited-text": ["429", "unusable"],
  "edge-blocked-text": ["429 on the first call", "unusable"],
  "rate-limited-json (shape assumed; not seen recorded)": ["429, whatever the body", "unusable"],
  "invalid-crumb": ["401: a new session helps", "unusable"],
  "empty-window": ["a chart without rows, and without a zone to date them in", "chart"],
  "result-null": ["200 that says nothing", "unusable"],
  "result-empty": ["200 that says nothing", "unusable"],
  "down-html": ["200, but a page", "unusable"],
  "quote-unknown-symbol": ["no chart", "unusable"],
  "quote-stub": ["no chart", "unusable"],
  "crumb-poisoned": ["429, of an address that is never asked", "unusable"],
};

const recordedAnswer = z.object({ status: z.number(), body: z.unknown() });
const recordedErrors = z.array(recordedAnswer.extend({ name: z.string() }));
const recordedValues = z.array(z.unknown());
const recordedChart = z.object({
  chart: z.object({
    result: z.tuple([
      z.object({
        indicators: z.object({
          quote: z.tuple([
            z
              .object({ open: recordedValues, high: recordedValues, low: recordedValues, close: recordedValues })
              .partial(),
          ]),
        }),
      }),
    ]),
  }),
});

function readJson(file: string): unknown {
  return JSON.parse(new TextDecoder().decode(readRealData(`${FOLDER}/${file}`)));
}

/** The body of a recording: under `body` beside its status, or the whole file, which then had status 200. */
function recordingOf(file: string): { readonly status: number; readonly body: unknown } {
  const recorded = readJson(file);
  const wrapped = recordedAnswer.safeParse(recorded);
  return wrapped.success ? wrapped.data : { status: 200, body: recorded };
}

function asResponse({ status, body }: { readonly status: number; readonly body: unknown }): ChartResponse {
  return { status, body: new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)) };
}

/** How an answer is classified; an error of another name fails the test as itself. */
function classify(response: ChartResponse): string {
  try {
    return parseChartResponse(response).kind;
  } catch (error) {
    if (error instanceof UpstreamUnavailableError) return "unusable";
    throw error;
  }
}

function chartOf(file: string): SessionChart {
  const answer = parseChartResponse(asResponse(recordingOf(file)));
  if (answer.kind !== "chart") throw new Error(`${file} is read as ${answer.kind}`);
  return answer;
}

function ask(answer: SessionChart, ticker: string, date: string, answeredAt = LATER): SessionOutcome {
  const question = { symbol: ticker.split(".")[0] ?? "", ticker, date, batchNumber: 3 };
  return sessionOutcome({ answer, answeredAt: Date.parse(answeredAt) }, question);
}

/** Monday to Friday from one date to another, both inclusive, without the days named. */
function weekdays(from: string, to: string, without: readonly string[]): string[] {
  const dates: string[] = [];
  for (let day = Date.parse(from); day <= Date.parse(to); day += 86_400_000) {
    const date = new Date(day).toISOString().slice(0, 10);
    if (![0, 6].includes(new Date(day).getUTCDay()) && !without.includes(date)) dates.push(date);
  }
  return dates;
}

const CHARTS = Object.entries(EXPECTED).flatMap(([file, [why, expected]]) =>
  expected === "unusable" ? [] : [{ file, why, expected }],
);

describe.skipIf(!hasRealData)("the answers recorded of Yahoo", () => {
  it("all have an expectation here", () => {
    expect(readdirSync(realDataPath(FOLDER)).sort()).toEqual([...Object.keys(EXPECTED), ERRORS].sort());
    expect(recordedErrors.parse(readJson(ERRORS)).map(({ name }) => name)).toEqual(Object.keys(EXPECTED_ERRORS));
  });

  it.each(Object.entries(EXPECTED))("%s is read as what it is: %s", (file, [_why, expected]) => {
    expect(classify(asResponse(recordingOf(file)))).toBe(expected === "unusable" ? "unusable" : "chart");
  });

  it.each(CHARTS)("$file has the rows that it shows: $why", ({ file, expected }) => {
    const { ticker, currency, rows } = chartOf(file);
    const [count, first, last] = expected.rows;

    expect({ ticker, currency }).toEqual({ ticker: expected.ticker, currency: expected.currency });
    expect([rows.length, rows[0]?.date, rows.at(-1)?.date]).toEqual([count, first, last]);
    expect(rows.slice(0, -1).every(({ stampedAtOpen }) => stampedAtOpen)).toBe(true);
    if (count > 0) expect(rows.at(-1)?.stampedAtOpen).toBe(expected.liveLast !== true);
  });

  it.each(CHARTS)("$file, asked for $expected.ask, is $expected.outcome", ({ file, expected }) => {
    const outcome = ask(chartOf(file), expected.ticker, expected.ask);

    expect(outcome).toMatchObject({ outcome: expected.outcome });
    if (expected.quoted !== undefined)
      expect(outcome).toHaveProperty("reason", expect.stringContaining(expected.quoted));
  });

  it.each(CHARTS)(
    "$file has no trade on a date it does not hold, where its dates are Sydney's",
    ({ file, expected }) => {
      const outcome = expected.currency === "AUD" ? { outcome: "noTrade" } : { outcome: "invalid" };
      expect(ask(chartOf(file), expected.ticker, "2015-06-30")).toMatchObject(outcome);
    },
  );

  it.each(CHARTS)("$file is dated in its own zone, which for an ASX stock is Sydney's", ({ file, expected }) => {
    const { zone } = chartOf(file);
    expect(zone).toBeDefined();
    expect(zone === "Australia/Sydney").toBe(expected.ticker.endsWith(".AX"));
  });

  it.each(CHARTS)("$file is invalid when another ticker was asked for", ({ file, expected }) => {
    expect(ask(chartOf(file), "BHP.AX", expected.ask)).toEqual({
      outcome: "invalid",
      reason: expect.stringMatching(`${JSON.stringify(expected.ticker)}.*BHP\\.AX`),
    });
  });

  it.each(CHARTS)("$file has prices that denote the recorded 32-bit values, in no more digits", ({ file }) => {
    const [result] = recordedChart.parse(recordingOf(file).body).chart.result;
    const [quote] = result.indicators.quote;
    const { rows } = chartOf(file);
    for (const name of ["open", "high", "low", "close"] as const) {
      const recorded = quote[name] ?? [];
      const read = rows.map((row) => row[name]);
      expect(read.map((price) => Math.fround(Number(price)))).toEqual(recorded);
      expect(read.every((price, index) => String(price).length <= String(recorded[index]).length)).toBe(true);
    }
  });

  it.each(Object.entries(EXPECTED_ERRORS))("the failure %s is read as what it is: %s", (name, [_why, expected]) => {
    const recorded = recordedErrors.parse(readJson(ERRORS)).find((entry) => entry.name === name);
    if (recorded === undefined) throw new Error(`no failure ${name} is recorded`);

    expect(classify(asResponse(recorded))).toBe(expected);
  });

  it("the empty window is no trade", () => {
    const recorded = recordedErrors.parse(readJson(ERRORS)).find(({ name }) => name === "empty-window");
    if (recorded === undefined) throw new Error("no empty window is recorded");
    const answer = parseChartResponse(asResponse(recorded));

    expect(
      sessionOutcome(
        { answer, answeredAt: Date.parse(LATER) },
        { symbol: "XYZ", ticker: "XYZ.AX", date: "2024-05-31", batchNumber: null },
      ),
    ).toEqual({ outcome: "noTrade" });
  });
});

const NAB = "NAB.AX-2017-09-standard-time-live-last-row.json";
const CCL = "CCL.AX-2019-10-daylight-time-live-last-row.json";

describe.skipIf(!hasRealData)("the recorded stocks of the ASX", () => {
  // open, high, low, close, volume: the recorded values as the shortest decimals of their 32-bit floats.
  it.each([
    [NAB, "NAB.AX", "2017-09-04", [30.27, 30.385, 30.16, 30.26, 2_059_508]],
    [NAB, "NAB.AX", "2017-09-05", [30.29, 30.4, 30.1, 30.35, 2_240_849]],
    [NAB, "NAB.AX", "2017-09-06", [30.06, 30.21, 29.95, 30.15, 4_332_445]],
    [NAB, "NAB.AX", "2017-09-07", [30.3, 30.38, 30, 30.17, 3_451_099]],
    [CCL, "CCL.AX", "2019-10-16", [10.56, 10.68, 10.46, 10.63, 2_166_314]],
    [CCL, "CCL.AX", "2019-10-17", [10.61, 10.62, 10.34, 10.36, 4_474_727]],
  ])("%s: the session of %s of %s", (file, ticker, date, [open, high, low, close, volume]) => {
    expect(ask(chartOf(file), ticker, date)).toEqual({
      outcome: "fetched",
      bar: {
        symbol: ticker.slice(0, 3),
        date,
        open,
        high,
        low,
        close,
        adjustedClose: close,
        volume,
        dividend: null,
        splitRatio: null,
        fetchTimestamp: Date.parse(LATER),
        batchNumber: 3,
      },
    });
  });

  it.each([
    [NAB, "NAB.AX", "2017-09-06", "2017-09-08T14:52:16+10:00"],
    [CCL, "CCL.AX", "2019-10-17", "2019-10-18T16:30:07+11:00"],
  ])("%s: a live row of today does not touch an earlier session of %s", (file, ticker, date, answeredAt) => {
    expect(ask(chartOf(file), ticker, date, answeredAt)).toMatchObject({ outcome: "fetched", bar: { date } });
  });

  it.each([
    [NAB, "NAB.AX", "2017-09-08", "2017-09-08T14:52:16+10:00", "failed"],
    [NAB, "NAB.AX", "2017-09-08", "2017-09-08T18:59:59+10:00", "failed"],
    [NAB, "NAB.AX", "2017-09-08", "2017-09-08T19:00:00+10:00", "fetched"],
    [CCL, "CCL.AX", "2019-10-18", "2019-10-18T16:30:07+11:00", "failed"],
    [CCL, "CCL.AX", "2019-10-18", "2019-10-18T18:59:59+11:00", "failed"],
    [CCL, "CCL.AX", "2019-10-18", "2019-10-18T19:00:00+11:00", "fetched"],
  ])("%s: the live row of %s of %s, answered at %s, is %s", (file, ticker, date, answeredAt, outcome) => {
    expect(ask(chartOf(file), ticker, date, answeredAt)).toMatchObject({ outcome });
  });

  it("the settled live rows have the values of the last trade", () => {
    expect(ask(chartOf(NAB), "NAB.AX", "2017-09-08")).toMatchObject({
      bar: { open: 30.17, high: 30.17, low: 29.83, close: 29.885, adjustedClose: 29.885, volume: 2_144_174 },
    });
    expect(ask(chartOf(CCL), "CCL.AX", "2019-10-18")).toMatchObject({
      bar: { open: 10.41, high: 10.57, low: 10.35, close: 10.39, adjustedClose: 10.39, volume: 2_578_999 },
    });
  });

  it("have no bar on a trading day beyond their rows", () => {
    expect(ask(chartOf(NAB), "NAB.AX", "2017-09-11")).toEqual({ outcome: "noTrade" });
    expect(ask(chartOf(CCL), "CCL.AX", "2019-10-15")).toEqual({ outcome: "noTrade" });
  });
});

describe.skipIf(!hasRealData)("the recorded sessions of New York", () => {
  const APPLE = "chart-AAPL-2020-08-31-to-2020-11-07.json";
  const MICROSOFT = "historical-via-chart-MSFT-dividends-2021-02-01-to-2022-01-31.json";
  const NVIDIA = "historical-via-chart-NVDA-split-2021-02-01-to-2022-01-31.json";
  // The exchange's published holidays of the time.
  const HOLIDAYS = [
    "2020-09-07",
    "2021-02-15",
    "2021-04-02",
    "2021-05-31",
    "2021-07-05",
    "2021-09-06",
    "2021-11-25",
    "2021-12-24",
    "2022-01-17",
  ];

  it.each([
    [APPLE, "2020-08-31", "2020-11-06"],
    [MICROSOFT, "2021-02-01", "2022-01-28"],
    [NVIDIA, "2021-02-01", "2022-01-28"],
  ])("%s: are all weekdays but the holidays", (file, from, to) => {
    expect(chartOf(file).rows.map(({ date }) => date)).toEqual(weekdays(from, to, HOLIDAYS));
  });

  it.each([
    // 1604673000 is 09:30 on 6 November 2020 there, 1598880600 on 31 August 2020.
    [APPLE, [["2020-11-06", 0.205]], [["2020-08-31", 4]]],
    [
      MICROSOFT,
      [
        ["2021-02-17", 0.56],
        ["2021-05-19", 0.56],
        ["2021-08-18", 0.56],
        ["2021-11-17", 0.62],
      ],
      [],
    ],
    [NVIDIA, [], [["2021-07-20", 4]]],
  ])("%s: have their dividends and splits on the ex-date", (file, dividends, splits) => {
    const chart = chartOf(file);

    expect([...chart.dividends]).toEqual(dividends);
    expect([...chart.splits]).toEqual(splits);
  });

  it("have the shortest decimals, worked out with Python from the printed doubles", () => {
    const { rows } = chartOf(APPLE);

    expect(rows[0]).toMatchObject({
      open: 127.58,
      high: 131,
      low: 126,
      close: 129.04,
      adjustedClose: 125.82674,
      volume: 225_702_700,
    });
    expect(rows[3]).toMatchObject({ close: 120.88, adjustedClose: 117.869934 });
    expect(rows.at(-1)).toMatchObject({
      open: 118.32,
      high: 119.2,
      low: 116.13,
      close: 118.69,
      adjustedClose: 115.93415,
      volume: 114_457_900,
    });
  });

  it.each([
    ["chart-OCDO.L-2020-01-01-to-2020-01-03.json", { open: 1279.5, high: 1286.57, low: 1258, close: 1259.5 }],
    [
      "chart-EURUSD=X-2020-01-01-to-2020-01-03.json",
      { open: 1.1220826, high: 1.1228385, low: 1.1159469, close: 1.1220826 },
    ],
    [
      "chart-BTC-USD-2020-01-01-to-2020-01-03.json",
      { open: 7194.892, high: 7254.3306, low: 7174.9443, volume: 18_565_664_997 },
    ],
  ])("and so have others: %s", (file, values) => {
    expect(chartOf(file).rows[0]).toMatchObject(values);
  });
});
