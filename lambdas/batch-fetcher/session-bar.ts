import { type Bar, type BarCheck, checkBar } from "../../domain/bar.ts";
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
  const otherTicker = reasonOfTicker(answer, question.ticker);
  if (otherTicker !== undefined) return { outcome: "invalid", reason: otherTicker };
  const row = rowsByDate(answer, ({ date }) => date === question.date).get(question.date);
  const otherZone = reasonOfZone(answer);
  if (row === undefined && otherZone === undefined) return { outcome: "noTrade" };
  const unsettled = row === undefined ? undefined : reasonToWait(row, answeredAt);
  if (unsettled !== undefined) return { outcome: "failed", reason: unsettled };
  const otherCurrency = reasonOfCurrency(answer);
  if (otherCurrency !== undefined) return { outcome: "invalid", reason: otherCurrency };
  if (otherZone !== undefined) return { outcome: "failed", reason: otherZone };
  if (row === undefined) return { outcome: "noTrade" };
  const checked = checkRow(row, answer, { ...question, answeredAt });
  return checked.valid ? { outcome: "fetched", bar: checked.bar } : { outcome: "invalid", reason: checked.reason };
}

/** Why an answer is of another ticker than was asked for; undefined where it is not. */
export function reasonOfTicker({ ticker }: SessionChart, asked: string): string | undefined {
  if (ticker === asked) return undefined;
  const named = ticker === undefined ? "no symbol" : JSON.stringify(ticker.slice(0, 40));
  return `the answer is of ${named}, not ${asked}`;
}

/** Why prices are in no currency of ours; undefined where they are in AUD. */
export function reasonOfCurrency({ currency }: SessionChart): string | undefined {
  return currency === CURRENCY ? undefined : `currency is ${said(currency)}, not ${CURRENCY}`;
}

/** Why the dates of an answer are not the exchange's; undefined where they are, and where there is nothing to date. */
export function reasonOfZone({ zone, rows }: SessionChart): string | undefined {
  if (zone === EXCHANGE_TIME_ZONE || (zone === undefined && rows.length === 0)) return undefined;
  return `the answer's time zone is ${said(zone)}, not ${EXCHANGE_TIME_ZONE}`;
}

/** Why a row says nothing yet of its date: a live row does so only once the prices have settled. */
export function reasonToWait({ stampedAtOpen, date }: SessionRow, answeredAt: number): string | undefined {
  if (stampedAtOpen || answeredAt >= settledInstant(date)) return undefined;
  return `only a live row of ${date}: its session has not settled`;
}

/**
 * The row that stands for each date: the session's own before a live one, of several the last. Rows without prices stand
 * for nothing.
 * @param isWanted whether a row is looked at.
 */
export function rowsByDate(
  { rows }: SessionChart,
  isWanted: (row: SessionRow) => boolean,
): ReadonlyMap<string, SessionRow> {
  const byDate = new Map<string, SessionRow>();
  for (const row of rows) {
    if (!isWanted(row) || isEmpty(row)) continue;
    const known = byDate.get(row.date);
    if (known === undefined || row.stampedAtOpen || !known.stampedAtOpen) byDate.set(row.date, row);
  }
  return byDate;
}

/** The bar of a row with the actions of its date, or what is wrong with it. */
export function checkRow(
  row: SessionRow,
  { dividends, splits }: Pick<SessionChart, "dividends" | "splits">,
  of: Pick<SessionQuestion, "symbol" | "batchNumber"> & { readonly answeredAt: number },
): BarCheck {
  return checkBar({
    symbol: of.symbol,
    date: row.date,
    open: row.open,
    high: row.high,
    low: row.low,
    close: row.close,
    adjustedClose: row.adjustedClose,
    volume: row.volume,
    dividend: actionOn(dividends, row.date),
    splitRatio: actionOn(splits, row.date),
    fetchTimestamp: of.answeredAt,
    batchNumber: of.batchNumber,
  });
}

/** A text of the upstream's own: cut, and with nothing in it that a terminal would obey. */
function said(text: string | undefined): string {
  return text?.slice(0, 40).replaceAll(/[^\x20-\x7e]/g, "?") ?? "not given";
}

/** The value of an action on its ex-date, null on all other days. One that cannot be read is NaN, so that it is not lost in silence. */
function actionOn(actions: ReadonlyMap<string, unknown>, date: string): unknown {
  return actions.has(date) ? (actions.get(date) ?? Number.NaN) : null;
}

/** A row the provider has no prices for and nothing traded in: it says only that the date exists. */
function isEmpty({ open, high, low, close, volume }: SessionRow): boolean {
  return open === null && high === null && low === null && close === null && (volume === null || volume === 0);
}
