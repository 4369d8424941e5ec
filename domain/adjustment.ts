/**
 * Prices on one basis: the newest known action's. docs/adjusted-prices.md has the formulas and an example.
 *
 * Factors are cumulative, each standing for its action and all later ones, so that one row is the whole answer for a bar:
 * that of the first action behind it. The same holds of `ASOF JOIN` in SQL over the rows given here.
 */
import { ACTION_KINDS, actionsThatHold, type CorporateAction } from "./corporate-action.ts";
import { basisInstant, type Split, splitEffectiveAt, splitFactor } from "./split-basis.ts";

/** What a bar is multiplied by for the splits that took effect after it was fetched. */
export interface SplitFactor {
  readonly symbol: string;
  /**
   * First date of the company that had the split, and the first of the next one with its code; null where there is no bound.
   * The factor is for its bars alone, whenever they were fetched.
   */
  readonly since: string | null;
  readonly until: string | null;
  /** In milliseconds since 1970. The factor is for bars whose `basisInstant` is before it, and not before an earlier row's. */
  readonly effectiveAt: number;
  /** New shares for one old: volumes are multiplied by it, prices and amounts divided. */
  readonly factor: number;
}

/** What prices are multiplied by for the dividends that went ex after them. */
export interface DividendFactor {
  readonly symbol: string;
  /** The factor is for bars of dates before it, and not before an earlier row's. */
  readonly exDate: string;
  readonly factor: number;
}

/** A dividend that prices cannot be adjusted for: its factor is 1. */
export interface NotAdjusted {
  readonly symbol: string;
  readonly exDate: string;
  readonly why: string;
}

/** The close of a symbol's last bar before an ex-date. */
export interface PreviousClose {
  readonly symbol: string;
  readonly exDate: string;
  /** The bar's own date, and when it was fetched, in milliseconds since 1970. */
  readonly date: string;
  readonly fetchedAt: number;
  /** AUD, as stored. */
  readonly close: number;
}

/** Factors in order of symbol and of instant or ex-date. */
export interface AdjustmentFactors {
  readonly splits: readonly SplitFactor[];
  readonly dividends: readonly DividendFactor[];
  readonly notAdjusted: readonly NotAdjusted[];
}

/**
 * For each code that several companies had, one after the other, the date on which each but the first began; ascending.
 * One company's actions say nothing about the prices of another.
 */
export type CodeBeginnings = ReadonlyMap<string, readonly string[]>;

/**
 * The factors of all actions that hold. A dividend's is `1 - amount / previous close`, both on the newest basis.
 * @param closes of the last bars before the dividends' ex-dates, where there is one.
 */
export function adjustmentFactors(
  actions: readonly CorporateAction[],
  closes: readonly PreviousClose[],
  beginnings: CodeBeginnings = new Map(),
): AdjustmentFactors {
  const closeOf = new Map(closes.map((close) => [`${close.symbol} ${close.exDate}`, close]));
  const all: { splits: SplitFactor[]; dividends: DividendFactor[]; notAdjusted: NotAdjusted[] } = {
    splits: [],
    dividends: [],
    notAdjusted: [],
  };
  const bySymbol = Map.groupBy(actionsThatHold(actions), ({ symbol }) => symbol);
  for (const symbol of [...bySymbol.keys()].sort()) {
    const begins = beginnings.get(symbol) ?? [];
    const ofSymbol = bySymbol.get(symbol) ?? [];
    for (const [at, since] of [null, ...begins].entries()) {
      const until = begins[at] ?? null; // where the next company begins
      const isOfCompany = (date: string): boolean =>
        (since === null || date >= since) && (until === null || date < until);
      const ofCompany = ofSymbol.filter(({ exDate }) => isOfCompany(exDate));
      const factors = companyFactors(ofCompany, { since, until }, (exDate) => {
        const close = closeOf.get(`${symbol} ${exDate}`);
        return close === undefined || !isOfCompany(close.date) ? undefined : close;
      });
      all.splits.push(...factors.splits);
      all.dividends.push(...factors.dividends);
      all.notAdjusted.push(...factors.notAdjusted);
      // Up to here and not beyond: what follows is another company's.
      if (until !== null) all.dividends.push({ symbol, exDate: until, factor: 1 });
    }
  }
  return { ...all, notAdjusted: all.notAdjusted.sort(byPlace) };
}

/** The factors of one company's actions. */
function companyFactors(
  actions: readonly CorporateAction[],
  company: Pick<SplitFactor, "since" | "until">,
  closeBefore: (exDate: string) => PreviousClose | undefined,
): AdjustmentFactors {
  const splits: SplitFactor[] = [];
  const dividends: DividendFactor[] = [];
  const notAdjusted: NotAdjusted[] = [];
  const newestFirst = actions.toSorted((a, b) => (a.exDate < b.exDate ? 1 : -1));
  const ratios: Split[] = [];
  let splitProduct = 1;
  for (const { symbol, kind, exDate, value } of newestFirst) {
    if (kind !== ACTION_KINDS.split) continue;
    ratios.push({ exDate, ratio: value });
    splitProduct *= value;
    splits.unshift({ symbol, ...company, effectiveAt: splitEffectiveAt(exDate), factor: splitProduct });
  }
  let dividendProduct = 1;
  for (const dividend of newestFirst) {
    if (dividend.kind !== ACTION_KINDS.dividend) continue;
    const { symbol, exDate } = dividend;
    const factor = dividendFactor(dividend, closeBefore(exDate), ratios);
    if (typeof factor === "string") notAdjusted.push({ symbol, exDate, why: factor });
    if (typeof factor === "string" || factor === 1) continue;
    dividendProduct *= factor;
    dividends.unshift({ symbol, exDate, factor: dividendProduct });
  }
  return { splits, dividends, notAdjusted };
}

/**
 * What prices and amounts a share of a bar are divided by, and its volume multiplied.
 * @param ofSymbol the split factors of the bar's symbol, as {@link adjustmentFactors} gives them.
 * @param fetchedAt in milliseconds since 1970.
 */
export function splitFactorAt(ofSymbol: readonly SplitFactor[], date: string, fetchedAt: number): number {
  const basis = basisInstant(date, fetchedAt);
  const found = ofSymbol.find(
    ({ since, until, effectiveAt }) =>
      effectiveAt > basis && (since === null || date >= since) && (until === null || date < until),
  );
  return found?.factor ?? 1;
}

/** A rescaled volume in whole shares: halves are rounded up. */
export function wholeShares(shares: number): number {
  return Math.floor(shares + 0.5);
}

/** `BHP 2024-03-07: why`. */
export function describeNotAdjusted({ symbol, exDate, why }: NotAdjusted): string {
  return `${symbol} ${exDate}: ${why}`;
}

/** The factor of one dividend, or why there is none. */
function dividendFactor(
  { exDate, value, lastConfirmed }: CorporateAction,
  before: PreviousClose | undefined,
  splits: readonly Split[],
): number | string {
  if (before === undefined) return 1; // there is no price before it to adjust
  const amount = value / splitFactor(splits, exDate, lastConfirmed);
  const close = before.close / splitFactor(splits, before.date, before.fetchedAt);
  if (amount < close) return 1 - amount / close;
  return `its dividend of ${shown(amount)} is not below the close before it, ${shown(close)} on ${before.date}`;
}

function shown(value: number): string {
  return String(Number(value.toPrecision(7)));
}

function byPlace(a: NotAdjusted, b: NotAdjusted): number {
  if (a.symbol !== b.symbol) return a.symbol < b.symbol ? -1 : 1;
  return a.exDate < b.exDate ? -1 : 1;
}
