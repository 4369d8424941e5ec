import type { Bars } from "asx-eod";

const DAY_MS = 86_400_000;

/** What each bar of a symbol is multiplied by, so that all of them stand on the basis of the newest. */
export interface Basis {
  /** For open, high, low and close; volumes are divided by it. */
  readonly prices: Float64Array;
  /** For adjusted closes. */
  readonly adjusted: Float64Array;
}

/** The columns that {@link basisOf} needs. */
export type BasisColumn = "symbol" | "date" | "close" | "dividend" | "split_ratio" | "fetch_timestamp";

/**
 * The provider adjusts a bar for the splits and dividends that it knows of when the bar is fetched. A store that grows day
 * by day therefore has bars on several bases: one that was fetched before an ex-date says nothing of it. Where all bars
 * were fetched at once every factor is 1.
 *
 * What happened on a day without a bar of the symbol is not in the files, and stays unknown here.
 *
 * An ex-date counts as known from 00:00 UTC, which is 10:00 or 11:00 in Sydney: the opening.
 * @param bars of one symbol, in order of date.
 */
export function basisOf(bars: Bars<BasisColumn>): Basis {
  const { date, close, dividend, split_ratio: split, fetch_timestamp: fetchedAt } = bars;
  const prices = new Float64Array(bars.length).fill(1);
  const adjusted = new Float64Array(bars.length).fill(1);
  for (let exRow = 1; exRow < bars.length; exRow += 1) {
    const ratio = split[exRow] ?? Number.NaN;
    const amount = dividend[exRow] ?? Number.NaN;
    if (!(ratio > 0) && !(amount > 0)) continue;
    const knownFrom = (date[exRow] ?? 0) * DAY_MS;
    const splitFactor = ratio > 0 ? 1 / ratio : 1;
    const before = (close[exRow - 1] ?? Number.NaN) * ((fetchedAt[exRow - 1] ?? 0) < knownFrom ? splitFactor : 1);
    const dividendFactor = amount > 0 && amount < before ? 1 - amount / before : 1;
    for (let row = 0; row < exRow; row += 1) {
      if ((fetchedAt[row] ?? 0) >= knownFrom) continue;
      prices[row] = (prices[row] ?? 1) * splitFactor;
      adjusted[row] = (adjusted[row] ?? 1) * splitFactor * dividendFactor;
    }
  }
  return { prices, adjusted };
}
