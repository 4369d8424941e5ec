import * as z from "zod";
import { parseInput } from "../../domain/parse.ts";
import { marketClosures, upstreamAddress, userAgent } from "../runtime/environment.ts";
import type { Environment } from "../runtime/runtime.ts";

/** Requests a second over all batches that run at the same time. */
const requestsPerSecond = z
  .string()
  .default("5")
  .transform((text, context) => {
    if (text === "unlimited") return null;
    const rate = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && rate >= 0.01 && rate <= 1000) return rate;
    context.addIssue("expected requests a second from 0.01 to 1000, or unlimited");
    return z.NEVER;
  });

const batchFetcherEnvironment = z.object({
  YAHOO_URL: upstreamAddress.default("https://query2.finance.yahoo.com"),
  USER_AGENT: userAgent,
  REQUESTS_PER_SECOND: requestsPerSecond,
  MARKET_CLOSURES: marketClosures,
});

/** How the batch fetcher is set up. */
export interface BatchFetcherConfig {
  readonly yahooUrl: string;
  readonly userAgent: string;
  /** The whole budget, shared out among the batches that run at the same time; null for no limit. */
  readonly requestsPerSecond: number | null;
  readonly marketClosures: readonly string[];
}

/** Reads the batch fetcher's environment variables. Throws an InvalidInputError that names the bad one. */
export function parseBatchFetcherEnvironment(environment: Environment): BatchFetcherConfig {
  const parsed = parseInput(batchFetcherEnvironment, environment, "environment");
  return {
    yahooUrl: parsed.YAHOO_URL,
    userAgent: parsed.USER_AGENT,
    requestsPerSecond: parsed.REQUESTS_PER_SECOND,
    marketClosures: parsed.MARKET_CLOSURES,
  };
}
