import pLimit from "p-limit";
import { isFinal, type SymbolOutcome, type SymbolReport } from "../../domain/batch.ts";
import type { Runtime } from "../runtime/runtime.ts";
import {
  deferredSymbol,
  everySession,
  type FetchedSessions,
  fetchSymbol,
  type SymbolFetcherOptions,
  withoutBar,
} from "./fetch-symbol.ts";

/** Symbols that wait at the gate at the same time: more than its places, as those in back-off hold none. */
const SYMBOLS_AT_ONCE = 16;

/**
 * No symbol is begun in the last five minutes before the function ends: one that fails to the last takes almost as long,
 * and what was fetched has to be stored.
 */
const LAST_BEGIN_MS = 300_000;

/**
 * Symbols that had a bar the session before and are unknown now: more than one in twenty of a batch, and at least three,
 * are taken for a fault of the provider. In three months 43 of some 1,980 codes left the exchange (UPSTREAM.md).
 */
const LARGEST_GONE_SHARE = 0.05;
export const FEWEST_GONE = 3;

/** What fetching the symbols of a batch needs. */
export interface SymbolsFetcherOptions extends SymbolFetcherOptions {
  /** The dates, ascending, over which one symbol is asked for. Default: all of `sessions`. */
  readonly sessionsOf?: (symbol: string) => readonly string[];
  readonly runtime: Pick<Runtime, "clock" | "logger" | "onOutcome">;
  /** When the function is ended from outside, in milliseconds since 1970; undefined where nothing ends it. */
  readonly endsAt: number | undefined;
  /** Symbols that had a bar in the last session that is stored before these. */
  readonly healthy: ReadonlySet<string>;
}

/** What became of the symbols of a batch. */
export interface FetchedSymbols {
  /** By symbol. */
  readonly sessions: ReadonlyMap<string, FetchedSessions>;
  /** Whether the provider knew too many healthy symbols no more. */
  readonly doubted: boolean;
}

/** Fetches the symbols of a batch through its gate. */
export async function fetchSymbols(
  symbols: readonly string[],
  options: SymbolsFetcherOptions,
): Promise<FetchedSymbols> {
  const { sessions } = options;
  const sessionsOf = options.sessionsOf ?? (() => sessions);
  const { fetched, doubted } = await fetchEach<FetchedSessions>(symbols, {
    ...options,
    fetchOne: (symbol) => fetchSymbol(symbol, { ...options, sessions: sessionsOf(symbol) }),
    outcomeOf: (ofSymbol) => [...ofSymbol.values()].at(-1)?.report.outcome,
    without: (report) => everySession(sessionsOf(report.symbol), withoutBar(report)),
    // Of a symbol that lacks only earlier sessions the outcome of the date is known already.
    isTold: (symbol) => sessionsOf(symbol).at(-1) === sessions.at(-1),
  });
  return { sessions: fetched, doubted };
}

/** How the symbols of a batch are fetched, whatever is fetched of one. */
export interface EachFetcherOptions<Fetched> extends Omit<SymbolsFetcherOptions, "sessions" | "source" | "runtime"> {
  readonly runtime: Pick<Runtime, "clock" | "onOutcome">;
  /** Never rejects for an upstream's trouble. */
  readonly fetchOne: (symbol: string) => Promise<Fetched>;
  /** What became of the symbol in all; undefined where nothing was asked. */
  readonly outcomeOf: (fetched: Fetched) => SymbolOutcome | undefined;
  /** What stands for a symbol of which nothing was fetched, or nothing is believed. */
  readonly without: (report: SymbolReport) => Fetched;
  /** Whether a symbol's outcome is told for progress. Default: every one is. */
  readonly isTold?: (symbol: string) => boolean;
}

/**
 * Fetches symbols through a gate, several at once. Where healthy symbols are suddenly unknown in numbers, the gate is
 * closed, and no answer that a symbol is unknown is believed: such symbols have failed.
 */
export async function fetchEach<Fetched>(
  symbols: readonly string[],
  {
    gate,
    runtime,
    batchNumber,
    endsAt,
    healthy,
    fetchOne,
    outcomeOf,
    without,
    ...options
  }: EachFetcherOptions<Fetched>,
): Promise<{ readonly fetched: ReadonlyMap<string, Fetched>; readonly doubted: boolean }> {
  const { isTold = () => true } = options;
  const healthyHere = symbols.filter((symbol) => healthy.has(symbol)).length;
  const tooMany = Math.max(FEWEST_GONE, Math.floor(healthyHere * LARGEST_GONE_SHARE) + 1);
  let healthyAnswered = 0;
  let healthyGone = 0;
  let reasonToDoubt: string | undefined;

  async function fetchInTime(symbol: string): Promise<Fetched> {
    if (endsAt !== undefined && runtime.clock.now() > endsAt - LAST_BEGIN_MS) {
      return without(deferredSymbol(symbol, "the time was running out").report);
    }
    const fetched = await fetchOne(symbol);
    const outcome = outcomeOf(fetched);
    if (outcome !== undefined && isFinal(outcome) && healthy.has(symbol)) {
      healthyAnswered += 1;
      if (outcome === "notFound") healthyGone += 1;
      if (reasonToDoubt === undefined && healthyGone >= tooMany) {
        reasonToDoubt = `the provider knew ${healthyGone} of ${healthyAnswered} symbols no more that had a bar the session before`;
        gate.close(reasonToDoubt);
      }
    }
    if (outcome !== undefined && isTold(symbol)) runtime.onOutcome?.(outcome, batchNumber);
    return fetched;
  }

  const limit = pLimit(SYMBOLS_AT_ONCE);
  const entries = await limit.map(
    symbols,
    async (symbol): Promise<[string, Fetched]> => [symbol, await fetchInTime(symbol)],
  );
  const all = new Map<string, Fetched>(entries);
  if (reasonToDoubt !== undefined) {
    for (const [symbol, fetched] of all) {
      if (outcomeOf(fetched) !== "notFound") continue;
      all.set(symbol, without({ symbol, outcome: "failed", reason: reasonToDoubt }));
    }
  }
  return { fetched: all, doubted: reasonToDoubt !== undefined };
}
