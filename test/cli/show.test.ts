import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type StoredDays, storeDays } from "../support/stored-days.ts";
import { asx } from "../support/test-terminal.ts";

let stored: StoredDays;

beforeAll(async () => {
  stored = await storeDays({ "2024-05-29": "complete", "2024-05-31": "partial" });
});
afterAll(() => stored.remove());

const show = (...args: string[]) => asx(["show", "--store", stored.store, ...args]);

describe("asx show of a range", () => {
  it("shows its bars by symbol and date, and says on standard error which days are not whole", async () => {
    const { stdout, stderr, exitCode } = await show("--from", "2024-05-29", "--columns", "volume,close");
    expect(stdout).toBe(
      [
        "symbol  date        close  volume",
        "BHP     2024-05-29   10.1   1,000",
        "BHP     2024-05-31   10.3   1,000",
        "CBA     2024-05-29   10.1   1,000",
        "",
      ].join("\n"),
    );
    expect(stderr).toContain(
      "2024-05-29 to 2024-05-31: 3 trading days, 1 complete, 1 partial (2024-05-31), 1 missing (2024-05-30)",
    );
    expect(stderr).toContain(`See npx asx missing --from 2024-05-29 --to 2024-05-31 --store ${stored.store}`);
    expect(exitCode).toBe(0);
  });

  it("shows several symbols, and says which of them has no bar", async () => {
    const { stdout, stderr } = await show("--from", "2024-05-29", "--symbol", "bhp,NAB", "--symbol", "CBA", "--json");
    expect(JSON.parse(stdout).map(({ symbol }: { symbol: string }) => symbol)).toEqual(["BHP", "BHP", "CBA"]);
    expect(stderr).toContain("NAB has no bar from 2024-05-29 to 2024-05-31.");
  });

  it("prints CSV and JSON whole, with every column as it is stored", async () => {
    const csv = await show("--from", "2024-05-29", "--to", "2024-05-29", "--format", "csv", "--symbol", "BHP");
    expect(csv.stdout).toBe(
      [
        "symbol,date,open,high,low,close,adjusted_close,volume,dividend,split_ratio,fetch_timestamp,batch_number",
        "BHP,2024-05-29,10,11,9,10.1,10.25,1000,,,2024-05-31T09:30:00.000Z,0",
        "",
      ].join("\n"),
    );
    expect(csv.stderr).toBe("");
    const json = await show("--date", "2024-05-29", "--format", "json", "--limit", "1");
    expect(JSON.parse(json.stdout)).toMatchObject([{ adjusted_close: 10.25, split_ratio: null, batch_number: 0 }]);
  });

  it("leaves the last columns out that a terminal has no room for, and says how to see them", async () => {
    const args = ["show", "--store", stored.store, "--date", "2024-05-29"];
    const { stdout } = await asx(args, { width: 40, interactive: true });
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toBe("symbol  date        open  high  low");
    expect(lines.at(-1)).toMatch(/^\(no room for close, .*batch_number; --columns names those to show\)$/);
  });

  it("without bars says so once, and ends with 1", async () => {
    const { stdout, stderr, exitCode } = await show("--from", "2024-05-30", "--to", "2024-05-30");
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toContain("holds no bars of 2024-05-30");
    const range = await show("--from", "2024-05-01", "--to", "2024-05-03");
    expect(range).toMatchObject({ stdout: "", exitCode: 1 });
    expect(range.stderr).toMatch(
      /^There are no bars from 2024-05-01 to 2024-05-03.\n.*3 missing.*\nSee npx asx missing.*\n$/,
    );
  });

  it("tells of files that nothing vouches for", async () => {
    const own = await storeDays({ "2024-05-29": "complete" });
    try {
      await rm(join(own.folder, "store", "runs"), { recursive: true });
      const { stderr, exitCode } = await asx(["show", "--date", "2024-05-29", "--store", own.store]);
      expect(stderr).toContain(
        "A run of 2024-05-29 is under way or broke off: bars may be missing: see npx asx status",
      );
      expect(exitCode).toBe(0);
    } finally {
      await own.remove();
    }
  });

  it.each([
    [[], "--date DATE, or --from DATE"],
    [["--to", "2024-05-31"], "--date DATE, or --from DATE"],
    [["--date", "2024-05-31", "--from", "2024-05-29"], "cannot be used with"],
    [["--from", "2024-05-31", "--to", "2024-05-29"], "give the earlier date first"],
    [["--date", "2024-05-31", "--columns", "close,price"], "Allowed are, with commas: symbol, date, open"],
    [["--date", "2024-05-31", "--symbol", "../x"], "ASX codes"],
    [["--date", "2024-05-31", "--format", "parquet"], "table, csv, json"],
    [["--date", "2024-05-31", "--format", "csv", "--json"], "cannot be used with"],
    [["--date", "2024-05-31", "--limit", "0"], "from 1 to 100000"],
    [["--date", "2024-05-31", "--cache-dir", ""], "a path"],
  ])("refuses %j with 64", async (args, message) => {
    const { stdout, stderr, exitCode } = await show(...args);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 64 });
    expect(stderr).toContain(message);
  });
});

describe("asx show of a code that another company took over", () => {
  it("shows the bars of the listing that is named, and says that there are several", async () => {
    const days = await storeDays({ "2024-05-29": "complete", "2024-05-31": "complete" });
    try {
      const header = "symbol,name,industry_group,listing_date,market_cap\n";
      const listOf = (date: string): string => join(days.folder, "store/symbols", `${date}-symbols.csv`);
      await writeFile(listOf("2024-05-30"), `${header}CBA,CBA LIMITED,Banks,,\n`);
      await writeFile(listOf("2024-05-31"), `${header}BHP,OTHER MINES,Materials,,\nCBA,CBA LIMITED,Banks,,\n`);
      await asx(["listings", "--rebuild", "--store", days.store]);
      const range = ["--from", "2024-05-29", "--to", "2024-05-31", "--columns", "close"];
      const second = await asx(["show", "--store", days.store, ...range, "--symbol", "bhp#2", "--format", "csv"]);
      expect(second.stdout).toBe("symbol,date,close\nBHP,2024-05-31,10.3\n");
      expect(second.stderr).not.toContain("Several companies");
      const both = await asx(["show", "--store", days.store, ...range, "--symbol", "BHP"]);
      expect(both.stderr).toContain(
        "Several companies had the code: BHP#1 BHP LIMITED (to 2024-05-29) and BHP#2 OTHER MINES (from 2024-05-30).",
      );
      const third = await asx(["show", "--store", days.store, ...range, "--symbol", "BHP#3"]);
      expect(third).toMatchObject({ stdout: "", exitCode: 64 });
      expect(third.stderr).toContain("there is no listing BHP#3");
    } finally {
      await days.remove();
    }
  });
});
