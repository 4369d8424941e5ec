/** What every batch has in common, of a day or of a backfill: its gate to the upstream, and what it tells of it. */
import { type BatchResult, isFinal, STOPS, type SymbolReport, UNFINISHED_NAMED } from "../../domain/batch.ts";
import type { RunSummary } from "../../domain/run-summary.ts";
import { shorten } from "../../domain/text.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createUpstreamGate, type UpstreamGate } from "./upstream-gate.ts";

/** Longest reason in a batch result; the whole one is stored. */
const LONGEST_NAMED = 80;
const LONGEST_STOP = 120;

/** Time before the function ends that is kept for storing what was fetched, in milliseconds. */
const STORING_MS = 60_000;

/** What a batch's gate is opened with. */
export interface BatchGateOptions {
  /** The budget over all batches that run at the same time; null for no limit. */
  readonly requestsPerSecond: number | null;
  readonly runtime: Pick<Runtime, "clock" | "random">;
  /** When the function is ended from outside, in milliseconds since 1970; undefined where nothing ends it. */
  readonly endsAt?: number;
}

/** The gate of a batch, with its lane's share of the budget. */
export function openGate(
  { lane = 0, lanes = 1 }: { readonly lane?: number | undefined; readonly lanes?: number | undefined },
  { requestsPerSecond, runtime: { clock, random }, endsAt }: BatchGateOptions,
): UpstreamGate {
  return createUpstreamGate({
    ...{ requestsPerSecond, lane, lanes, clock, random },
    endsAt: endsAt === undefined ? undefined : endsAt - STORING_MS,
  });
}

/** Measures what a batch asked of the upstream. */
export function measureGate({ counters }: UpstreamGate, metrics: Metrics): void {
  metrics.add("upstreamRequests", counters.requests);
  metrics.add("upstreamRetries", counters.retries);
  metrics.add("upstreamRateLimited", counters.rateLimited);
  metrics.add("upstreamBreakerOpenings", counters.breakerOpenings);
  metrics.add("upstreamWaiting", counters.waitedMs);
}

/** Why a batch stopped asking; null where it did not. */
export function stopOf({ closed: reason, blocked }: UpstreamGate, doubted: boolean): BatchResult["stopped"] {
  if (reason === undefined) return null;
  const by = doubted ? STOPS.unknownSymbols : blocked ? STOPS.block : STOPS.breaker;
  return { by, reason: shorten(reason, LONGEST_STOP) };
}

/** A few of the unfinished symbols, with short reasons: the messages of all batches together have to stay small. */
export function firstUnfinished(reports: readonly SymbolReport[], most = UNFINISHED_NAMED): SymbolReport[] {
  return reports
    .filter(({ outcome }) => !isFinal(outcome))
    .slice(0, most)
    .map(({ symbol, outcome, reason }) =>
      reason === undefined ? { symbol, outcome } : { symbol, outcome, reason: shorten(reason, LONGEST_NAMED) },
    );
}

/** The symbols that had a bar in a run. */
export function symbolsWithBar(summary: RunSummary | undefined): ReadonlySet<string> {
  const fetched = summary?.outcomes.filter(({ outcome }) => outcome === "fetched") ?? [];
  return new Set(fetched.map(({ symbol }) => symbol));
}
