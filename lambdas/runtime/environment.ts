/** The forms of environment variables that several Lambdas share. */
import { isIP } from "node:net";
import * as z from "zod";
import { asxSymbol } from "../../domain/symbol.ts";
import { tradingDate } from "../../domain/trading-date.ts";

/** An address to ask, without a slash at its end. */
export const upstreamAddress = z
  .string()
  .refine(
    (text) => isUpstreamAddress(text),
    "expected an https:// address, or an http:// one of this machine, without credentials, query or fragment",
  )
  .transform((text) => text.replace(/\/+$/, ""));

/**
 * Whether a text is an address that may be asked: https, or http where nothing travels far, on this machine or at a
 * neighbour whose name has no dot. An IP address is only ever this machine's: those of networks and of the metadata of
 * clouds give away what is none of an upstream's business.
 */
export function isUpstreamAddress(text: string): boolean {
  // A parser of addresses forgives what is left out, white space and backslashes; a reader of settings would be misled.
  const url = /^https?:\/\/[^/\\\s\p{Cc}][^\\\s\p{Cc}]*$/u.test(text) ? URL.parse(text) : null;
  if (url === null || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") return false;
  const { hostname, protocol } = url;
  if (isIP(hostname) !== 0 || hostname.startsWith("[")) return hostname.startsWith("127.") || hostname === "[::1]";
  return protocol === "https:" || !hostname.includes(".");
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
