import { fromEpochDays, toEpochDays } from "../domain/trading-date.ts";

/** The day after the last of the period that a day is in, both in days since 1970-01-01: it names the period. */
export type PeriodEnd = (day: number) => number;

const DAY_MS = 86_400_000;

/** The Monday after a day. Day 0, 1 January 1970, was a Thursday. */
export function weekEnd(day: number): number {
  return Math.floor((day + 3) / 7) * 7 + 4;
}

/** The first day of the month after a day's. */
export function monthEnd(day: number): number {
  const date = new Date(day * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) / DAY_MS;
}

/** The last of some days, `YYYY-MM-DD`, in every period that has one, by the period's end; both in days since 1970-01-01. */
export function lastDays(dates: readonly string[], periodEnd: PeriodEnd): Map<number, number> {
  const found = new Map<number, number>();
  for (const date of dates) {
    const day = toEpochDays(date);
    const end = periodEnd(day);
    found.set(end, Math.max(day, found.get(end) ?? day));
  }
  return found;
}

/** Of each of some days the last one in its period, `YYYY-MM-DD`. */
export function lastDates(dates: readonly string[], periodEnd: PeriodEnd): string[] {
  const found = lastDays(dates, periodEnd);
  return dates.map((date) => fromEpochDays(found.get(periodEnd(toEpochDays(date))) ?? toEpochDays(date)));
}
