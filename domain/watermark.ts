import type { HistoryReport } from "./backfill.ts";
import { isFinal, type SymbolReport } from "./batch.ts";
import type { DateSpan } from "./date-span.ts";
import type { TradingCalendar } from "./trading-calendar.ts";

/** From when to when a symbol is known. Trading dates in Sydney, `YYYY-MM-DD`. */
export interface Watermark {
  /** The first date with a bar; null where none is known. */
  readonly firstBar: string | null;
  /** The latest date whose outcome stands: fetched, noTrade, notFound or invalid; null where there is none. */
  readonly lastFinal: string | null;
}

/** By ASX code. */
export type Watermarks = ReadonlyMap<string, Watermark>;

/** What is known of symbols' outcomes: a run summary, or a backfill's record. */
export type KnownOutcomes =
  | { readonly date: string; readonly outcomes: readonly SymbolReport[] }
  | (DateSpan & { readonly outcomes: readonly HistoryReport[] });

/**
 * Watermarks with what runs and backfills found. They only widen, so that the order of adding does not matter, nor whether
 * something is added twice. A final outcome of a backfill stands for every trading day of its span.
 */
export function addOutcomes(
  watermarks: Watermarks,
  known: Iterable<KnownOutcomes>,
  calendar: Pick<TradingCalendar, "isTradingDay" | "previousTradingDay">,
): Watermarks {
  const wider = new Map(watermarks);
  for (const found of known) {
    if ("date" in found) {
      for (const { symbol, outcome } of found.outcomes) {
        widen(wider, symbol, {
          firstBar: outcome === "fetched" ? found.date : null,
          lastFinal: isFinal(outcome) ? found.date : null,
        });
      }
      continue;
    }
    const last = calendar.isTradingDay(found.to) ? found.to : calendar.previousTradingDay(found.to);
    for (const { symbol, outcome, first } of found.outcomes) {
      widen(wider, symbol, { firstBar: first, lastFinal: isFinal(outcome) && last >= found.from ? last : null });
    }
  }
  return wider;
}

function widen(watermarks: Map<string, Watermark>, symbol: string, found: Watermark): void {
  if (found.firstBar === null && found.lastFinal === null) return;
  const known = watermarks.get(symbol);
  const firstBar = earlier(known?.firstBar ?? null, found.firstBar);
  const lastFinal = later(known?.lastFinal ?? null, found.lastFinal);
  if (firstBar === known?.firstBar && lastFinal === known?.lastFinal) return;
  watermarks.set(symbol, { firstBar, lastFinal });
}

function earlier(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other;
  return one < other ? one : other;
}

function later(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other;
  return one > other ? one : other;
}
