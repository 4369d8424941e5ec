import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Delivery, type RunningSandbox, startSandbox } from "../../sandbox/server.ts";
import { EVENING } from "../support/test-runtime.ts";
import { asx } from "../support/test-terminal.ts";
import { createTinyMarket } from "../support/tiny-market.ts";

const DAY = "2024-05-31";
const WEEK = ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30", DAY];

/** Bars that differ from day to day: the same again would look like an outage. */
const bars = Object.fromEntries(WEEK.map((date, index) => [date, { close: 10 + index / 10, volume: 1_000 + index }]));

let sandbox: RunningSandbox;
let asked: string[];
let delivery: Delivery;
let folder: string;
let store: string;

beforeAll(async () => {
  sandbox = await startSandbox({
    market: createTinyMarket({ bars: { BHP: bars, CBA: bars } }),
    now: () => Date.parse(EVENING),
    delivery: (answer, request) => {
      asked.push(request.ticker ?? "directory");
      return delivery(answer, request);
    },
  });
});
afterAll(() => sandbox.close());

beforeEach(async () => {
  asked = [];
  delivery = async (answer) => answer;
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  store = `file:${folder}`;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function catchUp(...more: string[]) {
  return asx(["catch-up", "--days", "5", "--source", sandbox.url, "--rate", "unlimited", "--store", store, ...more]);
}

async function statusOf(date: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, "runs", `${date}.json`), "utf8")).status;
}

describe("asx catch-up of symbols named by hand", () => {
  it("finds days whole whose runs settled them, and asks for nothing then", async () => {
    const first = await catchUp("--symbols", "BHP");
    expect(first.stdout).toContain("5 of 5 trading days were not whole; 1 request.");
    asked = [];
    const again = await catchUp("--symbols", "BHP");
    expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("nothing was fetched") });
    expect(asked).toEqual([]);
    const other = await catchUp("--symbols", "CBA");
    expect(other.stdout).toContain("5 of 5 trading days were not whole");
    expect(asked.filter((ticker) => ticker.endsWith(".AX"))).toEqual(["CBA.AX"]);
  });
});

describe("asx catch-up", () => {
  it("fills what the days lack in one request a symbol, and says what was not whole and what was filled", async () => {
    const { stdout, exitCode } = await catchUp();
    expect(stdout).toMatch(/^ASX 2024-05-31: whole in .*\. 5 of 5 trading days were not whole; 2 requests\.\n/);
    expect(stdout).toContain("Gap:    2024-05-27: it has no run summary\n");
    expect(stdout).toContain(`Filled: ${WEEK.join(", ")}\n`);
    expect(exitCode).toBe(0);
    expect(asked.filter((ticker) => ticker.endsWith(".AX")).sort()).toEqual(["BHP.AX", "CBA.AX"]);
    for (const date of WEEK) expect(await statusOf(date)).toBe("complete");
  });

  it("with nothing to do says so, ends with 0 and asks nobody, not even for the directory", async () => {
    await catchUp();
    asked.length = 0;
    const { stdout, exitCode } = await catchUp();
    expect(stdout).toBe("ASX 2024-05-31: all 5 trading days of the last 5 days are whole; nothing was fetched.\n");
    expect({ exitCode, asked }).toEqual({ exitCode: 0, asked: [] });
  });

  it("with --reread reads the last sessions again although they are whole", async () => {
    await catchUp();
    asked.length = 0;
    const { stdout, exitCode } = await catchUp("--reread");
    expect(stdout).toContain("0 of 5 trading days were not whole; 2 requests.");
    expect({ exitCode, asked: asked.filter((ticker) => ticker !== "directory").sort() }).toEqual({
      exitCode: 0,
      asked: ["BHP.AX", "CBA.AX"],
    });
  });

  it("runs the last finished day where that was never run, and asks for it alone", async () => {
    await catchUp("--date", "2024-05-30", "--days", "4");
    asked.length = 0;
    const { stdout } = await catchUp();
    expect(stdout).toContain("1 of 5 trading days were not whole");
    expect(stdout).toContain(`Filled: ${DAY}\n`);
    expect(asked.sort()).toEqual(["BHP.AX", "CBA.AX", "directory"]);
  });

  it("names what is left, and ends with 2", async () => {
    delivery = async (answer, { ticker }) =>
      ticker === "CBA.AX" ? { status: 403, contentType: "text/plain", body: "" } : answer;
    const { stdout, exitCode } = await catchUp();
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(/^ASX 2024-05-31: not whole/);
    for (const date of WEEK) {
      expect(stdout).toContain(`Left:   ${date} is partial: npx asx status --date ${date} --store ${store}\n`.trim());
    }
    delivery = async (answer) => answer;
    asked.length = 0;
    expect((await catchUp()).exitCode).toBe(0);
    expect(asked.filter((ticker) => ticker !== "directory")).toEqual(["CBA.AX"]);
  });

  it("with --json prints what was not whole, filled and left, and nothing else", async () => {
    await catchUp("--date", "2024-05-30", "--days", "4");
    const { stdout } = await catchUp("--json");
    expect(JSON.parse(stdout)).toEqual({
      date: DAY,
      tradingDays: 5,
      notWhole: [{ date: DAY, why: "it has no run summary", symbols: 2 }],
      filled: [DAY],
      left: [],
    });
    expect(JSON.parse((await catchUp("--json")).stdout)).toMatchObject({ notWhole: [], left: [] });
  });

  it("of a closed day is of the trading day before it", async () => {
    const { stdout } = await catchUp("--date", "2024-05-26", "--days", "1");
    expect(stdout).toMatch(/^ASX 2024-05-24: /);
  });

  it("ends with 1 where the directory cannot be had", async () => {
    delivery = async (answer, { ticker }) =>
      ticker === undefined ? { status: 404, contentType: "text/html", body: "" } : answer;
    const { stdout, stderr, exitCode } = await catchUp();
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toContain("asx: the run of 2024-05-31 broke off: NoSymbols");
  });

  it.each(["0", "91", "1.5"])("refuses --days %s", async (days) => {
    const { exitCode } = await asx(["catch-up", "--days", days]);
    expect(exitCode).toBe(64);
    expect(asked).toEqual([]);
  });

  it("is no option of asx run any more", async () => {
    expect((await asx(["run", "--catch-up"])).exitCode).toBe(64);
  });
});
