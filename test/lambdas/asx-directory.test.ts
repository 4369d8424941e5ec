import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DirectoryRefusedError } from "../../domain/errors.ts";
import type { Listing } from "../../domain/listing.ts";
import { type Directory, parseDirectory } from "../../lambdas/symbol-updater/asx-directory.ts";

const OLDER = [
  "ASX listed companies as at Fri May 31 11:24:19 AEST 2024",
  "",
  "Company name,ASX code,GICS industry group",
  '"ACME HOLDINGS LIMITED","ACM","Capital Goods"',
  '"BANK, OF SOMEWHERE LTD.","BOS","Banks"',
  "",
].join("\n");

const NEWER = [
  '"ASX code","Company name","GICs industry group","Listing date","Market Cap"',
  '"ACM","ACME HOLDINGS LIMITED","Capital Goods","12/09/2018",17976706',
  '"BOS","BANK, OF SOMEWHERE LTD.","Banks","01/02/1991",182768406554',
].join("\n");

const ACM: Listing = {
  symbol: "ACM",
  name: "ACME HOLDINGS LIMITED",
  industryGroup: "Capital Goods",
  listingDate: "2018-09-12",
  marketCap: 17_976_706,
};
const BOS: Listing = {
  symbol: "BOS",
  name: "BANK, OF SOMEWHERE LTD.",
  industryGroup: "Banks",
  listingDate: "1991-02-01",
  marketCap: 182_768_406_554,
};

function parse(text: string): Directory {
  return parseDirectory(new TextEncoder().encode(text));
}

/** The listing of a file that has one line, in the newer form. */
function listingOf(line: string): Listing | undefined {
  return parse(`ASX code,Company name,GICs industry group,Listing date,Market Cap\n${line}\n`).listings[0];
}

describe("a directory", () => {
  it("in the older form, after a title, has no listing dates and no market caps", () => {
    expect(parse(OLDER)).toEqual({
      listings: [
        { ...ACM, listingDate: null, marketCap: null },
        { ...BOS, listingDate: null, marketCap: null },
      ],
      duplicates: [],
      refusedCodes: [],
    });
  });

  it("in the newer form has them", () => {
    expect(parse(NEWER)).toEqual({ listings: [ACM, BOS], duplicates: [], refusedCodes: [] });
  });

  it.each<[string, (text: string) => string]>([
    ["a byte order mark", (text) => `\uFEFF${text}`],
    ["CRLF", (text) => text.replaceAll("\n", "\r\n")],
    ["CRLF and a byte order mark", (text) => `\uFEFF${text.replaceAll("\n", "\r\n")}`],
    ["LF in its first lines and CRLF after them", (text) => text.replace(/(?<=\n.*)\n/gs, "\r\n")],
    ["a newline at its end", (text) => `${text.trimEnd()}\n`],
    ["no newline at its end", (text) => text.trimEnd()],
    ["several newlines at its end", (text) => `${text}\n\n\n`],
    ["empty lines between its lines", (text) => text.replaceAll("\n", "\n\n")],
    ["its header in upper case", (text) => text.replace(/^.*ASX code.*$/m, (header) => header.toUpperCase())],
    ["its header in lower case", (text) => text.replace(/^.*ASX code.*$/m, (header) => header.toLowerCase())],
    ["spaces around its header's names", (text) => text.replace("Company name", " Company name ")],
  ])("reads the same with %s", (_case, change) => {
    for (const form of [OLDER, NEWER]) expect(parse(change(form))).toEqual(parse(form));
  });

  it("refuses a file in which one value swallows the lines of others", () => {
    expect(() => parse('ASX code,Company name\nAAA,One\nBBB,"Two\nCCC,Three\nDDD,"Four"\n')).toThrow(
      DirectoryRefusedError,
    );
  });

  it("takes a quote inside an unquoted name for what it is", () => {
    const [listing] = parse('Company name,ASX code\nTHE "X" COMPANY,THX\n').listings;
    expect(listing).toMatchObject({ symbol: "THX", name: 'THE "X" COMPANY' });
  });

  it("reads the same with its columns in any order, and with columns it does not know", () => {
    const columns = [
      ["ASX code", "ACM", "BOS"],
      ["Company name", "ACME HOLDINGS LIMITED", '"BANK, OF SOMEWHERE LTD."'],
      ["GICs industry group", "Capital Goods", "Banks"],
      ["Listing date", "2018-09-12", "1991-02-01"],
      ["Market Cap", "17976706", "182768406554"],
      ["Website", "acme.example", "bank.example"],
      ["", "x", "y"],
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(columns, { minLength: columns.length }), (shuffled) => {
        const text = [0, 1, 2].map((line) => shuffled.map((column) => column[line]).join(",")).join("\n");
        expect(parse(text).listings).toEqual([ACM, BOS]);
      }),
    );
  });

  it("needs no columns but the code and the name", () => {
    expect(parse("Company name,ASX code\nACME,ACM\n").listings).toEqual([
      { symbol: "ACM", name: "ACME", industryGroup: "", listingDate: null, marketCap: null },
    ]);
  });

  it("may have short lines: what is missing is empty", () => {
    expect(listingOf("ACM,ACME")).toEqual({
      symbol: "ACM",
      name: "ACME",
      industryGroup: "",
      listingDate: null,
      marketCap: null,
    });
  });

  it("keeps the file's order", () => {
    expect(parse("Company name,ASX code\nZ,ZZZ\nA,AAA\nM,MMM\n").listings.map(({ symbol }) => symbol)).toEqual([
      "ZZZ",
      "AAA",
      "MMM",
    ]);
  });
});

describe("a name", () => {
  it.each([
    ['ACM,"ACME, HOLDINGS, LTD."', "ACME, HOLDINGS, LTD."],
    ['ACM,"THE ""ACME"" COMPANY"', 'THE "ACME" COMPANY'],
    ['ACM,"ACME\nHOLDINGS"', "ACME HOLDINGS"],
    ["ACM,\u001b[2JACME\u0000\u0007 \u202eHOLDINGS\u009b", "[2JACME   HOLDINGS"],
    ["ACM, ACME  HOLDINGS ", "ACME  HOLDINGS"],
    ['ACM,"ACMÉ – 株式会社"', "ACMÉ – 株式会社"],
    ["ACM,", ""],
    ["ACM,,1984-08-16,Technology,", ""],
    ['ACM,""', ""],
  ])("in %j is %j", (line, name) => {
    expect(listingOf(line)?.name).toBe(name);
  });
});

describe("a code", () => {
  it.each(["360", "NAN", "INF", "TRU", "000", "1E5", "AWJN", "AFWDA", "ABCDEF"])("stays text: %s", (code) => {
    expect(listingOf(`${code},ACME`)?.symbol).toBe(code);
    expect(listingOf(`"${code}","ACME"`)?.symbol).toBe(code);
  });

  it.each([
    "../../x",
    '"=HYPERLINK(""x"")"',
    "",
    "AB",
    "ABCDEFG",
    "A B",
    "BHP.AX",
    "__proto__",
    "constructor",
    "ÄBC",
    "ﬁx", // in capitals FIX
    '"ABC\nDEF"',
  ])("that is none is reported and its line left out: %j", (code) => {
    const { listings, duplicates, refusedCodes } = parse(`ASX code,Company name\n${code},BAD\nACM,ACME\n`);

    expect(listings.map(({ symbol }) => symbol)).toEqual(["ACM"]);
    expect(duplicates).toEqual([]);
    // The report may change the case of what it quotes.
    const unquoted = code.replace(/^"(.*)"$/s, "$1").replaceAll('""', '"');
    expect(refusedCodes.map((refused) => refused.toLowerCase())).toEqual([unquoted.toLowerCase()]);
  });

  it("on several lines is reported once, and the lines are merged: the first wins, the others complete it", () => {
    const header = "ASX code,Company name,GICs industry group,Listing date,Market Cap";
    const lines = [
      "ACM,,Banks,,",
      "BOS,BANK,Banks,2001-01-02,5",
      "ACM,ACME,Energy,2018-09-12,",
      "ACM,OTHER,,2019-01-01,7",
    ];

    expect(parse([header, ...lines].join("\n"))).toEqual({
      listings: [
        { symbol: "ACM", name: "ACME", industryGroup: "Banks", listingDate: "2018-09-12", marketCap: 7 },
        { symbol: "BOS", name: "BANK", industryGroup: "Banks", listingDate: "2001-01-02", marketCap: 5 },
      ],
      duplicates: ["ACM"],
      refusedCodes: [],
    });
  });
});

describe("a listing date", () => {
  it.each([
    ["2018-09-12", "2018-09-12"],
    ["12/09/2018", "2018-09-12"],
    ["09/12/2018", "2018-12-09"],
    ["31/12/1970", "1970-12-31"],
    ["13/08/1885", "1885-08-13"],
    ["29/02/2024", "2024-02-29"],
    ["2024-02-29", "2024-02-29"],
  ])("%s is %s", (text, date) => {
    expect(listingOf(`ACM,ACME,Energy,${text},`)?.listingDate).toBe(date);
  });

  it.each([
    "",
    "01/01/1970",
    "1970-01-01",
    "29/02/2023",
    "31/04/2024",
    "2023-02-29",
    "2024-13-01",
    "12/31/2018",
    "00/00/0000",
    "1/2/2018",
    "12-09-2018",
    "12/09/18",
    "2018/09/12",
    "2018-09-12T00:00:00Z",
    "12 Sep 2018",
    "43355",
    "N/A",
  ])("that does not exist or is of another form is unknown: %j", (text) => {
    expect(listingOf(`ACM,ACME,Energy,${text},`)).toMatchObject({ symbol: "ACM", listingDate: null });
  });
});

describe("a market cap", () => {
  it.each([
    ["17976706", 17_976_706],
    ['"182768406554"', 182_768_406_554],
    ["0", 0],
  ])("%s is that many dollars", (text, marketCap) => {
    expect(listingOf(`ACM,ACME,Energy,,${text}`)?.marketCap).toBe(marketCap);
  });

  it.each(["", "N/A", '"SUSPENDED"', "--", '""', "-5", "1e400", "0x10", "1.5", "NaN", "Infinity", "9".repeat(400)])(
    "that is no whole number of dollars is unknown: %s",
    (text) => {
      expect(listingOf(`ACM,ACME,Energy,,${text}`)).toMatchObject({ symbol: "ACM", marketCap: null });
    },
  );
});

describe("a file that is no directory is refused", () => {
  it.each([
    ["nothing", ""],
    ["a byte order mark", "\uFEFF"],
    ["empty lines", "\n\n\n"],
    [
      "HTML",
      "<html><head><title>Request Rejected</title></head><body>Your support ID is: 18446744073709551615</body></html>",
    ],
    [
      "HTML with attributes",
      '<!doctype html>\n<html lang="en">\n<a href="javascript:history.back();">[Go Back]</a>\n</html>',
    ],
    ["JSON", '{"error":{"code":"forbidden"}}'],
    ["a title and no header", "ASX listed companies as at Fri May 31 11:24:19 AEST 2024\n"],
    ["a header without a code", "Company name,GICS industry group\nACME,Energy\n"],
    ["a header without a name", "ASX code,GICS industry group\nACM,Energy\n"],
    ["lines without a header", '"ACM","ACME HOLDINGS LIMITED","Energy"\n'],
    ["a header and nothing else", "Company name,ASX code,GICS industry group\n"],
    ["a header and nothing else, with no newline", "Company name,ASX code,GICS industry group"],
    ["a header and only codes that are none", "Company name,ASX code\nACME,../../x\nBANK,\n"],
    ["a quote that is never closed", 'Company name,ASX code\n"ACME,ACM\nBANK,BOS\n'],
    ["a file cut within quotes", NEWER.slice(0, NEWER.indexOf("BANK, OF SOM") + 8)],
  ])("%s", (_case, text) => {
    expect(() => parse(text)).toThrow(DirectoryRefusedError);
  });

  it("a header beyond the tenth line", () => {
    const notices = (count: number) => "A notice by the exchange\n".repeat(count);

    expect(parse(`${notices(9)}${NEWER}`).listings).toEqual([ACM, BOS]);
    expect(() => parse(`${notices(10)}${NEWER}`)).toThrow(DirectoryRefusedError);
  });

  it("and the message quotes how it begins, cut and on one line", () => {
    const page = `<html>\n<p>${"Request Rejected ".repeat(5_000)}</p>`;

    expect(() => parse(page)).toThrow(/^[^\n]*<html>[^\n]{0,200}$/);
  });

  it("whatever bytes it holds, or it is read", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.string().map((text) => new TextEncoder().encode(`${NEWER}\n${text}`)),
        ),
        (bytes) => {
          try {
            expect(parseDirectory(bytes).listings).toEqual(expect.arrayContaining([ACM, BOS]));
          } catch (error) {
            if (!(error instanceof DirectoryRefusedError)) throw error;
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

it("a column or a code named __proto__ changes no object's prototype", () => {
  const text =
    "__proto__,ASX code,Company name,constructor\npolluted,__proto__,X,polluted\npolluted,ACM,ACME,polluted\n";

  const { listings } = parse(text);

  expect(listings).toEqual([{ symbol: "ACM", name: "ACME", industryGroup: "", listingDate: null, marketCap: null }]);
  expect(Object.getPrototypeOf(listings[0])).toBe(Object.prototype);
  expect(Object.keys(Object.prototype)).toEqual([]);
});
