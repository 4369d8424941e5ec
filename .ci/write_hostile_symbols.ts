/**
 * Writes a symbols CSV of companies whose names are formulas, as the symbol updater writes it, and beside it as JSON what
 * its text cells must read as.
 *
 *   node .ci/write_hostile_symbols.ts FOLDER
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { parseDirectory } from "../lambdas/symbol-updater/asx-directory.ts";
import { encodeSymbolsCsv } from "../stores/symbols-csv.ts";

/** A name as the directory has it, and the cell that it becomes. */
const NAMES: readonly (readonly [name: string, cell: string])[] = [
  ["PLAIN LIMITED", "PLAIN LIMITED"],
  ['=HYPERLINK("http://x.example","y")', `'=HYPERLINK("http://x.example","y")`],
  ["=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"],
  ["+61 LIMITED", "'+61 LIMITED"],
  ["-1+1", "'-1+1"],
  ["@SUM(A1:A9)", "'@SUM(A1:A9)"],
  ["＝1", "'＝1"],
  ["'=1", "''=1"],
  ["'TIS, OR \"ISN'T\"", "'TIS, OR \"ISN'T\""],
  ["TWO\nLINES\r\nAND\ra\tTAB", "TWO LINES AND a TAB"],
  ["\u001b[31mRED\u0000\u202e", "[31mRED"],
  ["NAN", "NAN"],
  ["", ""],
];

const [folder = ""] = process.argv.slice(2);
const code = (index: number): string => `C${String(index).padStart(2, "0")}`;
const lines = NAMES.map(
  ([name], index) => `${code(index)},"${name.replaceAll('"', '""')}","${name.replaceAll('"', '""')}",,`,
);
const header = "ASX code,Company name,GICs industry group,Listing date,Market Cap";
const directory = parseDirectory(new TextEncoder().encode([header, ...lines].join("\n")));
const csv = encodeSymbolsCsv(directory.listings);
const rows = NAMES.map(([, cell], index) => ({
  symbol: code(index),
  name: cell,
  industry_group: cell,
  listing_date: "",
  market_cap: "",
}));
const read = JSON.stringify(parse(Buffer.from(csv), { columns: true }));
if (read !== JSON.stringify(rows)) throw new Error(`csv-parse reads ${read}`);
await mkdir(folder, { recursive: true });
await writeFile(join(folder, "symbols.csv"), csv);
await writeFile(join(folder, "rows.json"), JSON.stringify(rows));
