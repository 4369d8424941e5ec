/**
 * Reads the ASX's file of listed companies in every form it has had: with a title line or without,
 * its columns in any order, dates as ISO or DD/MM/YYYY.
 */
import { parse } from "csv-parse/sync";
import { DirectoryRefusedError, messageOf } from "../../domain/errors.ts";
import type { Listing } from "../../domain/listing.ts";
import { toSymbol } from "../../domain/symbol.ts";
import { quote, withoutControls } from "../../domain/text.ts";
import { isTradingDate } from "../../domain/trading-date.ts";

/** A directory as read. */
export interface Directory {
  /** One entry a symbol, in the file's order. */
  readonly listings: readonly Listing[];
  /** Symbols that stood on several lines; the lines were merged. */
  readonly duplicates: readonly string[];
  /** Codes that are no ASX codes; their lines were left out. */
  readonly refusedCodes: readonly string[];
}

/** The header stands in the first ten lines: after a title and an empty line, or at once. */
const HEADER_LINES = 10;

/** Header names, in lower case. */
const HEADERS = {
  symbol: "asx code",
  name: "company name",
  industryGroup: "gics industry group",
  listingDate: "listing date",
  marketCap: "market cap",
} as const;
type Field = keyof typeof HEADERS;

/** What the file writes where it does not know the listing date. */
const UNKNOWN_LISTING_DATE = "1970-01-01";

/**
 * @throws DirectoryRefusedError where the bytes hold no directory, or one without a single listing.
 */
export function parseDirectory(bytes: Uint8Array): Directory {
  const lines = parseLines(bytes);
  const torn = lines.flat().find((text) => /[\r\n][^\r\n]*,/.test(text));
  if (torn !== undefined) {
    throw new DirectoryRefusedError(`a quote is never closed: one value holds lines of others, ${quote(torn, 60)}`);
  }
  const headerIndex = lines
    .slice(0, HEADER_LINES)
    .findIndex((line) => columnsOf(line).symbol >= 0 && columnsOf(line).name >= 0);
  const header = lines[headerIndex];
  if (header === undefined) {
    throw new DirectoryRefusedError(
      `no line of the first ${HEADER_LINES} names the columns "ASX code" and "Company name"; the file begins ${beginning(bytes)}`,
    );
  }
  const columns = columnsOf(header);
  const listings = new Map<string, Listing>();
  const duplicates = new Set<string>();
  const refusedCodes: string[] = [];
  for (const line of lines.slice(headerIndex + 1)) {
    const text = cell(line, columns.symbol);
    const code = toSymbol(text);
    if (code === undefined) {
      refusedCodes.push(text);
      continue;
    }
    const listing: Listing = {
      symbol: code,
      name: withoutControls(cell(line, columns.name)),
      industryGroup: withoutControls(cell(line, columns.industryGroup)),
      listingDate: parseListingDate(cell(line, columns.listingDate)),
      marketCap: parseMarketCap(cell(line, columns.marketCap)),
    };
    const first = listings.get(code);
    if (first !== undefined) duplicates.add(code);
    listings.set(code, first === undefined ? listing : merge(first, listing));
  }
  if (listings.size === 0) throw new DirectoryRefusedError("the directory has a header, but no listing");
  return { listings: [...listings.values()], duplicates: [...duplicates], refusedCodes };
}

function parseLines(bytes: Uint8Array): string[][] {
  try {
    return parse(Buffer.from(bytes), {
      bom: true,
      record_delimiter: ["\r\n", "\n", "\r"],
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
    });
  } catch (cause) {
    throw new DirectoryRefusedError(`the directory is no CSV: ${messageOf(cause)}; it begins ${beginning(bytes)}`, {
      cause,
    });
  }
}

/** Where each field stands in a header line; -1 where it does not. */
function columnsOf(line: readonly string[]): Record<Field, number> {
  const names = line.map((name) => name.trim().toLowerCase());
  return {
    symbol: names.indexOf(HEADERS.symbol),
    name: names.indexOf(HEADERS.name),
    industryGroup: names.indexOf(HEADERS.industryGroup),
    listingDate: names.indexOf(HEADERS.listingDate),
    marketCap: names.indexOf(HEADERS.marketCap),
  };
}

function cell(line: readonly string[], column: number): string {
  return (line[column] ?? "").trim();
}

/** `2018-09-12` or `12/09/2018`, strictly; anything else, and the placeholder of 1970, is unknown. */
function parseListingDate(text: string): string | null {
  const [, day, month, year] = /^(\d{2})\/(\d{2})\/(\d{4})$/.exec(text) ?? [];
  const date = year === undefined ? text : `${year}-${month}-${day}`;
  return isTradingDate(date) && date !== UNKNOWN_LISTING_DATE ? date : null;
}

/** Whole AUD; `SUSPENDED`, `N/A`, `--` and nothing are unknown. */
function parseMarketCap(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** The first line's values, completed by the second's. */
function merge(first: Listing, second: Listing): Listing {
  return {
    symbol: first.symbol,
    name: first.name === "" ? second.name : first.name,
    industryGroup: first.industryGroup === "" ? second.industryGroup : first.industryGroup,
    listingDate: first.listingDate ?? second.listingDate,
    marketCap: first.marketCap ?? second.marketCap,
  };
}

function beginning(bytes: Uint8Array): string {
  return quote(new TextDecoder().decode(bytes.subarray(0, 60)));
}
