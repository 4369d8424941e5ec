/** Parses the command line's values. Each parser throws an InvalidArgumentError that says what is allowed. */
import { InvalidArgumentError } from "commander";
import type { BarColumnName } from "../aggregator/index.ts";
import { BAR_COLUMNS } from "../domain/bar-columns.ts";
import { messageOf } from "../domain/errors.ts";
import { toSymbol } from "../domain/symbol.ts";
import { isTradingDate } from "../domain/trading-date.ts";
import { isUpstreamAddress } from "../lambdas/runtime/environment.ts";
import { type FaultShares, parseFaultShares } from "../sandbox/faults.ts";
import { checkStoreAddress } from "../stores/open-store.ts";

/** A date that exists. */
export function dateArgument(text: string): string {
  if (!isTradingDate(text)) throw new InvalidArgumentError("Allowed is a date that exists, as YYYY-MM-DD.");
  return text;
}

/** ASX codes separated by commas, in either case. */
export function symbolsArgument(text: string): string[] {
  const symbols = text.split(",").map((part) => symbolArgument(part.trim()));
  return [...new Set(symbols)];
}

/** One ASX code, in either case. */
export function symbolArgument(text: string): string {
  const symbol = toSymbol(text);
  if (symbol === undefined)
    throw new InvalidArgumentError("Allowed are ASX codes: 3 to 6 of A-Z and 0-9, such as BHP.");
  return symbol;
}

/** ASX codes of an option that may be given several times. */
export function moreSymbolsArgument(text: string, earlier: readonly string[] = []): string[] {
  return [...new Set([...earlier, ...symbolsArgument(text)])];
}

/** The same, each code by itself or as one of its listings, such as `ABC#2`. */
export function moreListingsArgument(text: string, earlier: readonly string[] = []): string[] {
  const named = text.split(",").map((part) => {
    const [, code, listing = ""] = /^([^#]*)(#[1-9]\d{0,3})?$/.exec(part.trim()) ?? [];
    if (code === undefined)
      throw new InvalidArgumentError("Allowed are ASX codes such as BHP, or ABC#2 for a listing.");
    return `${symbolArgument(code)}${listing}`;
  });
  return [...new Set([...earlier, ...named])];
}

/** Columns of bars separated by commas. */
export function columnsArgument(text: string): BarColumnName[] {
  const names = text.split(",").map((part) => part.trim());
  const columns = BAR_COLUMNS.map(({ name }) => name).filter((name) => names.includes(name));
  if (names.every((name) => columns.some((column) => column === name))) return columns;
  throw new InvalidArgumentError(`Allowed are, with commas: ${BAR_COLUMNS.map(({ name }) => name).join(", ")}.`);
}

/** A text of an option that may be given several times. */
export function moreTextArgument(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, text];
}

/** The path of a file or folder. */
export function pathArgument(text: string): string {
  if (text === "" || text.includes("\0")) throw new InvalidArgumentError("Allowed is a path.");
  return text;
}

/** Dates separated by commas. */
export function datesArgument(text: string): string[] {
  return text.split(",").map((part) => dateArgument(part.trim()));
}

/** A whole number within bounds, both inclusive. */
export function wholeNumberArgument(smallest: number, largest: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,10}$/.test(text) || value < smallest || value > largest) {
      throw new InvalidArgumentError(`Allowed is a whole number from ${smallest} to ${largest}.`);
    }
    return value;
  };
}

/** Requests a second, or `unlimited`. */
export function rateArgument(text: string): string {
  const rate = Number(text);
  if (text === "unlimited" || (/^\d+(\.\d+)?$/.test(text) && rate >= 0.01 && rate <= 1000)) return text;
  throw new InvalidArgumentError("Allowed are requests a second from 0.01 to 1000, or unlimited.");
}

/** The address of a store. */
export function storeArgument(text: string): string {
  try {
    checkStoreAddress(text);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
  return text;
}

/** Where a run gets its data: the real addresses, a sandbox in the process, or a base address that serves both. */
export function sourceArgument(text: string): string {
  if (text === "live" || text === "sandbox" || isUpstreamAddress(text)) return text.replace(/\/+$/, "");
  throw new InvalidArgumentError("Allowed are live, sandbox, or the http:// address of a sandbox.");
}

/** Faults of the sandbox with their shares of the requests. */
export function faultArgument(text: string): FaultShares {
  try {
    return parseFaultShares(text);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}
