import * as z from "zod";
import { tradingDate } from "./trading-date.ts";

/** Calendar dates in Sydney from one to another, `YYYY-MM-DD`, both inclusive. */
export interface DateSpan {
  readonly from: string;
  readonly to: string;
}

/** A span of dates; never backward. */
export const dateSpan = z
  .object({ from: tradingDate, to: tradingDate })
  .refine(({ from, to }) => from <= to, "expected the earlier date in from");

/** A span in one word, as the keys of its objects have it: `2016-01-04_2026-11-20`. */
export function spanName({ from, to }: DateSpan): string {
  return `${from}_${to}`;
}

/** Whether every date of a span lies in another. */
export function contains(outer: DateSpan, inner: DateSpan): boolean {
  return outer.from <= inner.from && inner.to <= outer.to;
}
