/** Answers of Yahoo's v8 chart as they were recorded: the same fields, 32-bit prices printed as doubles, the same errors. */
import { Temporal } from "temporal-polyfill";
import { fromTicker } from "../domain/symbol.ts";
import { addDays, dateInSydney, EXCHANGE_TIME_ZONE, sydneyInstant } from "../domain/trading-date.ts";
import type { Market, MarketBar, MarketSession } from "./market.ts";

/** An HTTP answer before it is sent. */
export interface SandboxAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array | ReadableStream<Uint8Array>;
  /** What goes over a network in place of the body: the same, packed with gzip. */
  readonly gzipped?: Uint8Array;
  /** The connection breaks after so many bytes of the body; with 0 before the status is answered. */
  readonly breaksAfter?: number;
  /** Headers besides the content type. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a chart request asks for. Seconds since 1970; the end is excluded. */
export interface ChartQuestion {
  readonly ticker: string;
  readonly period1: number;
  readonly period2: number;
  readonly wantsDividends: boolean;
  readonly wantsSplits: boolean;
}

const SESSION_OPENS = "10:00";
const SESSION_ENDS = "16:00";

/** The answer of a market to a chart request. */
export function chartAnswer(market: Market, question: ChartQuestion, now: number): SandboxAnswer {
  const symbol = fromTicker(question.ticker);
  // Sessions are stamped at their opening; a day to either side covers every zone.
  const from = addDays(dateInSydney(question.period1 * 1000), -1);
  const to = addDays(dateInSydney(question.period2 * 1000), 1);
  const history = symbol === undefined ? undefined : market.history(symbol, from, to);
  if (history === undefined) return chartError(404, "Not Found", "No data found, symbol may be delisted");
  const within = ({ date }: { readonly date: string }): boolean => {
    const stamp = sessionStamp(date);
    return stamp >= question.period1 && stamp < question.period2;
  };
  const sessions = history.sessions.filter(within);
  if (sessions.length === 0) {
    const window = `startDate = ${question.period1}, endDate = ${question.period2}`;
    return chartError(400, "Bad Request", `Data doesn't exist for ${window}`);
  }
  const dividends = question.wantsDividends ? history.dividends.filter(within) : [];
  const splits = question.wantsSplits ? history.splits.filter(within) : [];
  const events = {
    ...(dividends.length > 0 && { dividends: byStamp(dividends, (dividend) => ({ amount: dividend.amount })) }),
    ...(splits.length > 0 && {
      splits: byStamp(splits, ({ numerator, denominator }) => ({
        numerator,
        denominator,
        splitRatio: `${numerator}:${denominator}`,
      })),
    }),
  };
  const result = {
    meta: chartMeta(question.ticker, now),
    timestamp: sessions.map(({ date }) => sessionStamp(date)),
    ...(Object.keys(events).length > 0 && { events }),
    indicators: {
      quote: [
        {
          close: prices(sessions, "close"),
          low: prices(sessions, "low"),
          volume: sessions.map(({ bar }) => bar?.volume ?? null),
          open: prices(sessions, "open"),
          high: prices(sessions, "high"),
        },
      ],
      adjclose: [{ adjclose: prices(sessions, "adjustedClose") }],
    },
  };
  return json(200, { chart: { result: [result], error: null } });
}

/** An error as the chart endpoint words it. */
export function chartError(status: number, code: string, description: string): SandboxAnswer {
  return json(status, { chart: { result: null, error: { code, description } } });
}

/** Seconds since 1970 of a session's opening. */
function sessionStamp(date: string): number {
  const known = stamps.get(date);
  if (known !== undefined) return known;
  const stamp = sydneyInstant(date, SESSION_OPENS) / 1000;
  stamps.set(date, stamp);
  return stamp;
}

/** Stamps of sessions that were asked for: the same few dates for thousands of symbols. */
const stamps = new Map<string, number>();

function prices(sessions: readonly MarketSession[], field: keyof MarketBar): (number | null)[] {
  return sessions.map(({ bar }) => (bar === null ? null : Math.fround(bar[field])));
}

function byStamp<Action extends { readonly date: string }>(
  actions: readonly Action[],
  fields: (action: Action) => object,
): Record<string, object> {
  return Object.fromEntries(
    actions.map((action) => [
      String(sessionStamp(action.date)),
      { ...fields(action), date: sessionStamp(action.date) },
    ]),
  );
}

/** Today's period and offset, whatever the dates asked for: the provider does it so. */
function chartMeta(ticker: string, now: number): object {
  const today = dateInSydney(now);
  const zoned = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(EXCHANGE_TIME_ZONE);
  const gmtoffset = zoned.offsetNanoseconds / 1e9;
  const timezone = gmtoffset === 39_600 ? "AEDT" : "AEST";
  const period = (start: string, end: string) => ({
    timezone,
    start: sydneyInstant(today, start) / 1000,
    end: sydneyInstant(today, end) / 1000,
    gmtoffset,
  });
  return {
    currency: "AUD",
    symbol: ticker,
    exchangeName: "ASX",
    fullExchangeName: "ASX",
    instrumentType: "EQUITY",
    gmtoffset,
    timezone,
    exchangeTimezoneName: EXCHANGE_TIME_ZONE,
    priceHint: 2,
    currentTradingPeriod: {
      pre: period("07:00", SESSION_OPENS),
      regular: period(SESSION_OPENS, SESSION_ENDS),
      post: period(SESSION_ENDS, "16:12"),
    },
    dataGranularity: "1d",
    range: "",
    validRanges: ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
  };
}

function json(status: number, body: unknown): SandboxAnswer {
  return { status, contentType: "application/json;charset=utf-8", body: JSON.stringify(body) };
}
