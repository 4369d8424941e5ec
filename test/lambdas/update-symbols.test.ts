import { describe, expect, it } from "vitest";
import { NOTHING_ASKED, type SymbolUpdaterEvent, symbolUpdate } from "../../domain/batch.ts";
import {
  DirectoryRefusedError,
  DirectoryUnavailableError,
  RunUnderWayError,
  SessionNotSettledError,
  StoreUnavailableError,
} from "../../domain/errors.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { takeRunLock } from "../../lambdas/runtime/run-lock.ts";
import type { Environment } from "../../lambdas/runtime/runtime.ts";
import { parseSymbolUpdaterEnvironment } from "../../lambdas/symbol-updater/env.ts";
import { sessionsOf, updateSymbols } from "../../lambdas/symbol-updater/update-symbols.ts";
import { decodeSymbolsCsv, encodeSymbolsCsv } from "../../stores/symbols-csv.ts";
import { createTestRuntime } from "../support/test-runtime.ts";

const DAY = "2024-05-31";
const HTML = "<html><title>Request Rejected</title></html>";

/** What the two addresses of the directory answer, and what was asked of them. */
function setUp(answers: { current: string | number; older?: string | number }, environment: Environment = {}) {
  const asked: string[] = [];
  const runtime = createTestRuntime({
    fetch: async (url) => {
      asked.push(`${url.host}${url.search}`);
      const answer = url.host === "current.test" ? answers.current : (answers.older ?? 404);
      return typeof answer === "number" ? new Response("", { status: answer }) : new Response(answer);
    },
  });
  const config = parseSymbolUpdaterEnvironment({
    ASX_DIRECTORY_URL: "https://current.test/file",
    ASX_OLDER_DIRECTORY_URL: "https://older.test/file.csv",
    ...environment,
  });
  const calendar = createTradingCalendar(config.marketClosures);
  return {
    answers,
    asked,
    runtime,
    update: (event: SymbolUpdaterEvent = { date: DAY }) => updateSymbols(event, { config, calendar, runtime }),
    list: (date: string) => {
      const key = `symbols/${date}-symbols.csv`;
      return decodeSymbolsCsv(key, runtime.store.objects.get(key) ?? new Uint8Array());
    },
    async store(date: string, symbols: readonly string[]) {
      const listings = symbols.map((symbol) => ({
        symbol,
        name: "",
        industryGroup: "",
        listingDate: null,
        marketCap: null,
      }));
      await runtime.store.put(`symbols/${date}-symbols.csv`, encodeSymbolsCsv(listings));
    },
  };
}

function directory(...symbols: readonly string[]): string {
  return [
    "ASX code,Company name,GICs industry group,Listing date,Market Cap",
    ...symbols.map((code) => `${code},${code} LIMITED,Banks,01/02/2003,5`),
  ].join("\n");
}

function codes(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `C${String(index).padStart(4, "0")}`);
}

describe("the symbol updater", () => {
  it("stores the directory as a list and returns the message of the contract", async () => {
    const { update, runtime } = setUp({ current: directory("CBA", "BHP", "14D") }, { BATCH_SIZE: "2" });
    const message = await update();
    expect(message).toEqual({
      date: DAY,
      tradingDay: true,
      sessions: [DAY],
      symbols: ["14D", "BHP", "CBA"],
      symbolBatches: [
        { symbols: ["14D", "BHP"], batchNumber: 0 },
        { symbols: ["CBA"], batchNumber: 1 },
      ],
      lanes: [[0], [1]],
      catchUp: false,
      fill: null,
      metadata: {
        totalSymbols: 3,
        numBatches: 2,
        batchSize: 2,
        isLatest: true,
        s3Key: `symbols/${DAY}-symbols.csv`,
        source: "asx-directory",
        changes: { comparedTo: null, added: [], removed: [] },
        warnings: [],
      },
    });
    expect(new TextDecoder().decode(runtime.store.objects.get(`symbols/${DAY}-symbols.csv`))).toBe(
      "symbol,name,industry_group,listing_date,market_cap\n" +
        "14D,14D LIMITED,Banks,2003-02-01,5\nBHP,BHP LIMITED,Banks,2003-02-01,5\nCBA,CBA LIMITED,Banks,2003-02-01,5\n",
    );
  });

  it("reports what was added and removed against the last list before the date", async () => {
    const { update, store } = setUp({ current: directory("BHP", "NEW", ...codes(40)) });
    await store("2024-05-29", ["OLD"]);
    await store("2024-05-30", ["BHP", "GON", ...codes(40)]);
    await store("2024-06-03", ["FUT"]);
    expect((await update()).metadata.changes).toEqual({ comparedTo: "2024-05-30", added: ["NEW"], removed: ["GON"] });
  });

  it("adds the configured symbols, once", async () => {
    const { update, list } = setUp({ current: directory("BHP") }, { EXTRA_SYMBOLS: "VAS, IVV,BHP" });
    expect((await update()).symbols).toEqual(["BHP", "IVV", "VAS"]);
    expect(list(DAY).map(({ symbol, name }) => [symbol, name])).toEqual([
      ["BHP", "BHP LIMITED"],
      ["IVV", ""],
      ["VAS", ""],
    ]);
  });

  it("merges and reports duplicated codes", async () => {
    const { update, list } = setUp({ current: `${directory("BHP")}\nBHP,SECOND,,,7` });
    const { symbols, metadata } = await update();
    expect(symbols).toEqual(["BHP"]);
    expect(list(DAY)[0]).toMatchObject({ name: "BHP LIMITED", marketCap: 5 });
    expect(metadata.warnings).toEqual([expect.stringContaining('"BHP"')]);
  });

  it("leaves out and reports codes that are none", async () => {
    const { update } = setUp({ current: `${directory("BHP")}\n../../x,Traversal,,,` });
    const { symbols, metadata } = await update();
    expect(symbols).toEqual(["BHP"]);
    expect(metadata.warnings).toEqual([expect.stringContaining("../../x")]);
  });

  it("sends the access token to the current address only, and never logs it", async () => {
    const { update, asked, runtime } = setUp({ current: 403, older: HTML }, { ASX_DIRECTORY_ACCESS_TOKEN: "secret" });
    const error: unknown = await update().catch((thrown: unknown) => thrown);
    expect(asked).toEqual(["current.test?access_token=secret", "older.test"]);
    expect(`${String(error)} ${runtime.logs.join(" ")}`).not.toContain("secret");
  });
});

describe("a directory that cannot be had", () => {
  it.each([
    ["does not exist", 404],
    ["is refused", 403],
    ["is down", 503],
    ["is HTML with status 200", HTML],
    ["is empty", ""],
    ["is a header and no more", directory()],
    ["is no CSV", 'ASX code,Company name\nBHP,"never closed'],
  ])("at the current address, because it %s, comes from the older one, with a warning", async (_, current) => {
    const { update } = setUp({
      current,
      older:
        "ASX listed companies as at Fri May 31\n\nCompany name,ASX code,GICS industry group\nBHP LIMITED,BHP,Banks",
    });
    const { symbols, metadata } = await update();
    expect(symbols).toEqual(["BHP"]);
    expect(metadata.source).toBe("asx-directory");
    expect(metadata.warnings).toEqual([expect.stringContaining("current.test")]);
  });

  it("at either address is replaced by the newest stored list of the last seven days, with a warning", async () => {
    const { update, store, runtime } = setUp({ current: HTML, older: 404 });
    await store("2024-05-20", ["OLD"]);
    await store("2024-05-24", ["BHP", "CBA"]);
    const { symbols, metadata } = await update();
    expect(symbols).toEqual(["BHP", "CBA"]);
    expect(metadata).toMatchObject({ source: "stored", s3Key: "symbols/2024-05-24-symbols.csv" });
    expect(metadata.warnings.at(-1)).toContain("2024-05-24");
    expect(runtime.store.objects.has(`symbols/${DAY}-symbols.csv`)).toBe(false);
  });

  it("at either address is an error where the newest stored list is older, and nothing is written", async () => {
    const { update, store, runtime } = setUp({ current: HTML, older: 404 });
    await store("2024-05-23", ["BHP"]);
    await expect(update()).rejects.toThrow(DirectoryUnavailableError);
    await expect(update()).rejects.toThrow("2024-05-23");
    expect([...runtime.store.objects.keys()]).toEqual(["symbols/2024-05-23-symbols.csv"]);
  });

  it("for a passing reason is asked for three times at each address", async () => {
    const { update, asked } = setUp({ current: 503, older: 500 });
    await expect(update()).rejects.toThrow("HTTP 503");
    expect(asked).toEqual(["current.test", "current.test", "current.test", "older.test", "older.test", "older.test"]);
  });
});

describe("a directory that is much smaller than the stored list", () => {
  it.each([95, 96, 100, 130])("is accepted at %i of 100 symbols", async (size) => {
    const { update, store } = setUp({ current: directory(...codes(size)) });
    await store("2024-05-30", codes(100));
    expect((await update()).metadata.totalSymbols).toBe(size);
  });

  it("below 95 of 100 is not taken at the current address where the older one has more, with a warning", async () => {
    const { update, store, list } = setUp({ current: directory(...codes(94)), older: directory(...codes(97)) });
    await store("2024-05-30", codes(100));
    const { symbols, metadata } = await update();
    expect(symbols).toHaveLength(97);
    expect(list(DAY)).toHaveLength(97);
    expect(metadata).toMatchObject({ source: "asx-directory", s3Key: `symbols/${DAY}-symbols.csv` });
    expect(metadata.warnings).toEqual([
      expect.stringContaining("current.test has 94 symbols, 6.0 % fewer than the 100"),
    ]);
  });

  it.each([
    ["the older is as small", directory(...codes(94))],
    ["the older is gone", 404],
    ["the older is HTML", HTML],
  ])("is replaced by a stored list of the last seven days where %s, and nothing is written", async (_, older) => {
    const { update, store, runtime } = setUp({ current: directory(...codes(94)), older });
    await store("2024-05-24", codes(100));
    const before = [...runtime.store.objects];
    const { symbols, metadata } = await update();
    expect(symbols).toEqual(codes(100));
    expect(metadata).toMatchObject({ source: "stored", s3Key: "symbols/2024-05-24-symbols.csv" });
    expect([...runtime.store.objects]).toEqual(before);
    expect(runtime.measured.has("symbolsListed")).toBe(false);
  });

  it("is warned of with its numbers, and with how to accept it", async () => {
    const { update, store, runtime } = setUp({ current: directory(...codes(94)), older: directory("BHP") });
    await store("2024-05-30", codes(100));
    const { warnings } = (await update()).metadata;
    const accepting =
      "truncated and was not taken. If it is right, run again with --accept-directory (acceptDirectory in";
    expect(warnings).toEqual([
      expect.stringContaining(
        "from current.test has 94 symbols, 6.0 % fewer than the 100 stored for 2024-05-30: it looks",
      ),
      expect.stringContaining(
        "from older.test has 1 symbols, 99.0 % fewer than the 100 stored for 2024-05-30: it looks",
      ),
      "no directory could be had: using the stored list of 2024-05-30",
    ]);
    for (const warning of warnings.slice(0, 2)) expect(warning).toContain(accepting);
    for (const warning of warnings) expect(runtime.logs).toContain(`warn ${warning}`);
  });

  it("is compared with the extra symbols counted on both sides, as they were stored", async () => {
    const extra = codes(100).slice(90);
    const { update, store } = setUp({ current: directory(...codes(86)) }, { EXTRA_SYMBOLS: extra.join(",") });
    await store("2024-05-30", codes(100));
    expect((await update()).metadata).toMatchObject({ source: "asx-directory", totalSymbols: 96 });
  });

  it("ends the update where the stored list is older than seven days, and nothing is written", async () => {
    const { update, store, runtime } = setUp({ current: directory(...codes(94)), older: 404 });
    await store("2024-05-23", codes(100));
    await expect(update()).rejects.toThrow(DirectoryRefusedError);
    await expect(update()).rejects.toThrow("94 symbols, 6.0 % fewer than the 100 stored for 2024-05-23");
    await expect(update()).rejects.toThrow("--accept-directory");
    expect([...runtime.store.objects.keys()]).toEqual(["symbols/2024-05-23-symbols.csv"]);
  });

  it("is accepted where the event says so", async () => {
    const { update, store } = setUp({ current: directory("BHP") });
    await store("2024-05-30", codes(100));
    expect((await update({ date: DAY, acceptDirectory: true })).symbols).toEqual(["BHP"]);
  });

  it("keeps the batches of a date that is run again as they were", async () => {
    const { update, answers } = setUp({ current: directory(...codes(100)) });
    const before = await update();
    answers.current = directory(...codes(10).reverse());
    const after = await update();
    expect(after.symbolBatches).toEqual(before.symbolBatches);
  });

  it("ends the update of an earlier date too, where only later lists are stored", async () => {
    const { update, store } = setUp({ current: directory("BHP") });
    await store("2024-06-05", codes(100));
    await expect(update()).rejects.toThrow(DirectoryRefusedError);
  });
});

describe("updating a date again", () => {
  it("keeps every symbol in its place and puts new ones at the end", async () => {
    const { update, answers, list } = setUp({ current: directory("CBA", "RIO", ...codes(40)) });
    const before = await update();
    answers.current = directory("AAA", "CBA", ...codes(40));
    const after = await update();
    expect(after.symbols).toEqual([...before.symbols, "AAA"]);
    expect(list(DAY).map(({ symbol }) => symbol)).toEqual(after.symbols);
  });

  it("with the same directory writes the same list", async () => {
    const { update, runtime } = setUp({ current: directory("CBA", "RIO") });
    const before = await update();
    const bytes = runtime.store.objects.get(`symbols/${DAY}-symbols.csv`);
    expect(await update()).toEqual(before);
    expect(runtime.store.objects.get(`symbols/${DAY}-symbols.csv`)).toEqual(bytes);
  });
});

describe("the date of an update", () => {
  it.each([
    ["2024-05-31T18:59:59+10:00", "2024-05-30"],
    ["2024-05-31T19:00:00+10:00", "2024-05-31"],
    ["2024-06-02T12:00:00+10:00", "2024-05-31"],
    ["2024-04-02T09:00:00+11:00", "2024-03-28"],
    ["2024-01-02T08:00:00Z", "2024-01-02"],
    ["2024-01-02T07:59:59Z", "2023-12-29"],
  ])("at %s is by default %s, the last finished trading day", async (instant, date) => {
    const { update, runtime } = setUp({ current: directory("BHP") });
    runtime.clock.set(instant);
    expect((await update({})).date).toBe(date);
  });

  it.each(["2024-06-01", "2024-04-25", "2030-12-25"])(
    "%s has no session: no batches, and nothing is asked or written",
    async (date) => {
      const { update, asked, runtime } = setUp({ current: directory("BHP") });
      expect(await update({ date })).toMatchObject({
        tradingDay: false,
        symbols: [],
        symbolBatches: [],
        metadata: { totalSymbols: 0, numBatches: 0, source: "none", s3Key: null },
      });
      expect(asked).toEqual([]);
      expect(runtime.store.calls).toEqual([]);
    },
  );

  it("has no session where the user added a closure", async () => {
    const { update } = setUp({ current: directory("BHP") }, { MARKET_CLOSURES: `2024-05-30,${DAY}` });
    expect(await update()).toMatchObject({ tradingDay: false });
  });

  it("whose prices have not settled is refused with the time from which it can be run", async () => {
    const { update } = setUp({ current: directory("BHP") });
    await expect(update({ date: "2024-06-03" })).rejects.toThrow(SessionNotSettledError);
    await expect(update({ date: "2024-06-03" })).rejects.toThrow("from 19:00 in Sydney");
  });
});

describe("the sessions of an update that catches up", () => {
  it.each([
    ["over two weekends", "2024-06-04", ["2024-05-29", "2024-05-30", "2024-05-31", "2024-06-03", "2024-06-04"]],
    ["over a weekend", DAY, ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30", DAY]],
    ["over Easter", "2024-04-03", ["2024-03-26", "2024-03-27", "2024-03-28", "2024-04-02", "2024-04-03"]],
    ["over ANZAC Day", "2024-04-26", ["2024-04-19", "2024-04-22", "2024-04-23", "2024-04-24", "2024-04-26"]],
  ])("are the last five trading days, the date last: %s", async (_, date, sessions) => {
    const { update, runtime } = setUp({ current: directory("BHP") });
    runtime.clock.set("2024-06-05T09:00:00+10:00");
    expect(await update({ date, catchUp: true })).toMatchObject({ date, sessions, catchUp: true });
  });

  it("leave out a day that the user closed", async () => {
    const { update } = setUp({ current: directory("BHP") }, { MARKET_CLOSURES: "2024-05-29" });
    expect((await update({ date: DAY, catchUp: true })).sessions).toEqual([
      ...["2024-05-24", "2024-05-27", "2024-05-28", "2024-05-30", DAY],
    ]);
  });

  it("are those that a caller can know before: the five up to a date, or the date alone", () => {
    const calendar = createTradingCalendar();
    const week = ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30", DAY];
    expect(sessionsOf({ catchUp: true }, DAY, calendar)).toEqual(week);
    expect(sessionsOf({ catchUp: false }, DAY, calendar)).toEqual([DAY]);
    expect(sessionsOf({}, DAY, calendar)).toEqual([DAY]);
  });

  it("are the date alone on a closed day", async () => {
    const { update } = setUp({ current: directory("BHP") });
    expect(await update({ date: "2024-04-25", catchUp: true })).toMatchObject({ sessions: ["2024-04-25"], lanes: [] });
  });
});

describe("the lanes of an update", () => {
  it("deal the batches out evenly among as many workers as are allowed", async () => {
    const { update } = setUp({ current: directory(...codes(7)) }, { BATCH_SIZE: "1", MAX_CONCURRENCY: "3" });
    expect((await update()).lanes).toEqual([
      [0, 3, 6],
      [1, 4],
      [2, 5],
    ]);
  });

  it("are no more than there are batches", async () => {
    const { update } = setUp({ current: directory("BHP", "CBA") }, { BATCH_SIZE: "1", MAX_CONCURRENCY: "10" });
    expect((await update()).lanes).toEqual([[0], [1]]);
  });
});

describe("the run of an update", () => {
  const LOCK = `runs/${DAY}.lock`;
  const FIRST = { id: "arn:execution:first", attempt: 1, upstream: NOTHING_ASKED };
  const SECOND = { ...FIRST, id: "arn:execution:second" };

  it("holds the date from then on: a second run is refused, told by whom, before anything is asked or written", async () => {
    const { update, asked, runtime } = setUp({ current: directory("BHP") });
    expect(await update({ date: DAY, run: FIRST })).toMatchObject({ run: FIRST });
    asked.length = 0;
    const stored = [...runtime.store.objects];
    await expect(update({ date: DAY, run: SECOND })).rejects.toThrow(RunUnderWayError);
    await expect(update({ date: DAY, run: SECOND })).rejects.toThrow(
      "2024-05-31 is being run by the execution arn:execution:first since 2024-05-31T09:30:00.000Z",
    );
    expect(asked).toEqual([]);
    expect([...runtime.store.objects]).toEqual(stored);
  });

  it("may try again itself", async () => {
    const { update } = setUp({ current: directory("BHP") });
    const first = await update({ date: DAY, run: FIRST });
    expect(await update({ date: DAY, run: FIRST })).toEqual(first);
  });

  it("that catches up holds all of its sessions, and no other date", async () => {
    const { update } = setUp({ current: directory("BHP") });
    await update({ date: DAY, run: FIRST, catchUp: true });
    for (const date of ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30", DAY]) {
      await expect(update({ date, run: SECOND })).rejects.toThrow(
        `${date} is being run by the execution arn:execution:first`,
      );
    }
    await expect(update({ date: "2024-05-24", run: SECOND })).resolves.toMatchObject({ date: "2024-05-24" });
  });

  it("that catches up leaves a session before its date to the run that holds it", async () => {
    const { update } = setUp({ current: directory("BHP") });
    await update({ date: "2024-05-29", run: SECOND });
    const { sessions, metadata } = await update({ date: DAY, run: FIRST, catchUp: true });
    expect(sessions).toEqual(["2024-05-27", "2024-05-28", "2024-05-30", DAY]);
    expect(metadata.warnings).toEqual([
      expect.stringContaining("2024-05-29 is left to the run that has it: 2024-05-29 is being run by"),
    ]);
  });

  it("that catches up is refused where another run holds its date, and keeps none of the others", async () => {
    const { update, asked, runtime } = setUp({ current: directory("BHP") });
    await takeRunLock(runtime.store, DAY, { run: "another" }, { clock: runtime.clock, expiresAfterMs: 60_000 });
    await expect(update({ date: DAY, run: FIRST, catchUp: true })).rejects.toThrow(`${DAY} is being run by`);
    expect(asked).toEqual([]);
    expect(runtime.store.objects.has(`symbols/${DAY}-symbols.csv`)).toBe(false);
    for (const date of ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30"]) {
      await expect(update({ date, run: { ...SECOND, id: "arn:execution:third" } })).resolves.toMatchObject({ date });
    }
  });

  it("that catches up gives all of its sessions free where the update fails", async () => {
    const { update, answers } = setUp({ current: HTML, older: HTML });
    await expect(update({ date: DAY, run: FIRST, catchUp: true })).rejects.toThrow(DirectoryUnavailableError);
    answers.current = directory("BHP");
    await expect(update({ date: DAY, run: SECOND, catchUp: true })).resolves.toMatchObject({ symbols: ["BHP"] });
  });

  it("does not keep another date", async () => {
    const { update } = setUp({ current: directory("BHP") });
    await update({ date: DAY, run: FIRST });
    await expect(update({ date: "2024-05-30", run: SECOND })).resolves.toMatchObject({ date: "2024-05-30" });
  });

  it("gives the date free where the update fails, and keeps the error", async () => {
    const { update, answers } = setUp({ current: HTML, older: HTML });
    await expect(update({ date: DAY, run: FIRST })).rejects.toThrow(DirectoryUnavailableError);
    answers.current = directory("BHP");
    await expect(update({ date: DAY, run: SECOND })).resolves.toMatchObject({ symbols: ["BHP"] });
  });

  it("keeps the update's error where the date cannot be given free either", async () => {
    const { update, runtime } = setUp({ current: HTML, older: HTML });
    const replace = runtime.store.replace.bind(runtime.store);
    let writes = 0;
    runtime.store.replace = async (...args) => {
      writes += 1;
      if (writes > 1) throw new StoreUnavailableError("the store is away");
      await replace(...args);
    };
    await expect(update({ date: DAY, run: FIRST })).rejects.toThrow(DirectoryUnavailableError);
    expect(runtime.logs).toContain("warn the store is away");
  });

  it("that has died holds the date for half an hour", async () => {
    const { update, runtime } = setUp({ current: directory("BHP") });
    await update({ date: DAY, run: FIRST });
    runtime.clock.set("2024-05-31T19:59:59+10:00");
    await expect(update({ date: DAY, run: SECOND })).rejects.toThrow(RunUnderWayError);
    runtime.clock.set("2024-05-31T20:00:00+10:00");
    await expect(update({ date: DAY, run: SECOND })).resolves.toMatchObject({ run: SECOND });
  });

  it("takes no lock on a closed day, nor before the session has settled", async () => {
    const { update, runtime } = setUp({ current: directory("BHP") });
    await update({ date: "2024-04-25", run: FIRST });
    await expect(update({ date: "2024-06-03", run: FIRST })).rejects.toThrow(SessionNotSettledError);
    expect(runtime.store.objects.size).toBe(0);
  });

  it("is not needed: an update without one takes no lock", async () => {
    const { update, runtime } = setUp({ current: directory("BHP") });
    const message = await update();
    expect(Object.hasOwn(message, "run")).toBe(false);
    expect(runtime.store.objects.has(LOCK)).toBe(false);
  });
});

describe("an update of named symbols", () => {
  it("asks for no directory and writes no list", async () => {
    const { update, asked, runtime } = setUp({ current: directory("BHP") });
    const message = await update({ date: DAY, symbols: ["CBA", "BHP", "CBA"] });
    expect(message).toMatchObject({
      symbols: ["CBA", "BHP"],
      metadata: { source: "event", s3Key: null, totalSymbols: 2 },
    });
    expect(asked).toEqual([]);
    expect(runtime.store.objects.size).toBe(0);
  });
});

describe("the message of an update", () => {
  it("stays below half of the workflow's 256 KiB at 5,000 symbols that are all new", async () => {
    const { update, store } = setUp({ current: directory(...codes(5000)) });
    await store("2024-05-30", ["BHP"]);
    const message = symbolUpdate.parse(await update());
    expect(message.metadata.changes.added).toHaveLength(5000);
    expect(JSON.stringify(message).length).toBeLessThan(128 * 1024);
  });
});

describe("a bad environment", () => {
  it.each([
    ["BATCH_SIZE", "0", "from 1 to 1000"],
    ["BATCH_SIZE", "ten", "from 1 to 1000"],
    ["MAX_CONCURRENCY", "41", "from 1 to 40"],
    ["EXTRA_SYMBOLS", "VAS,no!", "ASX code"],
    ["MARKET_CLOSURES", "2024-02-30", "YYYY-MM-DD"],
    ["ASX_DIRECTORY_URL", "ftp://host/file", "http"],
    ["ASX_DIRECTORY_URL", "https://user:pass@host/", "credentials"],
    ["USER_AGENT", "two\nlines", "printable"],
  ])("with %s=%j is refused with what is allowed", (name, value, allowed) => {
    const parse = () => parseSymbolUpdaterEnvironment({ [name]: value });
    expect(parse).toThrow(name);
    expect(parse).toThrow(allowed);
  });
});
