import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DirectoryRefusedError } from "../../domain/errors.ts";
import type { Listing } from "../../domain/listing.ts";
import { type Directory, parseDirectory } from "../../lambdas/symbol-updater/asx-directory.ts";
import { hasRealData, readRealData, realDataPath } from "../support/real-data.ts";

const FOLDER = "asx-directory";

/** Counted with Python's csv module, which shares no code with the product. */
interface Expectation {
  readonly listings: number;
  readonly first: string;
  readonly last: string;
  /** Listings whose name holds a comma. */
  readonly commas: number;
  /** Listings whose name is empty. */
  readonly nameless: number;
  /** Listings with a known listing date. */
  readonly dated: number;
  /** Listings with a known market cap, and the sum of them in AUD. */
  readonly capped: number;
  readonly totalCap: number;
  /** Listings whose code has more than three characters. */
  readonly longCodes: number;
}

const OLDER = { first: "14D", last: "ZAG", commas: 5, nameless: 0, dated: 0, capped: 0, totalCap: 0, longCodes: 0 };

const EXPECTED: Readonly<Record<string, Expectation | "refused">> = {
  "old-2025-12-05.csv": { ...OLDER, listings: 1985 },
  "old-2026-03-02.csv": { ...OLDER, listings: 1977 },
  "old-2026-04-01.csv": { ...OLDER, listings: 1978 },
  // 18 lines have no listing date and 2 (FAU, OZL) the placeholder of 1970; 76 caps are N/A and 1 is empty.
  "new-2022-11.csv": {
    listings: 2106,
    first: "14D",
    last: "ZNO",
    commas: 0,
    nameless: 1,
    dated: 2086,
    capped: 2029,
    totalCap: 2_724_765_726_906,
    longCodes: 18,
  },
  // FAU has the placeholder of 1970; 109 caps are SUSPENDED and 2 are --.
  "new-2024-04-07.csv": {
    listings: 2000,
    first: "14D",
    last: "ZNO",
    commas: 0,
    nameless: 0,
    dated: 1999,
    capped: 1889,
    totalCap: 3_109_132_369_751,
    longCodes: 11,
  },
  "new-2026-08-reconstructed.csv": {
    listings: 3,
    first: "BHP",
    last: "BHPPA",
    commas: 0,
    nameless: 0,
    dated: 3,
    capped: 0,
    totalCap: 0,
    longCodes: 1,
  },
  // What the firewall before the older address answers with status 200.
  "old-address-2026-08-reconstructed.html": "refused",
};

/** Lines read by eye; a null stands for what the file does not have or does not know. */
const LINES: readonly (readonly [file: string, why: string, listing: Listing])[] = [
  ["old-2026-04-01.csv", "a comma in the name", listing("XYZ", "BLOCK, INC.", "Financial Services")],
  ["old-2026-04-01.csv", "dots at the end of the name", listing("IF1", "IBERDROLA FINANZAS, S.A.U.", "Not Applic")],
  ["old-2026-03-02.csv", "two commas and a dot", listing("SC1", "SHINHAN CARD CO., LTD.", "Not Applic")],
  ["old-2025-12-05.csv", "a code beginning with a digit", listing("6KA", "6K ADDITIVE, INC.", "Class Pend")],
  ["old-2025-12-05.csv", "a code of digits", listing("360", "LIFE360 INC.", "Software & Services")],
  [
    "new-2022-11.csv",
    "an ISO date of the nineteenth century, a cap beyond 32 bits",
    listing("BHP", "BHP GROUP LIMITED", "Materials", "1885-08-13", 222_490_838_820),
  ],
  ["new-2022-11.csv", "no name and no cap", listing("CIO", "", "Technology Hardware & Equipment", "1984-08-16", null)],
  [
    "new-2022-11.csv",
    "a cap of N/A",
    listing("1ST", "1ST GROUP LIMITED", "Health Care Equipment & Services", "2015-06-09", null),
  ],
  [
    "new-2022-11.csv",
    "the placeholder of 1970",
    listing("OZL", "OZ MINERALS LIMITED", "Materials", null, 9_188_751_321),
  ],
  [
    "new-2022-11.csv",
    "a genuine date in 1970",
    listing("WBC", "WESTPAC BANKING CORPORATION", "Banks", "1970-07-18", 84_307_154_872),
  ],
  [
    "new-2024-04-07.csv",
    "a date of day, month, year",
    listing("BHP", "BHP GROUP LIMITED", "Materials", "1885-08-13", 226_951_004_061),
  ],
  [
    "new-2024-04-07.csv",
    "a day and a month that could be swapped",
    listing("14D", "1414 DEGREES LIMITED", "Capital Goods", "2018-09-12", 15_480_954),
  ],
  [
    "new-2024-04-07.csv",
    "a cap of SUSPENDED",
    listing("CIO", "CONNECTED IO LIMITED", "Technology Hardware & Equipment", "1984-08-16", null),
  ],
  ["new-2024-04-07.csv", "a cap of --", listing("PRG", "PRL GLOBAL LTD", "Materials", "1987-07-24", null)],
  ["new-2024-04-07.csv", "the placeholder of 1970", listing("FAU", "FIRST AU LIMITED", "Materials", null, 3_323_987)],
  [
    "new-2024-04-07.csv",
    "a comma in the industry group",
    listing("1AD", "ADALTA LIMITED", "Pharmaceuticals, Biotechnology & Life Sciences", "2016-08-22", 13_145_352),
  ],
  [
    "new-2026-08-reconstructed.csv",
    "a code of five characters and an empty cap at the end of a CRLF line",
    listing("BHPPA", "BHP GROUP LIMITED SECOND LINE", "Materials", "2022-01-31", null),
  ],
];

function listing(
  symbol: string,
  name: string,
  industryGroup: string,
  listingDate: string | null = null,
  marketCap: number | null = null,
): Listing {
  return { symbol, name, industryGroup, listingDate, marketCap };
}

function read(file: string): Directory {
  return parseDirectory(readRealData(`${FOLDER}/${file}`));
}

describe.skipIf(!hasRealData)("directories as the exchange served them", () => {
  it("all have an expectation here", () => {
    expect(readdirSync(realDataPath(FOLDER)).sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  it.each(Object.entries(EXPECTED))("%s", (file, expected) => {
    if (expected === "refused") {
      expect(() => read(file)).toThrow(DirectoryRefusedError);
      return;
    }
    const { listings, duplicates, refusedCodes } = read(file);
    const caps = listings.flatMap(({ marketCap }) => marketCap ?? []);

    expect({
      listings: listings.length,
      first: listings[0]?.symbol,
      last: listings.at(-1)?.symbol,
      commas: listings.filter(({ name }) => name.includes(",")).length,
      nameless: listings.filter(({ name }) => name === "").length,
      dated: listings.filter(({ listingDate }) => listingDate !== null).length,
      capped: caps.length,
      totalCap: caps.reduce((sum, cap) => sum + cap, 0),
      longCodes: listings.filter(({ symbol }) => symbol.length > 3).length,
    }).toEqual(expected);
    expect(duplicates).toEqual([]);
    expect(refusedCodes).toEqual([]);
  });

  it.each(LINES)("%s has a line with %s", (file, _why, expected) => {
    expect(read(file).listings.filter(({ symbol }) => symbol === expected.symbol)).toEqual([expected]);
  });

  it.each(["old-2025-12-05.csv", "old-2026-03-02.csv", "old-2026-04-01.csv", "new-2022-11.csv", "new-2024-04-07.csv"])(
    "%s keeps the codes that look like something else",
    (file) => {
      const symbols = new Set(read(file).listings.map(({ symbol }) => symbol));

      expect(["360", "NAN", "INF", "TRU"].filter((code) => !symbols.has(code))).toEqual([]);
    },
  );
});
