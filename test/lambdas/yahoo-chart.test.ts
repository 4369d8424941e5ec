import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UpstreamRefusedError, UpstreamUnavailableError } from "../../domain/errors.ts";
import type { SessionChart } from "../../lambdas/batch-fetcher/price-source.ts";
import { parseChartResponse } from "../../lambdas/batch-fetcher/yahoo-chart.ts";
import {
  type BodyChart,
  chartBody,
  chartResult,
  emptyChartBody,
  epochSeconds,
  errorBody,
  jsonBody,
  resultBody,
  textBody,
} from "../support/chart-body.ts";

const FRIDAY = "2024-05-31T10:00:00+10:00";

function chartOf(body: Uint8Array): SessionChart {
  const answer = parseChartResponse({ status: 200, body });
  if (answer.kind !== "chart") throw new Error(`expected a chart, got ${answer.kind}`);
  return answer;
}

/** What reading an answer throws, so that all of it can be looked at. */
function refusalOf(status: number, body: Uint8Array, retryAfterMs?: number): unknown {
  try {
    parseChartResponse({ status, body, retryAfterMs });
  } catch (error) {
    return error;
  }
  throw new Error(`HTTP ${status} was accepted`);
}

describe("a chart", () => {
  it("gives its ticker, its currency and each row's values in the order of the answer", () => {
    const rows = [
      {
        at: "2024-05-30T10:00:00+10:00",
        open: 30.25,
        high: 30.75,
        low: 30,
        close: 30.5,
        volume: 1200,
        adjustedClose: 29.5,
      },
      { at: FRIDAY, open: 30.5, high: 31, low: 30.5, close: 31, volume: 0, adjustedClose: 31 },
    ];

    expect(chartOf(chartBody({ rows }))).toEqual({
      kind: "chart",
      ticker: "BHP.AX",
      currency: "AUD",
      zone: "Australia/Sydney",
      rows: [
        {
          date: "2024-05-30",
          stampedAtOpen: true,
          open: 30.25,
          high: 30.75,
          low: 30,
          close: 30.5,
          adjustedClose: 29.5,
          volume: 1200,
        },
        {
          date: "2024-05-31",
          stampedAtOpen: true,
          open: 30.5,
          high: 31,
          low: 30.5,
          close: 31,
          adjustedClose: 31,
          volume: 0,
        },
      ],
      dividends: new Map(),
      splits: new Map(),
    });
  });

  it("may lack adjusted closes", () => {
    const result = chartResult({ rows: [{ at: FRIDAY }] });
    const body = resultBody({ ...result, indicators: { quote: result.indicators.quote } });

    expect(chartOf(body).rows).toMatchObject([{ close: 30.5, adjustedClose: null }]);
  });

  it("may name neither its ticker nor its currency", () => {
    const body = chartBody({ meta: { symbol: undefined, currency: undefined }, rows: [{ at: FRIDAY }] });

    expect(chartOf(body)).toMatchObject({ ticker: undefined, currency: undefined });
  });

  it("keeps values that are no prices as they came, for the bar's check to refuse", () => {
    const body = chartBody({ rows: [{ at: FRIDAY, open: "30.25", high: null, low: -5, close: true, volume: 1.5 }] });

    expect(chartOf(body).rows).toMatchObject([{ open: "30.25", high: null, low: -5, close: true, volume: 1.5 }]);
  });

  it("reads a number too large for a double as infinite instead of failing", () => {
    const text = new TextDecoder().decode(chartBody({ rows: [{ at: FRIDAY, high: "huge" }] }));
    const body = textBody(text.replace('"huge"', "1e400"));

    expect(chartOf(body).rows).toMatchObject([{ high: Number.POSITIVE_INFINITY }]);
  });
});

describe("the date of a session", () => {
  it.each([
    ["standard time", "2024-05-31T00:00:00Z", "2024-05-31"],
    ["daylight time, the day before in UTC", "2024-01-14T23:00:00Z", "2024-01-15"],
    ["the first session of a year, the old year in UTC", "2023-01-02T23:00:00Z", "2023-01-03"],
    ["the last session before daylight time ends", "2024-04-04T23:00:00Z", "2024-04-05"],
    ["the first session after daylight time ended", "2024-04-08T00:00:00Z", "2024-04-08"],
    ["the last session before daylight time begins", "2024-10-04T00:00:00Z", "2024-10-04"],
    ["the first session after daylight time began", "2024-10-06T23:00:00Z", "2024-10-07"],
  ])("is the date in Sydney: %s", (_case, at, date) => {
    expect(chartOf(chartBody({ rows: [{ at }] })).rows).toMatchObject([{ date, stampedAtOpen: true }]);
  });

  it("is the date that the platform's own calendar gives in Sydney, for any stamp", () => {
    const sydney = new Intl.DateTimeFormat("en-CA", { timeZone: "Australia/Sydney", dateStyle: "short" });
    const stamps = fc.integer({ min: epochSeconds("1988-01-01T00:00:00Z"), max: epochSeconds("2035-01-01T00:00:00Z") });
    fc.assert(
      fc.property(stamps, (seconds) => {
        const at = new Date(seconds * 1000);
        expect(chartOf(chartBody({ rows: [{ at: at.toISOString() }] })).rows[0]?.date).toBe(sydney.format(at));
      }),
    );
  });

  it.each([
    ["summer's offset on a winter session", 39_600, "2024-05-31T00:00:00Z", "2024-05-31"],
    ["winter's offset on a summer session", 36_000, "2024-01-14T23:00:00Z", "2024-01-15"],
    ["an offset from the other side of the world", -36_000, "2024-05-31T00:00:00Z", "2024-05-31"],
    ["an offset that is no number", "none", "2024-01-14T23:00:00Z", "2024-01-15"],
  ])("does not heed meta.gmtoffset: %s", (_case, gmtoffset, at, date) => {
    expect(chartOf(chartBody({ meta: { gmtoffset }, rows: [{ at }] })).rows).toMatchObject([
      { date, stampedAtOpen: true },
    ]);
  });
});

describe("a live row", () => {
  it.each([
    ["in the middle of a standard-time session", "2024-05-31T14:32:16+10:00", "2024-05-31"],
    ["after the closing auction in daylight time", "2024-01-15T16:10:07+11:00", "2024-01-15"],
    ["one second after the opening", "2024-05-31T10:00:01+10:00", "2024-05-31"],
    ["one second before the opening", "2024-05-31T09:59:59+10:00", "2024-05-31"],
    ["at summer's opening on a winter day", "2024-05-31T10:00:00+11:00", "2024-05-31"],
  ])("is told from a session's row by its stamp: %s", (_case, at, date) => {
    const { rows } = chartOf(chartBody({ rows: [{ at: "2024-01-12T10:00:00+11:00" }, { at }] }));

    expect(rows).toMatchObject([{ stampedAtOpen: true }, { date, stampedAtOpen: false }]);
  });

  it("is known by 10:00 in Sydney where the answer does not say when its exchange opens", () => {
    const rows = [{ at: FRIDAY }, { at: "2024-05-31T16:10:07+10:00" }];
    const { rows: read } = chartOf(chartBody({ meta: { currentTradingPeriod: undefined }, rows }));

    expect(read).toMatchObject([{ stampedAtOpen: true }, { stampedAtOpen: false }]);
  });

  it("is known by the opening of the answer's own exchange, in whichever season the answer came", () => {
    const meta = {
      exchangeTimezoneName: "America/New_York",
      currentTradingPeriod: { regular: { start: epochSeconds("2024-07-01T09:30:00-04:00") } },
    };
    const rows = [{ at: "2024-01-16T09:30:00-05:00" }, { at: "2024-01-16T16:00:01-05:00" }];

    expect(chartOf(chartBody({ meta, rows })).rows).toMatchObject([
      { date: "2024-01-16", stampedAtOpen: true },
      { date: "2024-01-16", stampedAtOpen: false },
    ]);
  });
});

describe("prices", () => {
  it.each([
    [30.385000228881836, 30.385],
    [10.5600004196167, 10.56],
    [0.0010000000474974513, 0.001],
    [7200.17431640625, 7200.1743],
    [97.5, 97.5],
    [30.385, 30.385],
  ])("are the shortest decimal of their 32-bit value: %d is %d", (printed, price) => {
    const row = { at: FRIDAY, open: printed, high: printed, low: printed, close: printed, adjustedClose: printed };

    expect(chartOf(chartBody({ rows: [row] })).rows).toMatchObject([
      { open: price, high: price, low: price, close: price, adjustedClose: price },
    ]);
  });

  it("come back exactly where they were decimals of up to six digits", () => {
    const thousandths = fc.integer({ min: 1, max: 999_999 });
    fc.assert(
      fc.property(thousandths, (count) => {
        const price = count / 1000;
        const body = chartBody({ rows: [{ at: FRIDAY, close: Math.fround(price) }] });
        expect(chartOf(body).rows[0]?.close).toBe(price);
      }),
    );
  });

  it("are shortened, volumes are not", () => {
    // As a 32-bit price, 123456790528 would become 123456790000.
    expect(chartOf(chartBody({ rows: [{ at: FRIDAY, volume: 123_456_790_528 }] })).rows).toMatchObject([
      { volume: 123_456_790_528 },
    ]);
  });
});

describe("events", () => {
  const rows = [{ at: FRIDAY }];

  it("give every dividend by its ex-date in Sydney, in both seasons", () => {
    const events = {
      dividends: {
        [epochSeconds("2024-01-14T23:00:00Z")]: { amount: 0.72, date: epochSeconds("2024-01-14T23:00:00Z") },
        [epochSeconds("2024-05-31T00:00:00Z")]: { amount: 0.135, date: epochSeconds("2024-05-31T00:00:00Z") },
        [epochSeconds("2024-10-06T23:00:00Z")]: { amount: 2, date: epochSeconds("2024-10-06T23:00:00Z") },
      },
    };

    expect(chartOf(chartBody({ rows, events })).dividends).toEqual(
      new Map([
        ["2024-01-15", 0.72],
        ["2024-05-31", 0.135],
        ["2024-10-07", 2],
      ]),
    );
  });

  it("add an ordinary and a special dividend of the same ex-date", () => {
    const date = epochSeconds(FRIDAY);
    const events = { dividends: { a: { amount: 0.5, date }, b: { amount: 0.25, date } } };
    expect(chartOf(chartBody({ rows, events })).dividends).toEqual(new Map([["2024-05-31", 0.75]]));
  });

  it("give every split as new shares for one old, a consolidation below 1", () => {
    const split = (at: string, numerator: number, denominator: number) => {
      return { date: epochSeconds(at), numerator, denominator, splitRatio: "not read" };
    };
    const events = {
      splits: {
        first: split("2024-01-14T23:00:00Z", 4, 1),
        second: split("2024-05-31T00:00:00Z", 1, 10),
        third: split("2024-10-06T23:00:00Z", 3, 2),
      },
    };

    expect(chartOf(chartBody({ rows, events })).splits).toEqual(
      new Map([
        ["2024-01-15", 4],
        ["2024-05-31", 0.1],
        ["2024-10-07", 1.5],
      ]),
    );
  });

  it("are dated by their own date, not by the key they stand under", () => {
    const events = { dividends: { "0": { amount: 0.5, date: epochSeconds(FRIDAY) } } };

    expect(chartOf(chartBody({ rows, events })).dividends).toEqual(new Map([["2024-05-31", 0.5]]));
  });

  it("come along where there is no row", () => {
    const result = chartResult({ events: { dividends: { a: { amount: 0.5, date: epochSeconds(FRIDAY) } } } });

    expect(chartOf(resultBody(result))).toMatchObject({ rows: [], dividends: new Map([["2024-05-31", 0.5]]) });
  });

  it.each(["dividends", "splits"])("under the key __proto__ change no object's prototype: %s", (kind) => {
    const event = { amount: 0.5, numerator: 2, denominator: 1, polluted: "yes" };
    // A computed key makes an own property, as JSON.parse does.
    const events = {
      [kind]: {
        ["__proto__"]: { ...event, date: epochSeconds("2024-05-30T10:00:00+10:00") },
        ordinary: { ...event, date: epochSeconds(FRIDAY) },
      },
    };

    const chart = chartOf(chartBody({ rows, events }));

    expect(chart.dividends.get("2024-05-31") ?? chart.splits.get("2024-05-31")).toBe(kind === "splits" ? 2 : 0.5);
    expect(Object.prototype).not.toHaveProperty("polluted");
    expect(Object.prototype).not.toHaveProperty("amount");
  });

  it.each([
    ["a dividend without an amount", { dividends: { a: { date: epochSeconds(FRIDAY) } } }],
    ["a dividend without a date", { dividends: { [epochSeconds(FRIDAY)]: { amount: 0.5 } } }],
    ["a split without its numbers", { splits: { a: { date: epochSeconds(FRIDAY), splitRatio: "4:1" } } }],
    ["a list of dividends", { dividends: [0.5] }],
  ])("of another form make the answer unusable as a whole: %s", (_case, events) => {
    expect(refusalOf(200, chartBody({ rows, events }))).toBeInstanceOf(UpstreamUnavailableError);
  });
});

describe("an answer with another status than 200", () => {
  it("says not found only by 404 and the chart's own code", () => {
    expect(parseChartResponse({ status: 404, body: errorBody("Not Found") })).toEqual({ kind: "notFound" });
  });

  it("says that there is no data only by 400 and the chart's own code", () => {
    expect(parseChartResponse({ status: 400, body: errorBody("Bad Request") })).toEqual({ kind: "noData" });
  });

  it("is not judged by the wording of its description", () => {
    const words = "No data found, symbol may be delisted";

    expect(parseChartResponse({ status: 404, body: errorBody("Not Found", "chart", "in other words") })).toEqual({
      kind: "notFound",
    });
    expect(refusalOf(404, errorBody("Internal", "chart", words))).toBeInstanceOf(UpstreamUnavailableError);
    expect(refusalOf(500, errorBody("Internal", "chart", words))).toBeInstanceOf(UpstreamUnavailableError);
  });

  const html = textBody("<!doctype html><title>Sorry</title>");
  const text = textBody("Too Many Requests\r\n");
  it.each([
    [401, "the chart's error", errorBody("Unauthorized")],
    [401, "session trouble", errorBody("Unauthorized", "finance")],
    [401, "nothing", textBody("")],
    [404, "another code of the chart", errorBody("Internal")],
    [404, "a code that is no text", errorBody(404)],
    [404, "an error that is not the chart's", errorBody("Not Found", "finance")],
    [404, "HTML", html],
    [404, "nothing", textBody("")],
    [404, "half an error", errorBody("Not Found").subarray(0, 40)],
    [408, "the chart's error", errorBody("Request Timeout")],
    [408, "nothing", textBody("")],
    [429, "text", text],
    [429, "the chart's error", errorBody("Too Many Requests")],
    [429, "the code of an unknown symbol", errorBody("Not Found")],
    [429, "an error that is not the chart's", errorBody("Too Many Requests", "finance")],
    [500, "the chart's error", errorBody("Internal")],
    [500, "the code of an unknown symbol", errorBody("Not Found")],
    [502, "HTML", html],
    [503, "the code of an empty window", errorBody("Bad Request")],
    [503, "a whole chart", chartBody({ rows: [{ at: FRIDAY }] })],
    [504, "nothing", textBody("")],
    [599, "text", text],
  ])("can heal: HTTP %i with %s", (status, _case, body) => {
    const error = refusalOf(status, body);

    expect(error).toBeInstanceOf(UpstreamUnavailableError);
    expect(error).toMatchObject({ message: expect.stringContaining(`HTTP ${status}`) });
  });

  it.each([
    [400, "HTML", html],
    [400, "another code of the chart", errorBody("Not Found")],
    [400, "an error that is not the chart's", errorBody("Bad Request", "finance")],
    [403, "HTML", html],
    [403, "the chart's error", errorBody("Forbidden")],
    [403, "the code of an unknown symbol", errorBody("Not Found")],
    [422, "the chart's error", errorBody("Unprocessable Entity")],
    [422, "nothing", textBody("")],
    [428, "the chart's error", errorBody("Precondition Required")],
    [428, "nothing", textBody("")],
  ])("cannot heal: HTTP %i with %s", (status, _case, body) => {
    const error = refusalOf(status, body);

    expect(error).toBeInstanceOf(UpstreamRefusedError);
    expect(error).toMatchObject({ message: expect.stringContaining(`HTTP ${status}`) });
  });

  it.each([401, 404, 408, 429, 500, 503])("passes on how long HTTP %i asks to wait", (status) => {
    expect(refusalOf(status, textBody(""), 7_000)).toMatchObject({ retryAfterMs: 7_000 });
    expect(refusalOf(status, textBody(""))).toMatchObject({ retryAfterMs: undefined });
  });
});

describe("an answer with status 200 that is no chart", () => {
  it("says not found by the chart's own code", () => {
    expect(parseChartResponse({ status: 200, body: errorBody("Not Found") })).toEqual({ kind: "notFound" });
  });

  it.each([
    ["result null", jsonBody({ chart: { result: null, error: null } })],
    ["no result", jsonBody({ chart: { error: null } })],
    ["an empty result", jsonBody({ chart: { result: [], error: null } })],
    ["a result of null", resultBody(null)],
    ["a result of nothing", resultBody({})],
    ["a result of text", resultBody("BHP")],
    ["another code of the chart", errorBody("Internal")],
    ["an error that is not the chart's", errorBody("Not Found", "finance")],
    [
      "a chart beside an error",
      jsonBody({ chart: { result: [chartResult({ rows: [{ at: FRIDAY }] })], error: { code: "Internal" } } }),
    ],
    ["another endpoint's answer", jsonBody({ quoteResponse: { result: [], error: null } })],
    ["HTML", textBody("<!doctype html><h1>Will be right back...</h1>")],
    ["text", textBody("Too Many Requests\r\n")],
    ["nothing", textBody("")],
    ["null", textBody("null")],
    ["a number", textBody("42")],
    ["bytes that are no text", Uint8Array.of(0xff, 0xfe, 0x00, 0x80)],
    [
      "a chart only in the prototype",
      textBody(`{"__proto__":${new TextDecoder().decode(chartBody({ rows: [{ at: FRIDAY }] }))}}`),
    ],
  ])("can heal: %s", (_case, body) => {
    expect(refusalOf(200, body)).toBeInstanceOf(UpstreamUnavailableError);
  });

  it("is quoted no further than its beginning, on one line", () => {
    const page = textBody(`<html>\n\n${"Will be right back... ".repeat(5_000)}`);

    const error = refusalOf(200, page);

    expect(error).toMatchObject({ message: expect.stringContaining("<html>") });
    expect(error).toMatchObject({ message: expect.stringMatching(/^[^\n]{1,200}$/) });
  });

  it("can heal wherever a chart was cut, and is never taken for a chart", () => {
    const body = chartBody({
      meta: { longName: "Société Générale" },
      rows: [{ at: "2024-05-30T10:00:00+10:00" }, { at: FRIDAY }],
      events: { dividends: { a: { amount: 0.5, date: epochSeconds(FRIDAY) } } },
    });
    expect(chartOf(body).rows).toHaveLength(2);

    for (let length = 0; length < body.length; length += 1) {
      const error = refusalOf(200, body.subarray(0, length));
      expect(error, `cut at ${length}`).toBeInstanceOf(UpstreamUnavailableError);
    }
  });
});

describe("a chart whose parts do not fit together", () => {
  const rows = [{ at: "2024-05-30T10:00:00+10:00" }, { at: FRIDAY }];
  const names = ["open", "high", "low", "close", "volume"] as const;

  it.each(names)("is refused where %s has a value too few, too many or none", (name) => {
    for (const values of [[1], [1, 2, 3], [], undefined]) {
      const result = chartResult({ rows });
      const quote = { ...result.indicators.quote[0], [name]: values };
      const body = resultBody({ ...result, indicators: { ...result.indicators, quote: [quote] } });
      expect(refusalOf(200, body), JSON.stringify(values)).toBeInstanceOf(UpstreamUnavailableError);
    }
  });

  it.each([[[1]], [[1, 2, 3]], [[]]])(
    "is refused where there are two rows and the adjusted closes are %j",
    (adjclose) => {
      const { indicators, ...result } = chartResult({ rows });
      const body = resultBody({ ...result, indicators: { ...indicators, adjclose: [{ adjclose }] } });

      expect(refusalOf(200, body)).toBeInstanceOf(UpstreamUnavailableError);
    },
  );

  it.each([
    ["no quote", {}],
    ["an empty list of quotes", { quote: [] }],
    ["an empty quote", { quote: [{}] }],
  ])("is refused where it has time stamps and %s", (_case, indicators) => {
    expect(refusalOf(200, resultBody({ ...chartResult({ rows }), indicators }))).toBeInstanceOf(
      UpstreamUnavailableError,
    );
  });

  it("says which values do not match, and how many there are", () => {
    const result = chartResult({ rows });
    result.indicators.quote[0].low.pop();

    expect(refusalOf(200, resultBody(result))).toMatchObject({
      message: expect.stringMatching(/2 time stamps.* 1 .*low/),
    });
  });

  it("is a chart without rows where it has no time stamps and an empty quote", () => {
    expect(chartOf(emptyChartBody())).toMatchObject({ ticker: "BHP.AX", rows: [] });
  });

  it("is a chart without rows where everything is an empty list", () => {
    expect(chartOf(chartBody({ rows: [] }))).toMatchObject({ ticker: "BHP.AX", rows: [] });
  });

  it("needs no zone where it has no rows", () => {
    expect(chartOf(emptyChartBody({ exchangeTimezoneName: undefined }))).toMatchObject({ rows: [] });
  });

  it.each(names)("is refused where it has no time stamps but a filled %s", (name) => {
    const { timestamp: _none, ...result } = chartResult({ rows });
    const indicators = { quote: [{ [name]: [30.5] }] };

    expect(refusalOf(200, resultBody({ ...result, indicators }))).toBeInstanceOf(UpstreamUnavailableError);
  });

  it.each<[string, BodyChart]>([
    ["rows and no zone", { rows, meta: { exchangeTimezoneName: undefined } }],
    [
      "events and no zone",
      { events: { dividends: { a: { amount: 1, date: 0 } } }, meta: { exchangeTimezoneName: undefined } },
    ],
    ["an unknown zone", { rows, meta: { exchangeTimezoneName: "Mars/Olympus_Mons" } }],
    [
      "an unknown zone and no trading period",
      { rows, meta: { exchangeTimezoneName: "Mars/Olympus_Mons", currentTradingPeriod: undefined } },
    ],
    [
      "an empty zone and no trading period",
      { rows, meta: { exchangeTimezoneName: "", currentTradingPeriod: undefined } },
    ],
    ["a zone that is no text", { rows, meta: { exchangeTimezoneName: 10 } }],
  ])("is refused where it has %s", (_case, chart) => {
    expect(refusalOf(200, chartBody(chart))).toBeInstanceOf(UpstreamUnavailableError);
  });

  it.each([
    ["text", "1717113600"],
    ["null", null],
    ["a fraction", 1_717_113_600.5],
    ["beyond all calendars", 9_000_000_000_000],
    ["before all calendars", -9_000_000_000_000],
  ])("is refused where a time stamp is %s", (_case, seconds) => {
    const body = resultBody({ ...chartResult({ rows: [{ at: FRIDAY }] }), timestamp: [seconds] });

    expect(refusalOf(200, body)).toBeInstanceOf(UpstreamUnavailableError);
  });

  it.each(["dividends", "splits"])("is refused where the date of one of its %s is beyond all calendars", (kind) => {
    const event = { date: 9_000_000_000_000, amount: 1, numerator: 2, denominator: 1 };

    expect(refusalOf(200, chartBody({ rows, events: { [kind]: { a: event } } }))).toBeInstanceOf(
      UpstreamUnavailableError,
    );
  });
});

it("reading any JSON gives a chart, no data, not found, or one of the two upstream errors", () => {
  const leaf = fc.oneof(fc.constant(null), fc.integer(), fc.double(), fc.string());
  const meta = fc.record(
    { symbol: leaf, currency: leaf, exchangeTimezoneName: fc.oneof(leaf, fc.constant("Australia/Sydney")) },
    { requiredKeys: [] },
  );
  const list = fc.array(leaf, { maxLength: 2 });
  const quote = fc.record({ open: list, high: list, low: list, close: list, volume: list }, { requiredKeys: [] });
  const indicators = fc.record({ quote: fc.array(quote, { maxLength: 1 }) });
  const timestamp = fc.array(fc.integer({ min: 0, max: 2_000_000_000 }), { maxLength: 2 });
  const result = fc.record({ meta, timestamp, indicators }, { requiredKeys: ["indicators"] });
  const body = fc.oneof(
    fc.jsonValue(),
    result.map((one) => ({ chart: { result: [one], error: null } })),
  );
  const status = fc.oneof({ weight: 4, arbitrary: fc.constant(200) }, fc.integer({ min: 201, max: 599 }));
  fc.assert(
    fc.property(status, body, (code, value) => {
      try {
        expect(["chart", "noData", "notFound"]).toContain(
          parseChartResponse({ status: code, body: jsonBody(value) }).kind,
        );
      } catch (error) {
        if (!(error instanceof UpstreamUnavailableError) && !(error instanceof UpstreamRefusedError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});
