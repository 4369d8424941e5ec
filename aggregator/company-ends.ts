import { toEpochDays } from "../domain/trading-date.ts";
import type { BarColumnName, Bars } from "./bars.ts";

/**
 * Of the company that had a code on a day, the first day of the next one; infinity where none follows. Bars of a symbol
 * before it and on it are of two companies. The code is one of `symbolCodes`, days are since 1970-01-01.
 */
export type CompanyEnd = (code: number, day: number) => number;

/** The companies of the codes that the coverage of bars knows to have had several. */
export function companyEnds<Name extends BarColumnName>({ symbolDictionary, coverage }: Bars<Name>): CompanyEnd {
  const beginnings = new Map(
    coverage.reusedCodes.map(({ symbol, listings }) => [
      symbolDictionary.indexOf(symbol),
      listings.flatMap(({ from }) => (from === null ? [] : toEpochDays(from))),
    ]),
  );
  return (code, day) => beginnings.get(code)?.find((begins) => begins > day) ?? Number.POSITIVE_INFINITY;
}
