import { type DateSpan, spanName } from "../../domain/date-span.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import type { TradingCalendar } from "../../domain/trading-calendar.ts";

/** The first date that the calendar knows. */
const FIRST_DATE = "1997-01-01";

/**
 * The trading days of a backfill's span, ascending.
 * @param now milliseconds since 1970.
 * @throws InvalidInputError where the calendar does not reach as far back, where a session has not settled, and where there
 *   is no session at all.
 */
export function sessionsOfSpan(span: DateSpan, calendar: TradingCalendar, now: number): string[] {
  const { from, to } = span;
  if (from < FIRST_DATE) {
    throw new InvalidInputError(`the backfill begins on ${from}; the calendar begins on ${FIRST_DATE}: begin there`);
  }
  const latest = calendar.lastFinishedTradingDay(now);
  if (to > latest) {
    throw new InvalidInputError(
      `the backfill ends on ${to}, but the last session whose prices have settled is of ${latest}: end it there`,
    );
  }
  const sessions = calendar.tradingDays(from, to);
  if (sessions.length === 0) {
    throw new InvalidInputError(`the exchange has no session in ${spanName(span)}: there is nothing to fetch`);
  }
  return sessions;
}
