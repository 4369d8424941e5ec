import pLimit from "p-limit";
import { isFinal } from "../../domain/batch.ts";
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

/**
 * Fetches the symbols of a batch through its gate. Where healthy symbols are suddenly unknown in numbers, the gate is
 * closed, and no answer that a symbol is unknown is believed: such symbols have failed.
 */
export async function fetchSymbols(
  symbols: readonly string[],
  options: SymbolsFetcherOptions,
): Promise<FetchedSymbols> {
  const { gate, runtime, sessions, batchNumber, endsAt, healthy } = options;
  const last = sessions.at(-1) ?? "";
  const healthyHere = symbols.filter((symbol) => healthy.has(symbol)).length;
  const tooMany = Math.max(FEWEST_GONE, Math.floor(healthyHere * LARGEST_GONE_SHARE) + 1);
  let healthyAnswered = 0;
  let healthyGone = 0;
  let reasonToDoubt: string | undefined;

  async function fetchOne(symbol: string): Promise<FetchedSessions> {
    if (endsAt !== undefined && runtime.clock.now() > endsAt - LAST_BEGIN_MS) {
      return everySession(sessions, deferredSymbol(symbol, "the time was running out"));
    }
    const fetched = await fetchSymbol(symbol, options);
    const outcome = fetched.get(last)?.report.outcome;
    if (outcome !== undefined && isFinal(outcome) && healthy.has(symbol)) {
      healthyAnswered += 1;
      if (outcome === "notFound") healthyGone += 1;
      if (reasonToDoubt === undefined && healthyGone >= tooMany) {
        reasonToDoubt = `the provider knew ${healthyGone} of ${healthyAnswered} symbols no more that had a bar the session before`;
        gate.close(reasonToDoubt);
      }
    }
    if (outcome !== undefined) runtime.onOutcome?.(outcome, batchNumber);
    return fetched;
  }

  const limit = pLimit(SYMBOLS_AT_ONCE);
  const all = new Map(await limit.map(symbols, async (symbol) => [symbol, await fetchOne(symbol)] as const));
  if (reasonToDoubt !== undefined) {
    for (const [symbol, fetched] of all) {
      if (fetched.get(last)?.report.outcome !== "notFound") continue;
      all.set(symbol, everySession(sessions, withoutBar({ symbol, outcome: "failed", reason: reasonToDoubt })));
    }
  }
  return { sessions: all, doubted: reasonToDoubt !== undefined };
}
