import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeMissing } from "../../cli/missing-report.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { type StoredDays, storeDays } from "../support/stored-days.ts";
import { asx } from "../support/test-terminal.ts";

let stored: StoredDays;

beforeAll(async () => {
  stored = await storeDays({ "2024-05-29": "complete", "2024-05-31": "partial" });
});
afterAll(() => stored.remove());

const missing = (...args: string[]) => asx(["missing", "--store", stored.store, ...args]);

describe("asx missing", () => {
  it("lists what is lacking from the first stored day to the last finished one, how to mend it, and ends with 2", async () => {
    expect(await missing()).toEqual({
      stdout: [
        "2024-05-29 to 2024-05-31: 2 days are not whole.",
        "",
        "days        state    what",
        "2024-05-30  no run",
        "2024-05-31  partial  1 to fetch again: CBA",
        "",
        "To mend them:",
        `  npx asx catch-up --days 2 --store ${stored.store} --source sandbox`,
        "",
      ].join("\n"),
      stderr: "",
      exitCode: 2,
    });
  });

  it("of whole days says so and ends with 0", async () => {
    expect(await missing("--to", "2024-05-29")).toEqual({
      stdout: "2024-05-29 to 2024-05-29: nothing is missing.\n",
      stderr: "",
      exitCode: 0,
    });
  });

  it("with --json prints all of it, with --dates the dates alone", async () => {
    const { stdout, exitCode } = await missing("--json");
    expect(JSON.parse(stdout)).toEqual({
      from: "2024-05-29",
      to: "2024-05-31",
      days: ["2024-05-30"],
      failed: [],
      partial: [{ date: "2024-05-31", symbols: ["CBA"] }],
      unrecorded: [],
      unreadable: [],
      isNothing: false,
    });
    expect(exitCode).toBe(2);
    expect((await missing("--dates")).stdout).toBe("2024-05-30\n2024-05-31\n");
  });

  it("of many days gives a few lines: those that follow each other as one, and one command for all", async () => {
    const { stdout } = await missing("--from", "2023-06-01");
    const lines = stdout.split("\n");
    expect(lines[3]).toBe("2023-06-01 to 2024-05-28  no run   251 days");
    const command = `  npx asx backfill --from 2023-06-01 --to 2024-05-31 --store ${stored.store} --source sandbox`;
    expect(lines).toContain(command);
    expect(lines.length).toBeLessThan(16);
  });

  it("does not miss days on which the environment says that the exchange was closed", async () => {
    const environment = { MARKET_CLOSURES: "2024-05-30" };
    const { stdout } = await asx(["missing", "--store", stored.store, "--dates"], { environment });
    expect(stdout).toBe("2024-05-31\n");
  });

  it("tells of bars without a run summary", async () => {
    const own = await storeDays({ "2024-05-29": "complete" });
    try {
      await rm(join(own.folder, "store", "runs"), { recursive: true });
      const { stdout, exitCode } = await asx(["missing", "--to", "2024-05-29", "--store", own.store]);
      expect(stdout).toContain("2024-05-29  unrecorded  bars without a run or a backfill of the market");
      expect(exitCode).toBe(2);
    } finally {
      await own.remove();
    }
  });

  it("of an empty store says how to begin and ends with 1, and lists the days from a first date that is named", async () => {
    await mkdir(join(stored.folder, "empty"));
    const empty = `file:${join(stored.folder, "empty")}`;
    expect(await asx(["missing", "--store", empty])).toEqual({
      stdout: "",
      stderr: `asx: ${empty} holds no day; begin with npx asx run --store ${empty}, or list days with --from\n`,
      exitCode: 1,
    });
    const named = await asx(["missing", "--store", empty, "--from", "2024-05-30"]);
    expect(named).toMatchObject({ exitCode: 1, stdout: expect.stringContaining("2 days are not whole") });
    expect(named.stderr).toBe(`asx: ${empty} holds no day; is it the right store?\n`);
    const dates = await asx(["missing", "--store", empty, "--from", "2024-05-30", "--dates"]);
    expect(dates).toMatchObject({ exitCode: 1, stdout: "2024-05-30\n2024-05-31\n" });
  });

  it("of a folder that is not there ends with 1", async () => {
    const { stdout, stderr, exitCode } = await asx(["missing", "--store", `file:${stored.folder}/typo`]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toContain("there is no such folder; is it the right one?");
  });

  it("of what is no store ends with 1", async () => {
    const file = join(stored.folder, "file");
    await writeFile(file, "mine");
    expect(await asx(["missing", "--store", `file:${file}`])).toMatchObject({ stdout: "", exitCode: 1 });
  });

  it.each([
    [["--from", "2024-02-30"], "YYYY-MM-DD"],
    [["--from", "2024-05-31", "--to", "2024-05-29"], "give the earlier date first"],
    [["--json", "--dates"], "cannot be used with"],
  ])("refuses %j with 64", async (args, message) => {
    const { stdout, stderr, exitCode } = await missing(...args);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 64 });
    expect(stderr).toContain(message);
  });
});

it("names a day of which a file cannot be read", async () => {
  const damaged = await storeDays({ "2024-05-29": "complete" });
  try {
    await writeFile(join(damaged.folder, "store/raw-data/2024-05-29-batch-0.parquet"), "PAR1");
    const { stdout, exitCode } = await asx(["missing", "--store", damaged.store, "--to", "2024-05-29"]);
    expect(stdout).toContain("2024-05-29  damaged  raw-data/2024-05-29-batch-0.parquet");
    expect(stdout).toContain("npx asx run --date 2024-05-29");
    expect(exitCode).toBe(2);
  } finally {
    await damaged.remove();
  }
});

describe("what is lacking in many days", () => {
  it("fits in 80 columns and a screen, however many days and symbols", () => {
    const calendar = createTradingCalendar();
    const days = calendar.tradingDays("2020-01-01", "2024-05-31");
    const symbols = Array.from({ length: 900 }, (_, position) => `A${position + 100}`);
    const partial = days.filter((_, position) => position % 2 === 0).map((date) => ({ date, symbols }));
    const rest = days.filter((_, position) => position % 2 === 1);
    const none = { failed: [], unrecorded: [], unreadable: [], isNothing: false };
    const lacking = { from: "2020-01-01", to: "2024-05-31", days: rest, ...none };
    const lines = describeMissing({ ...lacking, partial }, { where: "", calendar, last: "2024-05-31" }).split("\n");
    expect(lines.length).toBeLessThan(54);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
    expect(lines).toContainEqual(expect.stringMatching(/^and 1,0\d\d more; --json names all$/));
  });

  it("that lie far back and are few are run one by one; files are mended by runs of their days", () => {
    const calendar = createTradingCalendar();
    const none = { days: [], failed: [], partial: [], unrecorded: [], unreadable: [], isNothing: false };
    const range = { from: "2020-01-01", to: "2024-05-31" };
    const report = (lacking: object): string =>
      describeMissing({ ...range, ...none, ...lacking }, { where: "", calendar, last: "2024-05-31" });
    expect(report({ days: ["2020-03-02", "2024-05-31"] })).toMatch(
      /mend them:\n {2}npx asx run --date 2020-03-02\n {2}npx asx run --date 2024-05-31$/,
    );
    const days = calendar.tradingDays("2020-03-02", "2020-03-31");
    const unreadable = [
      { date: "2020-03-05", key: "raw-data/2020-03-05-batch-0.parquet", reason: "it is damaged" },
      { date: null, key: "backfills/2019-01-02_2019-12-31.json", reason: "is damaged; restore it" },
    ];
    expect(report({ days, unreadable })).toMatch(
      /--from 2020-03-02 --to 2020-03-31\nand those .*\n {2}npx asx run --date 2020-03-05\nbackfills\/2019.*: is damaged; restore it$/,
    );
  });
});
