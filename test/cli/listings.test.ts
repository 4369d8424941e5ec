import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listingsKey } from "../../domain/object-keys.ts";
import { type StoredDays, storeDays } from "../support/stored-days.ts";
import { asx } from "../support/test-terminal.ts";

let stored: StoredDays;

beforeAll(async () => {
  stored = await storeDays({ "2024-05-29": "complete", "2024-05-31": "complete" });
});
afterAll(() => stored.remove());

const listings = (...args: string[]) => asx(["listings", "--store", stored.store, ...args]);

describe("asx listings", () => {
  it("shows companies over time, as runs have kept them", async () => {
    const { stdout, stderr, exitCode } = await listings("--symbol", "nab,BHP", "--symbol", "XYZ");
    expect(stdout.split("\n").map((line) => line.replaceAll(/ +/g, " "))).toEqual([
      "symbol listing name industry_group listing_date first_seen last_seen is_listed first_bar last_final",
      "BHP 1 BHP LIMITED Materials 2003-02-01 2024-05-29 2024-05-31 true 2024-05-29 2024-05-31",
      "NAB 1 NAB LIMITED Materials 2003-02-01 2024-05-29 2024-05-31 true 2024-05-31",
      "",
    ]);
    expect([stderr, exitCode]).toEqual(["XYZ is not on any stored list.\n", 0]);
  });

  it("shows the list of a day", async () => {
    const { stdout } = await listings("--date", "2024-05-30", "--format", "csv", "--symbol", "BHP");
    expect(stdout).toBe(
      "symbol,name,industry_group,listing_date,market_cap\nBHP,BHP LIMITED,Materials,2003-02-01,1000\n",
    );
    const early = await listings("--date", "2024-05-28");
    expect(early).toMatchObject({ stdout: "", exitCode: 1 });
    expect(early.stderr).toContain("lists are known from 2024-05-29 on");
  });

  it("shows changes, or that there are none", async () => {
    expect(await listings("--changes", "--from", "2024-05-29")).toMatchObject({
      stdout: "",
      stderr: "There are no changes.\n",
      exitCode: 0,
    });
    expect((await listings("--changes", "--json")).stdout).toBe("[]\n");
  });

  it("makes the file anew, as it was", async () => {
    const path = join(stored.folder, "store", listingsKey);
    const kept = await readFile(path, "utf8");
    await rm(path);
    const { stdout, exitCode } = await listings("--rebuild");
    expect(stdout).toMatch(/: 3 listings under 3 codes from 2 lists, watermarks of 3 symbols\n$/);
    expect([await readFile(path, "utf8"), exitCode]).toEqual([kept, 0]);
  });

  it.each([
    [["--from", "2024-05-29"], /--from and --to go with --changes/],
    [["--date", "2024-05-29", "--changes"], /cannot be used with/],
    [["--rebuild", "--changes"], /cannot be used with/],
    [["--changes", "--from", "2024-05-31", "--to", "2024-05-29"], /begins on 2024-05-31 and ends on 2024-05-29/],
  ])("refuses %j", async (args, message) => {
    const { stderr, exitCode } = await listings(...args);
    expect([exitCode, message.test(stderr)]).toEqual([64, true]);
  });
});
