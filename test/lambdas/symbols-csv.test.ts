import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StoredFileError } from "../../domain/errors.ts";
import type { Listing } from "../../domain/listing.ts";
import { decodeSymbolsCsv, encodeSymbolsCsv, storedListDates } from "../../stores/symbols-csv.ts";
import { createMemoryStore } from "../support/memory-store.ts";

const KEY = "symbols/2024-05-31-symbols.csv";

/** Any text at all, many of which a spreadsheet would take for a formula, or CSV for more than one value. */
const anyText = fc
  .tuple(
    fc.string({ unit: fc.constantFrom("'", "=", "+", "-", "@", "\t", "\r", "\n", " ", '"', "＝", "\0"), maxLength: 3 }),
    fc.oneof(fc.string({ unit: "binary" }), fc.string({ minLength: 1_000, maxLength: 5_000 })),
  )
  .map((parts) => parts.join(""));

const anyListing: fc.Arbitrary<Listing> = fc.record({
  symbol: fc.stringMatching(/^[A-Z0-9]{3,6}$/),
  name: anyText,
  industryGroup: anyText,
  listingDate: fc.constantFrom(null, "2018-09-12", "1885-08-13"),
  marketCap: fc.option(fc.maxSafeNat()),
});

describe("the symbols CSV", () => {
  it("gives back every value in order: commas, quotes, line breaks and nothing at all", () => {
    fc.assert(
      fc.property(fc.array(anyListing), (listings) => {
        expect(decodeSymbolsCsv(KEY, encodeSymbolsCsv(listings))).toEqual(listings);
      }),
    );
  });

  it.each([
    '=HYPERLINK("http://x","y")',
    "+1",
    "-1",
    "@SUM(A1)",
    "＝1",
    "\t=1",
    "\r=1",
    "\n=1",
    "\0",
    " =1",
    "\u200b=1",
    "'=1",
    "''-1",
  ])("marks the name %j with an apostrophe in quotes, so that no spreadsheet runs it (X01)", (name) => {
    const listing = { symbol: "BHP", name, industryGroup: "=1", listingDate: null, marketCap: null };
    const csv = new TextDecoder().decode(encodeSymbolsCsv([listing]));
    const cell = `"'${name.replaceAll('"', '""')}"`;
    expect(csv).toBe(`symbol,name,industry_group,listing_date,market_cap\nBHP,${cell},"'=1",,\n`);
    expect(decodeSymbolsCsv(KEY, encodeSymbolsCsv([listing]))).toEqual([listing]);
  });

  it.each(["'TIS LIMITED", "'", "A=B", "3D-X", "(+61)"])("leaves the name %j as it is", (name) => {
    const listing = { symbol: "BHP", name, industryGroup: "", listingDate: null, marketCap: null };
    const csv = new TextDecoder().decode(encodeSymbolsCsv([listing]));
    expect(parse(csv, { columns: true })).toMatchObject([{ name }]);
    expect(decodeSymbolsCsv(KEY, new TextEncoder().encode(csv))).toEqual([listing]);
  });

  it("takes a header __proto__ for a column it does not know (X07)", () => {
    const text = "symbol,name,industry_group,listing_date,market_cap,__proto__\nBHP,,,,,x\n";
    expect(decodeSymbolsCsv(KEY, new TextEncoder().encode(text))).toMatchObject([{ symbol: "BHP" }]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it("keeps codes that look like numbers or nothing as text", () => {
    const listings = ["360", "NAN", "INF", "TRU"].map((symbol) => ({
      symbol,
      name: "",
      industryGroup: "",
      listingDate: null,
      marketCap: null,
    }));
    expect(decodeSymbolsCsv(KEY, encodeSymbolsCsv(listings))).toEqual(listings);
  });

  it.each([
    ["HTML", "<html></html>\n<p>"],
    ["a bad code", "symbol,name,industry_group,listing_date,market_cap\n../x,,,,"],
    ["a bad date", "symbol,name,industry_group,listing_date,market_cap\nBHP,,,2024-02-30,"],
    ["too few columns", "symbol,name,industry_group,listing_date,market_cap\nBHP,"],
  ])("that holds %s is refused by name", (_, text) => {
    const decode = () => decodeSymbolsCsv(KEY, new TextEncoder().encode(text));
    expect(decode).toThrow(StoredFileError);
    expect(decode).toThrow(KEY);
  });

  it("is found by its date, whatever else lies beside it", async () => {
    const store = createMemoryStore();
    for (const name of ["2024-05-31-symbols.csv", "2024-05-30-symbols.csv", "2024-02-30-symbols.csv", "notes.txt"]) {
      await store.put(`symbols/${name}`, new Uint8Array());
    }
    expect(await storedListDates(store)).toEqual(["2024-05-30", "2024-05-31"]);
  });
});
