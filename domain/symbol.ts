import * as z from "zod";

/**
 * An ASX code as the exchange prints it: three characters for companies, up to six for temporary
 * and derived codes. `360`, `NAN`, `INF` and `TRU` are real codes, so a code is always text.
 */
export const asxSymbol = z
  .string()
  .regex(/^[A-Z0-9]{3,6}$/, "expected an ASX code: 3 to 6 of A-Z and 0-9, such as BHP");

/** The ASX code in a text of either case, or undefined. Only letters of ASCII have a case here: elsewhere `ﬁx` becomes `FIX`. */
export function toSymbol(text: string): string | undefined {
  return /^[A-Za-z0-9]{3,6}$/.test(text) ? text.toUpperCase() : undefined;
}

/** The suffix by which the provider knows stocks of the ASX. */
const PROVIDER_SUFFIX = ".AX";

/** The provider's ticker of an ASX code: `BHP` -> `BHP.AX`. */
export function toTicker(symbol: string): string {
  return `${asxSymbol.parse(symbol)}${PROVIDER_SUFFIX}`;
}

/** The ASX code of a provider's ticker, or undefined for a ticker of another exchange: `BHP.AX` -> `BHP`. */
export function fromTicker(ticker: string): string | undefined {
  if (!ticker.endsWith(PROVIDER_SUFFIX)) return undefined;
  const symbol = asxSymbol.safeParse(ticker.slice(0, -PROVIDER_SUFFIX.length));
  return symbol.success ? symbol.data : undefined;
}

/** Orders symbols by their character codes: the same on every host, whatever its locale. */
export function compareSymbols(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
