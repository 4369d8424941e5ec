/** Answers of the chart endpoint in place of a right one: none of them holds prices that could be taken. */
import { chartError, type SandboxAnswer } from "../yahoo-answers.ts";
import { chartResult, inMeta, readChart, withResult } from "./chart-body.ts";
import { bytesOf, faultsOf, type MakeFault, pick } from "./fault.ts";

const JSON_TYPE = "application/json";

export const CHART_FAULTS = faultsOf("chart", {
  blocked: {
    description: '429 "Edge: Too Many Requests" without Retry-After; with a share of 1 from the first call on',
    catalogue: ["Y02"],
    effect: "transient",
    make: () => ({ status: 429, contentType: "text/html", body: "Edge: Too Many Requests" }),
  },
  "rate-limit-json": {
    description: "429 with an error as JSON that is no chart's",
    catalogue: ["Y03"],
    effect: "transient",
    make: () => financeError(429, "Too Many Requests", "Rate limited. Try after a while."),
  },
  unauthorized: {
    description: '401 "Invalid Crumb": session trouble of a client that has no session',
    catalogue: ["Y05"],
    effect: "transient",
    make: () => financeError(401, "Unauthorized", "Invalid Crumb"),
  },
  consent: {
    description: "302 to a page that asks for consent",
    catalogue: ["Y36"],
    effect: "transient",
    make: () => ({
      status: 302,
      contentType: "text/html",
      body: "",
      headers: { location: "https://consent.example/collect" },
    }),
  },
  "not-found-page": {
    description: "404 as a page instead of a chart's error: the route is broken, not the symbol unknown",
    catalogue: ["Y03"],
    effect: "transient",
    make: () => ({ status: 404, contentType: "text/html", body: "<html><body>404 Not Found</body></html>" }),
  },
  "unknown-symbol": {
    description: "404 of a symbol that is known; a share of the market: mass 404",
    catalogue: ["Y06", "Y07", "Y37", "Y38"],
    effect: "silent",
    make: insteadOfRows(() => chartError(404, "Not Found", "No data found, symbol may be delisted")),
  },
  "no-data": {
    description: '400 "Data doesn\'t exist" for a period that has rows',
    catalogue: ["Y08", "D06"],
    effect: "silent",
    make: insteadOfRows(() => chartError(400, "Bad Request", "Data doesn't exist for startDate = 0, endDate = 1")),
  },
  "empty-window": {
    description: "200 with no time stamps and an empty quote for a period that has rows",
    catalogue: ["Y09", "D06"],
    effect: "silent",
    make: inResult(({ meta }) => ({ meta, indicators: { quote: [{}], adjclose: [{}] } })),
  },
  empty: {
    description: "200 with no result, and no error either",
    catalogue: ["Y11"],
    effect: "transient",
    make: () => ({ status: 200, contentType: JSON_TYPE, body: '{"chart":{"result":[],"error":null}}' }),
  },
  "null-result": {
    description: "200 with a result that is null, and no error either",
    catalogue: ["Y11"],
    effect: "transient",
    make: () => ({ status: 200, contentType: JSON_TYPE, body: '{"chart":{"result":null,"error":null}}' }),
  },
  truncated: {
    description: "half of the right body, as if it were whole",
    catalogue: ["Y27"],
    effect: "transient",
    make: (answer) => ({ ...answer, body: bytesOf(answer).slice(0, bytesOf(answer).length / 2) }),
  },
  "no-stamps": {
    description: "the right values without their time stamps",
    catalogue: ["Y10"],
    effect: "transient",
    make: inResult(({ meta, indicators }) => ({ meta, indicators })),
  },
  "unequal-lengths": {
    description: "one of the series is shorter than the others",
    catalogue: ["Y33"],
    effect: "transient",
    make: inResult(({ indicators, ...rest }, chance) => {
      const [quote] = indicators.quote;
      const series = pick(["open", "high", "low", "close", "volume"], chance);
      return { ...rest, indicators: { ...indicators, quote: [{ ...quote, [series]: quote?.[series].slice(1) }] } };
    }),
  },
  "other-symbol": {
    description: "the chart says that it is another symbol's",
    catalogue: ["Y20"],
    effect: "detectable",
    make: inMeta((meta) => ({ ...meta, symbol: "QQQ.AX" })),
  },
  "other-currency": {
    description: "the chart says that it is in USD",
    catalogue: ["Y21"],
    effect: "detectable",
    make: inMeta((meta) => ({ ...meta, currency: "USD" })),
  },
  "other-instrument": {
    description: "the chart says that it is a managed fund's",
    catalogue: ["Y21"],
    effect: "detectable",
    make: inMeta((meta) => ({ ...meta, instrumentType: "MUTUALFUND" })),
  },
  "lying-offset": {
    description: "the chart's offset from UTC is that of another season and place",
    catalogue: ["Y19"],
    effect: "harmless",
    make: inMeta((meta) => ({ ...meta, gmtoffset: -18_000, timezone: "EST" })),
  },
  "no-zone": {
    description: "the chart does not name its time zone",
    catalogue: ["Y19"],
    effect: "transient",
    make: inMeta(({ exchangeTimezoneName: _, ...meta }) => meta),
  },
  "other-zone": {
    description: "the chart names New York's time zone: every date is one too early",
    catalogue: ["Y18", "Y19"],
    effect: "detectable",
    make: inMeta((meta) => ({ ...meta, exchangeTimezoneName: "America/New_York" })),
  },
  "proto-key": {
    description: "objects of the answer have a key __proto__",
    catalogue: ["X07"],
    effect: "harmless",
    make: (answer) =>
      readChart(answer) === undefined || typeof answer.body !== "string"
        ? answer
        : { ...answer, body: answer.body.replaceAll('{"', '{"__proto__":{"currency":"USD","close":[1]},"') },
  },
});

type Result = ReturnType<typeof chartResult>;

/** Puts another answer in place of one with rows. */
function insteadOfRows(other: () => SandboxAnswer): MakeFault {
  return (answer) => (readChart(answer) === undefined ? answer : other());
}

/** Changes the whole result of an answer with rows. */
function inResult(change: (result: Result, chance: number) => unknown): MakeFault {
  return (answer, { chance }) => {
    const chart = readChart(answer);
    return chart === undefined ? answer : withResult(answer, change(chartResult(chart), chance(0)));
  };
}

function financeError(status: number, code: string, description: string): SandboxAnswer {
  const body = JSON.stringify({ finance: { result: null, error: { code, description } } });
  return { status, contentType: JSON_TYPE, body };
}
