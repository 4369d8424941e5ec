import type { Bar } from "../../domain/bar.ts";
import type { SymbolReport } from "../../domain/batch.ts";
import type { ActionsAnswer } from "../../domain/corporate-action.ts";
import type { DateSpan } from "../../domain/date-span.ts";
import { GateClosedError, messageOf } from "../../domain/errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { PriceSource, TimedAnswer } from "./price-source.ts";
import { actionsSeen } from "./record-actions.ts";
import { type SessionOutcome, sessionOutcome } from "./session-bar.ts";
import type { UpstreamGate } from "./upstream-gate.ts";

/** Longest reason that is kept of a symbol. */
const LONGEST_REASON = 160;

/** What became of one symbol on one date: its report, and its bar where it has one. */
export interface FetchedSymbol {
  readonly report: SymbolReport;
  readonly bar: Bar | undefined;
}

/** What became of one symbol on every date it was asked for. */
export type FetchedSessions = ReadonlyMap<string, FetchedSymbol>;

/** What fetching a symbol needs. */
export interface SymbolFetcherOptions {
  readonly source: PriceSource;
  readonly gate: UpstreamGate;
  readonly runtime: Pick<Runtime, "logger">;
  /** Trading dates, ascending: one request covers them all. */
  readonly sessions: readonly string[];
  readonly batchNumber: number | null;
  /** Told what each answer says of dividends and splits. */
  readonly onActions?: (seen: ActionsAnswer) => void;
}

/** What one question gave: an answer, or the outcome of a symbol that has none. */
export type Asked = { readonly answer: TimedAnswer } | { readonly answer: undefined; readonly report: SymbolReport };

/**
 * Asks for the sessions of a symbol from one date to another, both inclusive. Trouble becomes its outcome, never an error:
 * the other symbols of the batch go on.
 */
export async function askSymbol(
  symbol: string,
  { from, to }: DateSpan,
  { source, gate, runtime, batchNumber }: Omit<SymbolFetcherOptions, "sessions">,
): Promise<Asked> {
  const { logger } = runtime;
  let attempts = 0;
  try {
    const answer = await gate.ask(
      () => {
        attempts += 1;
        return source.fetchChart(symbol, from, to);
      },
      (error, attempt, delayMs) =>
        logger.debug("asking again", { symbol, batchNumber, attempt, delayMs, reason: messageOf(error) }),
    );
    return { answer };
  } catch (error) {
    if (error instanceof GateClosedError) {
      return { answer: undefined, report: deferredSymbol(symbol, error.message).report };
    }
    const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
    logger.warn(`${symbol} failed: ${messageOf(error)}`, { symbol, batchNumber, attempts, error });
    const reason = `${messageOf(error)} after ${tries}`;
    return { answer: undefined, report: withoutBar({ symbol, outcome: "failed", reason }).report };
  }
}

/** Fetches one symbol's bars. Trouble becomes its outcome, never an error: the other symbols of the batch go on. */
export async function fetchSymbol(symbol: string, options: SymbolFetcherOptions): Promise<FetchedSessions> {
  const { sessions } = options;
  const [from, to] = [sessions[0], sessions.at(-1)];
  if (from === undefined || to === undefined) return new Map();
  const asked = await askSymbol(symbol, { from, to }, options);
  if (asked.answer === undefined) return everySession(sessions, withoutBar(asked.report));
  const question = { symbol, ticker: options.source.tickerOf(symbol), from, to };
  const seen = actionsSeen(asked.answer, question, options.runtime);
  if (seen !== undefined) options.onActions?.(seen);
  return readSessions(symbol, asked.answer, options);
}

/** A symbol that is left for later: it was not asked for. */
export function deferredSymbol(symbol: string, reason: string): FetchedSymbol {
  return withoutBar({ symbol, outcome: "deferred", reason: `not tried: ${reason}` });
}

/** A symbol without a bar. */
export function withoutBar({ symbol, outcome, reason }: SymbolReport): FetchedSymbol {
  const report =
    reason === undefined ? { symbol, outcome } : { symbol, outcome, reason: reason.slice(0, LONGEST_REASON) };
  return { report, bar: undefined };
}

/** The same of a symbol on every date. */
export function everySession(sessions: readonly string[], fetched: FetchedSymbol): FetchedSessions {
  return new Map(sessions.map((date) => [date, fetched]));
}

function readSessions(
  symbol: string,
  answer: TimedAnswer,
  { source, runtime, sessions, batchNumber }: SymbolFetcherOptions,
): FetchedSessions {
  const ticker = source.tickerOf(symbol);
  return new Map(
    sessions.map((date) => {
      const found = sessionOutcome(answer, { symbol, ticker, date, batchNumber });
      if ("reason" in found) {
        runtime.logger.warn(`${symbol} ${found.outcome}: ${found.reason}`, { symbol, batchNumber, date });
      }
      return [date, asFetched(symbol, found)];
    }),
  );
}

function asFetched(symbol: string, found: SessionOutcome): FetchedSymbol {
  if (found.outcome === "fetched") return { report: { symbol, outcome: "fetched" }, bar: found.bar };
  return withoutBar({ symbol, ...found });
}
