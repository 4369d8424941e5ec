import { toTicker } from "../../domain/symbol.ts";
import { addDays, sydneyInstant } from "../../domain/trading-date.ts";
import type { Clock } from "../runtime/clock.ts";
import { boundedGet, type Fetch } from "../runtime/http.ts";
import type { PriceSource } from "./price-source.ts";
import { parseChartResponse } from "./yahoo-chart.ts";

/** Bounds headers and body of one request, in milliseconds. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** Bounds the decoded body: forty years of sessions have under 2 MB. */
const LARGEST_BODY_BYTES = 5_000_000;

/** What the client of Yahoo's chart needs. */
export interface YahooOptions {
  /** Address before `/v8/finance/chart`. */
  readonly baseUrl: string;
  readonly userAgent: string;
  readonly fetch: Fetch;
  readonly clock: Clock;
}

/** Yahoo's v8 chart: one endpoint, no cookie, no crumb. One request a call; retrying is the caller's. */
export function createYahooSource({ baseUrl, userAgent, fetch, clock }: YahooOptions): PriceSource {
  return {
    name: priceSourceName(baseUrl),
    tickerOf: toTicker,
    async fetchChart(symbol, from, to) {
      const url = chartUrl(baseUrl, symbol, from, to);
      const headers = { "user-agent": userAgent, accept: "application/json" };
      const request = { url, headers, timeoutMs: REQUEST_TIMEOUT_MS, maxBytes: LARGEST_BODY_BYTES };
      const response = await boundedGet(fetch, request, clock);
      return { answer: parseChartResponse(response), answeredAt: response.answeredAt };
    },
  };
}

/** `yahoo` for Yahoo's own hosts, `stand-in` for every other that answers like them. */
export function priceSourceName(baseUrl: string): string {
  return new URL(baseUrl).hostname.endsWith(".yahoo.com") ? "yahoo" : "stand-in";
}

/** The address of a chart. Yahoo takes whole seconds since 1970 and excludes the end; our dates include it. */
function chartUrl(baseUrl: string, symbol: string, from: string, to: string): URL {
  const url = new URL(`${baseUrl}/v8/finance/chart/${encodeURIComponent(toTicker(symbol))}`);
  url.searchParams.set("interval", "1d");
  url.searchParams.set("period1", String(sydneyInstant(from) / 1000));
  url.searchParams.set("period2", String(sydneyInstant(addDays(to, 1)) / 1000));
  url.searchParams.set("events", "div|split");
  return url;
}
