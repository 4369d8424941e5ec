/** The forms of environment variables that several Lambdas share. */
import * as z from "zod";
import { asxSymbol } from "../../domain/symbol.ts";
import { tradingDate } from "../../domain/trading-date.ts";

/** An address to ask: http or https, without credentials, query or fragment, and without a slash at its end. */
export const upstreamAddress = z
  .string()
  .refine(
    (text) => isUpstreamAddress(text),
    "expected an http:// or https:// address without credentials, query or fragment",
  )
  .transform((text) => text.replace(/\/+$/, ""));

function isUpstreamAddress(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return false;
  return url.username === "" && url.password === "" && url.search === "" && url.hash === "";
}

/** Dates, separated by commas, on which the exchange is closed besides those the rules know. */
export const marketClosures = commaSeparated(tradingDate);

/** ASX codes, separated by commas. */
export const symbolList = commaSeparated(asxSymbol);

/** An honest name to ask under. */
export const userAgent = z
  .string()
  .regex(/^[\x20-\x7e]{1,200}$/, "expected 1 to 200 printable ASCII characters")
  .default("asx-eod/0.1 (daily bars for personal research)");

/** A whole number in text. */
export function wholeNumber(smallest: number, largest: number) {
  const message = `expected a whole number from ${smallest} to ${largest}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, message)
    .transform(Number)
    .refine((value) => value >= smallest && value <= largest, message);
}

function commaSeparated(item: z.ZodType<string, string>): z.ZodType<string[], string | undefined> {
  return z
    .string()
    .default("")
    .transform((text) =>
      text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== ""),
    )
    .pipe(z.array(item));
}
