/**
 * Reads answers of Yahoo's v8 chart. The format is not documented by Yahoo; it is taken from recorded
 * answers. Classified by HTTP status and `error.code`, never by a message's wording.
 */
import * as z from "zod";
import { UpstreamRefusedError, UpstreamUnavailableError } from "../../domain/errors.ts";
import { shortestFloat32 } from "../../domain/float32.ts";
import { dateInZone, timeInZone } from "../../domain/trading-date.ts";
import type { ChartAnswer, SessionRow } from "./price-source.ts";

/** What of an HTTP answer says how it is to be read. */
export interface ChartResponse {
  readonly status: number;
  readonly body: Uint8Array;
  readonly retryAfterMs?: number | undefined;
}

/** A session of the ASX is stamped at 10:00 in Sydney. */
const ASX_OPEN = "10:00:00";

const series = z.array(z.unknown()).optional();
const stamp = z.number().int();

const chartResult = z.object({
  meta: z.object({
    symbol: z.string().optional(),
    currency: z.string().nullish(),
    exchangeTimezoneName: z.string().optional(),
    currentTradingPeriod: z.object({ regular: z.object({ start: stamp }).nullish() }).nullish(),
  }),
  timestamp: z.array(stamp).optional(),
  events: z
    .object({
      dividends: z.record(z.string(), z.object({ date: stamp, amount: z.unknown() })).optional(),
      splits: z
        .record(z.string(), z.object({ date: stamp, numerator: z.unknown(), denominator: z.unknown() }))
        .optional(),
    })
    .nullish(),
  indicators: z.object({
    quote: z.array(z.object({ open: series, high: series, low: series, close: series, volume: series })).optional(),
    adjclose: z.array(z.object({ adjclose: series })).optional(),
  }),
});
type ChartResult = z.infer<typeof chartResult>;

const chartError = z.object({ code: z.string() });
const chartBody = z.object({
  chart: z.object({ result: z.array(z.unknown()).nullish(), error: chartError.nullish() }),
});

const SERIES = ["open", "high", "low", "close", "volume"] as const;

/**
 * What an answer of the chart endpoint says.
 * @throws UpstreamUnavailableError for rate limits, server faults and answers that make no sense as they are.
 * @throws UpstreamRefusedError for statuses that asking again will not change.
 */
export function parseChartResponse(response: ChartResponse): ChartAnswer {
  const { status, retryAfterMs } = response;
  if (status === 200) return readChart(response.body);
  const code = errorCode(response.body);
  if (status === 404 && code === "Not Found") return { kind: "notFound" };
  if (status === 400 && code === "Bad Request") return { kind: "noData" };
  const detail = `HTTP ${status}${code === undefined ? "" : ` ${quoted(code)}`}`;
  // 401 tells of session trouble and 404 without the chart's own body of a broken route: both pass.
  if (status === 401 || status === 404 || status === 408 || status === 429 || status >= 500) {
    throw new UpstreamUnavailableError(detail, { retryAfterMs, rateLimited: status === 429 });
  }
  throw new UpstreamRefusedError(detail);
}

function readChart(body: Uint8Array): ChartAnswer {
  const parsed = chartBody.safeParse(parseJson(body));
  if (!parsed.success) throw unusable(`no chart, but ${opening(body)}`);
  const { result, error } = parsed.data.chart;
  if (error?.code === "Not Found") return { kind: "notFound" };
  if (error !== undefined && error !== null) throw unusable(`error ${quoted(error.code)}`);
  const first = chartResult.safeParse(result?.[0]);
  if (!first.success) {
    const path = first.error.issues[0]?.path.join(".") ?? "";
    throw unusable(
      result?.length ? `a chart of another form (at ${path === "" ? "its root" : path})` : "an empty chart",
    );
  }
  return readResult(first.data);
}

function readResult(result: ChartResult): ChartAnswer {
  const { meta, timestamp = [], events, indicators } = result;
  const quote = indicators.quote?.[0] ?? {};
  const adjusted = indicators.adjclose?.[0]?.adjclose;
  for (const name of SERIES) {
    const values = quote[name];
    if (timestamp.length === 0 ? values !== undefined && values.length > 0 : values?.length !== timestamp.length) {
      throw unusable(`${timestamp.length} time stamps, but ${values?.length ?? "no"} values of ${name}`);
    }
  }
  if (adjusted !== undefined && timestamp.length > 0 && adjusted.length !== timestamp.length) {
    throw unusable(`${timestamp.length} time stamps, but ${adjusted.length} adjusted closes`);
  }
  const zone = exchangeClock(meta);
  const rows = timestamp.map((seconds, index): SessionRow => {
    return {
      date: zone.dateOf(seconds),
      stampedAtOpen: zone.isOpening(seconds),
      open: price(quote.open?.[index]),
      high: price(quote.high?.[index]),
      low: price(quote.low?.[index]),
      close: price(quote.close?.[index]),
      adjustedClose: price(adjusted?.[index] ?? null),
      volume: quote.volume?.[index],
    };
  });
  const dividends = new Map<string, unknown>();
  for (const { date, amount } of Object.values(events?.dividends ?? {})) {
    const exDate = zone.dateOf(date);
    dividends.set(exDate, sum(dividends.get(exDate), amount));
  }
  const splits = Object.values(events?.splits ?? {}).map(
    ({ date, numerator, denominator }) => [zone.dateOf(date), ratio(numerator, denominator)] as const,
  );
  return {
    kind: "chart",
    ticker: meta.symbol,
    currency: meta.currency ?? undefined,
    zone: meta.exchangeTimezoneName,
    rows,
    dividends,
    splits: new Map(splits),
  };
}

/** Dates and opening times of stamps, in seconds since 1970, as the exchange's clock shows them. */
interface ExchangeClock {
  dateOf(seconds: number): string;
  isOpening(seconds: number): boolean;
}

/**
 * The clock of the exchange's own zone. `meta.gmtoffset` is not used: it is today's offset, not that
 * of the session.
 */
function exchangeClock({ exchangeTimezoneName: zone, currentTradingPeriod }: ChartResult["meta"]): ExchangeClock {
  function readClock(seconds: number): ClockReading {
    if (zone === undefined) throw unusable("rows, but no name of the exchange's time zone");
    const name = `${seconds} ${zone}`;
    const known = readings.get(name);
    if (known !== undefined) return known;
    try {
      const reading = { date: dateInZone(seconds * 1000, zone), time: timeInZone(seconds * 1000, zone) };
      if (readings.size >= MOST_READINGS) readings.clear();
      readings.set(name, reading);
      return reading;
    } catch (cause) {
      throw unusable(
        `the time ${seconds} in the zone ${JSON.stringify(zone.slice(0, 40))}, which no calendar has`,
        cause,
      );
    }
  }
  const start = currentTradingPeriod?.regular?.start;
  return {
    dateOf: (seconds) => readClock(seconds).date,
    isOpening: (seconds) => readClock(seconds).time === (start === undefined ? ASX_OPEN : readClock(start).time),
  };
}

/** What a clock of a zone shows. */
interface ClockReading {
  readonly date: string;
  readonly time: string;
}

/** Readings of a clock by second and zone: thousands of symbols have the same few thousand stamps. */
const readings = new Map<string, ClockReading>();
const MOST_READINGS = 20_000;

function price(value: unknown): unknown {
  return typeof value === "number" ? shortestFloat32(value) : value;
}

/** An ordinary and a special dividend can go ex on the same date. */
function sum(before: unknown, amount: unknown): unknown {
  if (before === undefined) return amount;
  return typeof before === "number" && typeof amount === "number" ? Number((before + amount).toFixed(10)) : Number.NaN;
}

function ratio(numerator: unknown, denominator: unknown): unknown {
  return typeof numerator === "number" && typeof denominator === "number" ? numerator / denominator : Number.NaN;
}

function errorCode(body: Uint8Array): string | undefined {
  const parsed = chartBody.safeParse(parseJson(body));
  return parsed.success ? parsed.data.chart.error?.code : undefined;
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined; // not JSON: the caller says what it was instead
  }
}

/** How a body that is no chart begins, cut and on one line, for a message. */
function opening(body: Uint8Array): string {
  return JSON.stringify(new TextDecoder().decode(body.subarray(0, 60)));
}

/** A text of the upstream's own, cut, with nothing in it that a terminal would obey. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}

function unusable(what: string, cause?: unknown): UpstreamUnavailableError {
  return new UpstreamUnavailableError(`the answer holds ${what}`, { cause });
}
