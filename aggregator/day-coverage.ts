import { RUN_STATUSES } from "../domain/run-summary.ts";
import { compareSymbols } from "../domain/symbol.ts";
import { FIRST_CALENDAR_DATE, type TradingCalendar } from "../domain/trading-calendar.ts";
import { addDays } from "../domain/trading-date.ts";
import type { Catalog } from "./catalog.ts";
import type { CoverageDay } from "./coverage.ts";
import { dayStandings } from "./history-coverage.ts";
import type { ReadPlan } from "./read-plan.ts";
import type { RunRecord } from "./run-record.ts";

/** Days to come that are named: nobody needs those of a range to the year 9999. */
const DAYS_AHEAD = 366;

/** What {@link coverageDays} goes by. */
export interface CoverageQuestion {
  readonly catalog: Catalog;
  readonly plan: Pick<ReadPlan, "rows">;
  readonly calendar: TradingCalendar;
  /** The last date whose absence means that something is missing: prices of later ones have not settled. */
  readonly lastSettled: string;
}

/**
 * The days of a catalog's range, oldest first: each trading day, and each other day with bars. A trading day that a run
 * found closed is none. Without a range they go from the first stored day to the last.
 */
export function coverageDays({ catalog, plan, calendar, lastSettled }: CoverageQuestion): CoverageDay[] {
  const { runs } = catalog;
  const standingOf = dayStandings(catalog);
  const stored = new Set([...plan.rows.keys(), ...[...runs].filter(isTrading).map(([date]) => date)]);
  const bounds = coverageBounds(catalog, plan);
  const first = bounds === null || bounds.from < FIRST_CALENDAR_DATE ? FIRST_CALENDAR_DATE : bounds.from;
  const expected = bounds === null ? [] : calendar.tradingDays(first, earlier(bounds.to, lastSettled));
  const missing = expected.filter((date) => !stored.has(date) && !runs.has(date));
  const dates = [...stored, ...missing].sort(compareSymbols);
  return dates.map((date) => {
    const rows = plan.rows.get(date);
    const { status, unfinished } = standingOf(date, rows ?? (stored.has(date) ? 0 : undefined));
    return { date, status, rows: rows ?? 0, unfinished: unfinished.length };
  });
}

/** The trading days of a range that are still to come, or have not settled, and are not stored. */
export function unsettledDays({ catalog, plan, calendar, lastSettled }: CoverageQuestion): string[] {
  const { range, runs } = catalog;
  if (range === null || range.to <= lastSettled) return [];
  const from = range.from > lastSettled ? range.from : lastSettled;
  const days = calendar.tradingDays(from, earlier(range.to, addDays(lastSettled, DAYS_AHEAD)));
  return days.filter((date) => date > lastSettled && !runs.has(date) && !plan.rows.has(date));
}

/** The range asked for, or where none was, from the first stored date to the last; null for an empty store. */
export function coverageBounds(
  { range, runs }: Pick<Catalog, "range" | "runs">,
  plan: Pick<ReadPlan, "rows">,
): { readonly from: string; readonly to: string } | null {
  if (range !== null) return range;
  const dates = [...plan.rows.keys(), ...[...runs].filter(isTrading).map(([date]) => date)].sort(compareSymbols);
  const [from, to] = [dates[0], dates.at(-1)];
  return from === undefined || to === undefined ? null : { from, to };
}

function isTrading([, { status }]: [string, RunRecord]): boolean {
  return status !== RUN_STATUSES.marketClosed;
}

function earlier(date: string, other: string): string {
  return date < other ? date : other;
}
