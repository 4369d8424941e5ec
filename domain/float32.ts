/** Decimal digits that always suffice to tell one 32-bit float from all others. */
const MOST_DIGITS = 9;

/**
 * The shortest decimal that denotes the same 32-bit float: 30.385000228881836 is 30.385. The provider
 * keeps prices as 32-bit floats and prints them widened to 64 bits. A number that is no 32-bit float
 * was never one, and is returned as it is. (At 2 ** -96, 2 ** 87 and 2 ** 90, far from any price, a
 * decimal one digit shorter exists.)
 */
export function shortestFloat32(value: number): number {
  if (!Number.isFinite(value) || Math.fround(value) !== value) return value;
  for (let digits = 1; digits < MOST_DIGITS; digits += 1) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return Number(value.toPrecision(MOST_DIGITS));
}
