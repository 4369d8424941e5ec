import { type Bar, checkBar } from "../../domain/bar.ts";
import { EXCHANGE_TIME_ZONE, settledInstant } from "../../domain/trading-date.ts";
import type { SessionChart, SessionRow, TimedAnswer } from "./price-source.ts";

/** What an answer says of one symbol on one date. */
export type SessionOutcome =
  | { readonly outcome: "fetched"; readonly bar: Bar }
  | { readonly outcome: "noTrade" | "notFound" }
  | { readonly outcome: "invalid" | "failed"; readonly reason: string };

/** The symbol, date and batch that were asked for. */
export interface SessionQuestion {
  readonly symbol: string;
  /** The provider's name of the symbol. */
  readonly ticker: string;
  readonly date: string;
  readonly batchNumber: number | null;
}

const CURRENCY = "AUD";

/**
 * Finds the bar of a date in an answer and checks it.
 *
 * A row stamped at the session's opening is the session's bar. A live row, stamped with the last
 * trade, repeats it or runs ahead of it; it stands for the day only where no session row does and
 * the answer came after the prices had settled. Rows of other dates are passed over.
 *
 * The dates of an answer in another zone are not the exchange's: neither a row nor the lack of one says anything then, and
 * the symbol is to be asked for again. An answer without any row may leave its zone out: there is nothing to date in it.
 */
export function sessionOutcome({ answer, answeredAt }: TimedAnswer, question: SessionQuestion): SessionOutcome {
  if (answer.kind === "notFound") return { outcome: "notFound" };
  if (answer.kind === "noData") return { outcome: "noTrade" };
  if (answer.ticker !== question.ticker) {
    const named = answer.ticker === undefined ? "no symbol" : JSON.stringify(answer.ticker.slice(0, 40));
    return { outcome: "invalid", reason: `the answer is of ${named}, not ${question.ticker}` };
  }
  const row = sessionRow(answer, question.date);
  const isInZone = answer.zone === EXCHANGE_TIME_ZONE || (answer.zone === undefined && answer.rows.length === 0);
  if (row === undefined && isInZone) return { outcome: "noTrade" };
  if (row?.stampedAtOpen === false && answeredAt < settledInstant(question.date)) {
    return { outcome: "failed", reason: `only a live row of ${question.date}: its session has not settled` };
  }
  if (answer.currency !== CURRENCY) {
    return { outcome: "invalid", reason: `currency is ${said(answer.currency)}, not ${CURRENCY}` };
  }
  if (row === undefined || !isInZone) {
    return { outcome: "failed", reason: `the answer's time zone is ${said(answer.zone)}, not ${EXCHANGE_TIME_ZONE}` };
  }
  const checked = checkBar({
    symbol: question.symbol,
    date: question.date,
    open: row.open,
    high: row.high,
    low: row.low,
    close: row.close,
    adjustedClose: row.adjustedClose,
    volume: row.volume,
    dividend: actionOn(answer.dividends, question.date),
    splitRatio: actionOn(answer.splits, question.date),
    fetchTimestamp: answeredAt,
    batchNumber: question.batchNumber,
  });
  return checked.valid ? { outcome: "fetched", bar: checked.bar } : { outcome: "invalid", reason: checked.reason };
}

/** A text of the upstream's own: cut, and with nothing in it that a terminal would obey. */
function said(text: string | undefined): string {
  return text?.slice(0, 40).replaceAll(/[^\x20-\x7e]/g, "?") ?? "not given";
}

/** The value of an action on its ex-date, null on all other days. One that cannot be read is NaN, so that it is not lost in silence. */
function actionOn(actions: ReadonlyMap<string, unknown>, date: string): unknown {
  return actions.has(date) ? (actions.get(date) ?? Number.NaN) : null;
}

function sessionRow({ rows }: SessionChart, date: string): SessionRow | undefined {
  const filled = rows.filter((row) => row.date === date && !isEmpty(row));
  return filled.findLast((row) => row.stampedAtOpen) ?? filled.at(-1);
}

/** A row the provider has no prices for and nothing traded in: it says only that the date exists. */
function isEmpty({ open, high, low, close, volume }: SessionRow): boolean {
  return open === null && high === null && low === null && close === null && (volume === null || volume === 0);
}
