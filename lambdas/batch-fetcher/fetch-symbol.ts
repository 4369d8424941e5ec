import type { Bar } from "../../domain/bar.ts";
import type { SymbolReport } from "../../domain/batch.ts";
import { isTransient, messageOf, UpstreamUnavailableError } from "../../domain/errors.ts";
import { type RetryPolicy, withRetry } from "../runtime/retry.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Throttle } from "../runtime/throttle.ts";
import type { PriceSource } from "./price-source.ts";
import { sessionOutcome } from "./session-bar.ts";

/** How a request for one symbol is repeated. */
export const SYMBOL_RETRY: RetryPolicy = {
  attempts: 5,
  firstDelayMs: 1_000,
  longestDelayMs: 20_000,
  longestRetryAfterMs: 60_000,
};

/** Longest reason that is kept of a symbol. */
const LONGEST_REASON = 160;

/** What became of one symbol: its report, its bar where it has one, and whether trying later can help. */
export interface FetchedSymbol {
  readonly report: SymbolReport;
  readonly bar: Bar | undefined;
  readonly transient: boolean;
}

/** What a batch asked of the upstream. */
export interface RequestCounters {
  /** Retries included. */
  requests: number;
  retries: number;
  /** Answers that told us to ask less (429). */
  rateLimited: number;
}

/** What fetching a symbol needs. */
export interface SymbolFetcherOptions {
  readonly source: PriceSource;
  readonly throttle: Throttle;
  /** Counted up with every request. */
  readonly counters: RequestCounters;
  readonly runtime: Pick<Runtime, "clock" | "random" | "logger">;
  readonly date: string;
  readonly batchNumber: number | null;
}

/** Fetches one symbol's bar. Trouble becomes its outcome, never an error: the other symbols of the batch go on. */
export async function fetchSymbol(symbol: string, options: SymbolFetcherOptions): Promise<FetchedSymbol> {
  const { source, throttle, counters, runtime, date, batchNumber } = options;
  const { logger, clock, random } = runtime;
  let attempts = 0;
  const ask = () =>
    throttle(async () => {
      attempts += 1;
      counters.requests += 1;
      try {
        return await source.fetchChart(symbol, date, date);
      } catch (error) {
        if (error instanceof UpstreamUnavailableError && error.rateLimited) counters.rateLimited += 1;
        throw error;
      }
    });
  const onRetry = (error: Error, attempt: number, delayMs: number): void => {
    counters.retries += 1;
    logger.debug("asking again", { symbol, batchNumber, attempt, delayMs, reason: messageOf(error) });
  };
  try {
    const answer = await withRetry(ask, SYMBOL_RETRY, { clock, random, onRetry });
    const found = sessionOutcome(answer, { symbol, ticker: source.tickerOf(symbol), date, batchNumber });
    if (found.outcome === "fetched")
      return { report: { symbol, outcome: "fetched" }, bar: found.bar, transient: false };
    if ("reason" in found) {
      logger.warn(`${symbol} ${found.outcome}: ${found.reason}`, { symbol, batchNumber });
      return failure({ symbol, outcome: found.outcome, reason: found.reason }, false);
    }
    return failure({ symbol, outcome: found.outcome }, false);
  } catch (error) {
    const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
    logger.warn(`${symbol} failed: ${messageOf(error)}`, { symbol, batchNumber, attempts, error });
    return failure({ symbol, outcome: "failed", reason: `${messageOf(error)} after ${tries}` }, isTransient(error));
  }
}

function failure({ symbol, outcome, reason }: SymbolReport, transient: boolean): FetchedSymbol {
  const report =
    reason === undefined ? { symbol, outcome } : { symbol, outcome, reason: reason.slice(0, LONGEST_REASON) };
  return { report, bar: undefined, transient };
}
