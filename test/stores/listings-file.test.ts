import { describe, expect, it } from "vitest";
import { StoredFileError } from "../../domain/errors.ts";
import type { Listing } from "../../domain/listing.ts";
import { foldLists } from "../../domain/listing-history.ts";
import { decodeListings, encodeListings } from "../../stores/listings-file.ts";

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
