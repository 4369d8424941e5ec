import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StoredFileError } from "../../domain/errors.ts";
import type { Listing } from "../../domain/listing.ts";
import { decodeSymbolsCsv, encodeSymbolsCsv, storedListDates } from "../../lambdas/runtime/symbols-csv.ts";
import { createMemoryStore } from "../support/memory-store.ts";

const KEY = "symbols/2024-05-31-symbols.csv";

/** Any text that a spreadsheet would not take for a formula. */
const plainText = fc.string({ unit: "grapheme" }).filter((text) => !/^[=+\-@\t\r＝＋－＠]/u.test(text));

const anyListing: fc.Arbitrary<Listing> = fc.record({
  symbol: fc.stringMatching(/^[A-Z0-9]{3,6}$/),
  name: plainText,
  industryGroup: plainText,
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

  it.each(["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)"])("keeps a spreadsheet from running the name %s", (name) => {
    const listing = { symbol: "BHP", name, industryGroup: "", listingDate: null, marketCap: null };
    const csv = new TextDecoder().decode(encodeSymbolsCsv([listing]));
    expect(csv.split("\n")[1]).toBe(`BHP,'${name},,,`);
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
