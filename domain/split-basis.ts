/** Which splits a price or an amount was given before, and what that makes of it. */
import { sydneyInstant, toEpochDays } from "./trading-date.ts";

/** A split: new shares for one old, on its ex-date. */
export interface Split {
  readonly exDate: string;
  readonly ratio: number;
}

/** Time of day in Sydney from which a split counts on its ex-date: the market's opening. */
const EFFECTIVE_TIME = "10:00";

const DAY_MS = 86_400_000;

/**
 * Hours after 00:00 UTC of a date that lie behind the opening in Sydney on that date and before the one on the next day, on
 * both sides of daylight saving: a bar is never rescaled by a split of its own date.
 */
const AFTER_OPENING_MS = 14 * 3_600_000;

const effectiveInstants = new Map<string, number>();

/** When a split takes effect: 10:00 in Sydney on its ex-date, in milliseconds since 1970. */
export function splitEffectiveAt(exDate: string): number {
  const known = effectiveInstants.get(exDate);
  if (known !== undefined) return known;
  const instant = sydneyInstant(exDate, EFFECTIVE_TIME);
  effectiveInstants.set(exDate, instant);
  return instant;
}

/**
 * The instant up to which splits are in the values of a date: splits that take effect after it are not.
 * @param date of the bar, or the ex-date of a dividend.
 * @param observedAt when the provider gave the values, in milliseconds since 1970.
 */
export function basisInstant(date: string, observedAt: number): number {
  return Math.max(observedAt, toEpochDays(date) * DAY_MS + AFTER_OPENING_MS);
}

/**
 * New shares for one of those that a value counts in: the product of the ratios of all splits that it was given before.
 * Prices and amounts a share are divided by it, volumes multiplied; 1 where no split came later.
 */
export function splitFactor(splits: readonly Split[], date: string, observedAt: number): number {
  const basis = basisInstant(date, observedAt);
  return splits.reduce((factor, split) => (splitEffectiveAt(split.exDate) > basis ? factor * split.ratio : factor), 1);
}
