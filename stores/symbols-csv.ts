import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import * as z from "zod";
import { messageOf, StoredFileError } from "../domain/errors.ts";
import { markFormula, unmarkFormula } from "../domain/formula-text.ts";
import type { Listing } from "../domain/listing.ts";
import { parseSymbolsKey, symbolsKey, symbolsPrefix } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { asxSymbol } from "../domain/symbol.ts";
import { tradingDate } from "../domain/trading-date.ts";

/** The columns of a symbols CSV, in their order. */
export const SYMBOLS_CSV_COLUMNS = ["symbol", "name", "industry_group", "listing_date", "market_cap"] as const;

/** Texts with these are quoted besides those that CSV has to quote: marked ones and any with control characters. */
const QUOTED = [/^'/, /\p{Cc}/u];

const emptyIsNull = z.literal("").transform(() => null);

const csvRow = z
  .object({
    symbol: asxSymbol,
    name: z.string().transform(unmarkFormula),
    industry_group: z.string().transform(unmarkFormula),
    listing_date: z.union([emptyIsNull, tradingDate]),
    market_cap: z.union([emptyIsNull, z.coerce.number().nonnegative()]),
  })
  .transform(
    (row): Listing => ({
      symbol: row.symbol,
      name: row.name,
      industryGroup: row.industry_group,
      listingDate: row.listing_date,
      marketCap: row.market_cap,
    }),
  );

/** A stored list and the date it is of. */
export interface StoredList {
  readonly date: string;
  readonly key: string;
  readonly listings: readonly Listing[];
}

/**
 * The symbols CSV: a header, one line a listing in the order given, empty where a value is not known.
 * Texts that a spreadsheet would run as a formula begin with an apostrophe, which reading takes off again.
 */
export function encodeSymbolsCsv(listings: readonly Listing[]): Uint8Array {
  const rows = listings.map(({ symbol, name, industryGroup, listingDate, marketCap }) => [
    symbol,
    markFormula(name),
    markFormula(industryGroup),
    listingDate,
    marketCap,
  ]);
  return new TextEncoder().encode(stringify([[...SYMBOLS_CSV_COLUMNS], ...rows], { quoted_match: QUOTED }));
}

/**
 * Reads a symbols CSV back.
 * @throws StoredFileError that names the key.
 */
export function decodeSymbolsCsv(key: string, bytes: Uint8Array): Listing[] {
  try {
    const rows: unknown = parse(Buffer.from(bytes), { columns: true, bom: true });
    return z.array(csvRow).parse(rows);
  } catch (cause) {
    throw new StoredFileError(
      `${key} is no symbols CSV: ${messageOf(cause)}; restore it, or delete it and run the date again`,
      { cause },
    );
  }
}

/** The dates of all stored lists, oldest first. */
export async function storedListDates(store: ObjectStore): Promise<string[]> {
  const dates = (await store.list(symbolsPrefix)).map(({ key }) => parseSymbolsKey(key));
  return dates.filter((date) => date !== undefined);
}

/** The list stored for a date, or undefined where there is none. */
export async function readStoredList(store: ObjectStore, date: string): Promise<StoredList | undefined> {
  const key = symbolsKey(date);
  const bytes = await store.get(key);
  return bytes === undefined ? undefined : { date, key, listings: decodeSymbolsCsv(key, bytes) };
}
