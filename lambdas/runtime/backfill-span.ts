import { type DateSpan, spanName } from "../../domain/date-span.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import { FIRST_CALENDAR_DATE, type TradingCalendar } from "../../domain/trading-calendar.ts";

/**
 * The trading days of a backfill's span, ascending.
 * @param now milliseconds since 1970.
 * @throws InvalidInputError where the calendar does not reach as far back, where a session has not settled, where the span is
 *   backward, and where there is no session at all.
 */
export function sessionsOfSpan(span: DateSpan, calendar: TradingCalendar, now: number): string[] {
  const { from, to } = span;
  if (from < FIRST_CALENDAR_DATE) {
    throw new InvalidInputError(
      `the backfill begins on ${from}; the calendar begins on ${FIRST_CALENDAR_DATE}: begin there`,
    );
  }
  const latest = calendar.lastFinishedTradingDay(now);
  if (to > latest) {
    throw new InvalidInputError(
      `the backfill ends on ${to}, but the last session whose prices have settled is of ${latest}: end it there`,
    );
  }
  if (from > to) {
    throw new InvalidInputError(`the backfill begins on ${from}, after it ends on ${to}; the earlier date comes first`);
  }
  const sessions = calendar.tradingDays(from, to);
  if (sessions.length === 0) {
    throw new InvalidInputError(`the exchange has no session in ${spanName(span)}: there is nothing to fetch`);
  }
  return sessions;
}
