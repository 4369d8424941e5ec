import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Bar } from "../../domain/bar.ts";
import { sydneyInstant } from "../../domain/trading-date.ts";
import { type BarStore, barOf, openBarStore } from "../support/bar-store.ts";
import { asx } from "../support/test-terminal.ts";

const [TUE, WED, THU] = ["2024-05-28", "2024-05-29", "2024-05-30"] as const;
const HEADER = "symbol,ex_date,kind,value,first_seen,last_confirmed,superseded_at";

let opened: BarStore;

/** A split of BHP, 4 for 1, on Wednesday, and a dividend on Thursday. */
beforeEach(async () => {
  opened = await openBarStore();
  const bar = (date: string, price: number, values: Partial<Bar> = {}): Bar => {
    const prices = { open: price, high: price, low: price, close: price, adjustedClose: price };
    const rest = { volume: 11, dividend: null, splitRatio: null, fetchTimestamp: sydneyInstant(date, "19:30") };
    return barOf("BHP", { date, ...prices, ...rest, ...values });
  };
  for (const one of [bar(TUE, 44), bar(WED, 10, { splitRatio: 4 }), bar(THU, 9.5, { dividend: 0.5 })]) {
    await opened.putSummary([await opened.putBars([one], 0, one.date)], ["BHP"], { date: one.date });
  }
});
afterEach(() => opened.close());

function command(verb: string, ...args: string[]) {
  const { folder } = opened;
  return asx([verb, "--store", `file:${folder}`, "--cache-dir", join(folder, "..", "cache"), ...args]);
}

describe("asx actions", () => {
  it("shows dividends and splits as a table", async () => {
    const { stdout, stderr, exitCode } = await command("actions");
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/^symbol {2}ex_date {5}kind {6}value {2}first_seen/);
    expect(lines.slice(1, 3).map((line) => line.slice(0, 35))).toEqual([
      "BHP     2024-05-29  split       4.0",
      "BHP     2024-05-30  dividend    0.5",
    ]);
    expect([stderr, exitCode]).toEqual(["", 0]);
    expect((await command("actions", "--limit", "1")).stdout).toContain("(1 of 2 actions; --limit shows more)");
  });

  it("prints CSV and JSON, of the symbols and dates asked for", async () => {
    const csv = await command("actions", "--format", "csv", "--from", THU, "--symbol", "bhp");
    const seen = "2024-05-30T09:30:00.000Z";
    expect(csv.stdout).toBe(`${HEADER}\nBHP,${THU},dividend,0.5,${seen},${seen},\n`);
    const json = await command("actions", "--json", "--to", WED);
    expect(JSON.parse(json.stdout)).toMatchObject([
      { symbol: "BHP", ex_date: WED, kind: "split", superseded_at: null },
    ]);
  });

  it("shows what holds no more with --all", async () => {
    const seen = ["2024-05-27T09:30:00.000Z", "2024-05-27T09:30:00.000Z", "2024-05-28T09:30:00.000Z"];
    const file = `${HEADER}\nCBA,${TUE},dividend,1,${seen.join(",")}\n`;
    await opened.store.put("actions/2024.csv", new TextEncoder().encode(file));
    expect(JSON.parse((await command("actions", "--symbol", "CBA", "--json")).stdout)).toEqual([]);
    expect(JSON.parse((await command("actions", "--symbol", "CBA", "--json", "--all")).stdout)).toHaveLength(1);
    expect(await command("actions", "--symbol", "CBA")).toMatchObject({
      ...{ stdout: "", stderr: "There are no such dividends or splits.\n", exitCode: 0 },
    });
  });

  it("names a damaged file, and makes it again with --rebuild", async () => {
    await opened.store.put("actions/2024.csv", new TextEncoder().encode("damaged"));
    const refused = await command("actions");
    expect(refused).toMatchObject({ stdout: "", exitCode: 1 });
    expect(refused.stderr).toMatch(/actions\/2024\.csv is damaged .* asx actions --rebuild/);
    const rebuilt = await command("actions", "--rebuild");
    expect(rebuilt.stdout).toBe("2 values of dividends and splits; written: actions/2024.csv\n");
    expect(rebuilt.stderr).toContain("actions/2024.csv is damaged");
    expect((await command("actions", "--rebuild")).stdout).toContain("nothing had to be written");
    expect((await command("actions", "--json")).exitCode).toBe(0);
  });

  it.each([
    [["--from", THU, "--to", TUE], "give the earlier date first"],
    [["--symbol", "../x"], "ASX codes"],
    [["--rebuild", "--symbol", "BHP"], "cannot be used with"],
    [["--format", "csv", "--json"], "cannot be used with"],
  ])("refuses %j with 64", async (args, message) => {
    const { stdout, stderr, exitCode } = await command("actions", ...args);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 64 });
    expect(stderr).toContain(message);
  });
});

describe("asx show --adjust", () => {
  const closes = async (adjust: string) => {
    const { stdout } = await command(
      "show",
      "--from",
      TUE,
      "--to",
      THU,
      "--columns",
      "close",
      "--json",
      "--adjust",
      adjust,
    );
    return JSON.parse(stdout).map(({ close }: { close: number }) => close);
  };

  it("prints prices on one basis", async () => {
    expect(await closes("none")).toEqual([44, 10, 9.5]);
    expect(await closes("splits")).toEqual([11, 10, 9.5]);
    expect(await closes("all")).toEqual([10.45, 9.5, 9.5]);
  });

  it("refuses what it does not know", async () => {
    expect(await command("show", "--date", TUE, "--adjust", "dividends")).toMatchObject({ stdout: "", exitCode: 64 });
  });
});
