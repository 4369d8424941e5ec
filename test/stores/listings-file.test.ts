import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StoredFileError } from "../../domain/errors.ts";
import type { Listing } from "../../domain/listing.ts";
import { foldLists } from "../../domain/listing-history.ts";
import { createListDecoder } from "../../stores/list-decoder.ts";
import { decodeListings, encodeListings } from "../../stores/listings-file.ts";
import { decodeSymbolsCsv, encodeSymbolsCsv } from "../../stores/symbols-csv.ts";

function listing(symbol: string, name: string): Listing {
  return { symbol, name, industryGroup: "Banks", listingDate: "2003-02-01", marketCap: 5 };
}

const STATE = {
  history: foldLists([
    { date: "2024-05-29", sha256: "a".repeat(64), listings: [listing("ZZZ", "ZULU"), listing("AAA", "")] },
    { date: "2024-05-30", sha256: "b".repeat(64), listings: [listing("AAA", 'A "B", Ç')] },
    { date: "2024-05-31", sha256: "c".repeat(64), listings: [listing("ZZZ", "NOVA"), listing("AAA", "BRAVO")] },
  ]),
  unreadable: [{ date: "2024-05-28", sha256: "d".repeat(64) }],
  backfills: [{ key: "backfills/2020-01-01_2024-05-31.json", mark: "a1" }],
  watermarks: new Map([
    ["ZZZ", { firstBar: null, lastFinal: "2024-05-31" }],
    ["AAA", { firstBar: "2020-01-02", lastFinal: "2024-05-31" }],
  ]),
};

function text(change: (json: string) => string): Uint8Array {
  return new TextEncoder().encode(change(new TextDecoder().decode(encodeListings(STATE))));
}

describe("the file of listings", () => {
  it("gives back what was stored", () => {
    expect(decodeListings(encodeListings(STATE))).toEqual(STATE);
  });

  it("is the same for equal states, in whatever order codes were seen", () => {
    const { bySymbol, before, lists } = STATE.history;
    const turned = {
      ...STATE,
      history: { lists, bySymbol: new Map([...bySymbol].reverse()), before: new Map([...before].reverse()) },
    };
    expect(encodeListings(turned)).toEqual(encodeListings(STATE));
  });

  it.each<[string, Uint8Array]>([
    ["no JSON", new TextEncoder().encode("[")],
    ["no text", Uint8Array.of(0xff)],
    ["of another version", text((json) => json.replace('"version":1', '"version":2'))],
    ["with a date that does not exist", text((json) => json.replaceAll("2024-05-30", "2024-05-32"))],
    ["with lists out of order", text((json) => json.replace('["2024-05-29","a', '["2024-06-29","a'))],
    ["with what is no code", text((json) => json.replaceAll("ZZZ", "<b>"))],
  ])("is refused where it is %s", (_case, bytes) => {
    expect(() => decodeListings(bytes)).toThrow(StoredFileError);
    expect(() => decodeListings(bytes)).toThrow(/^listings\/listings.json is damaged.*asx listings --rebuild$/);
  });
});

describe("a decoder of many lists", () => {
  const key = "symbols/2024-05-31-symbols.csv";
  const anyList = fc.uniqueArray(
    fc.record({
      symbol: fc.constantFrom("AAA", "BBB", "CCC"),
      name: fc.constantFrom("", "ALPHA", 'A "B", C', "A\nB,5", "AAA,ALPHA,,,5\nX", "=1+1", "'", "Ç "),
      industryGroup: fc.constantFrom("", "Banks", "\n"),
      listingDate: fc.constantFrom(null, "2003-02-01"),
      marketCap: fc.constantFrom(null, 0, 5, 1.5, 2_724_765_726_906, 1e21),
    }),
    { selector: ({ symbol }) => symbol },
  );

  it("gives what each list has, but for market caps, whatever it has read before", () => {
    const decode = createListDecoder();
    fc.assert(
      fc.property(anyList, (listings) => {
        const bytes = encodeSymbolsCsv(listings);
        const expected = decodeSymbolsCsv(key, bytes).map((each) => ({ ...each, marketCap: null }));
        expect(decode(key, bytes)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    "",
    "symbol\nAAA\n",
    "AAA,x,,,\n",
    "symbol,name,industry_group,listing_date,market_cap\nAAA,x,,2024-02-31,\n",
  ])("refuses what is no list: %j", (text) => {
    const bytes = new TextEncoder().encode(text);
    const outcome = (decode: () => unknown) => {
      try {
        return decode();
      } catch (error) {
        return error instanceof StoredFileError ? error.name : error;
      }
    };
    expect(outcome(() => createListDecoder()(key, bytes))).toEqual(outcome(() => decodeSymbolsCsv(key, bytes)));
  });
});
