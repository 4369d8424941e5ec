/**
 * Every query of the library on the real days of 2024, against a computation of the test's own from the CSVs. Ten days are
 * stored by the daily run itself over the recorded market, with the exchange's directory; the others by the daily run's
 * writer with every code of the CSV, most of them with a run summary. Two days are left out, to be missing.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Aggregator, type BarRow } from "../../aggregator/index.ts";
import { runDailyWorkflow } from "../../cli/daily-workflow.ts";
import type { Bar } from "../../domain/bar.ts";
import type { SymbolReport } from "../../domain/batch.ts";
import { rawDataKey } from "../../domain/object-keys.ts";
import type { BatchEntry } from "../../domain/run-summary.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { createReplayMarket } from "../../sandbox/replay-market.ts";
import { SANDBOX_PATHS } from "../../sandbox/server.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { sha256 } from "../../stores/sha256.ts";
import { hasRealData, readRealData, realDataFiles, realDataPath } from "../support/real-data.ts";
import { storeSummary } from "../support/stored-summary.ts";
import { createTestClock } from "../support/test-clock.ts";
import { createTestRuntime } from "../support/test-runtime.ts";
import { sandboxFetch } from "../support/tiny-market.ts";

const DIRECTORY = "asx-directory/old-2026-04-01.csv";
const NOW = "2026-11-21T09:00:00+11:00";
const RUN_EVERY = 11;
/** Trading days that are not stored, one without a run summary, and one on which symbols failed. */
const LEFT_OUT = ["2024-02-14", "2024-04-03"];
const UNRECORDED = "2024-03-06";
const PARTIAL = "2024-03-07";
const FAILED_SYMBOLS = ["XYZ", "ZZZ"];
/** Two batches a day for the days that the writer stores. */
const BATCH_SIZE = 1_200;

/** One line of a CSV. */
interface Line {
  readonly symbol: string;
  readonly date: string;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

let folder: string;
let asx: Aggregator;
/** What is stored, by date and symbol, as the CSVs have it. */
const model = new Map<string, Map<string, Line>>();
let directory: Map<string, { name: string; group: string }>;
let runDates: string[];

beforeAll(async () => {
  if (!hasRealData) return;
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  directory = listedCompanies();
  const all = realDataFiles("asx-eod/2024")
    .filter((name) => /^\d{8}\.csv$/.test(name))
    .sort()
    .map((name) => `${name.slice(0, 4)}-${name.slice(4, 6)}-${name.slice(6, 8)}`);
  const dates = all.filter((date) => !LEFT_OUT.includes(date));
  runDates = dates.filter((date, at) => at % RUN_EVERY === 0 && date !== UNRECORDED && date !== PARTIAL);
  await storeByRuns(runDates); // first: a run compares its day with those that are stored, and they hold more codes
  for (const date of dates) {
    const lines = recordedDay(date);
    if (runDates.includes(date)) for (const symbol of lines.keys()) if (!directory.has(symbol)) lines.delete(symbol);
    model.set(date, lines);
    if (!runDates.includes(date)) await storeDay(date, [...lines.values()]);
  }
  asx = await Aggregator.open(`file:${folder}`, { cacheDir: join(folder, "cache"), now: () => Date.parse(NOW) });
}, 300_000);
afterAll(async () => {
  if (!hasRealData) return;
  await asx.close();
  await rm(folder, { recursive: true, force: true });
});

/** A day's CSV, with nothing of ours: the first line of each code whose prices and volume can be. */
function recordedDay(date: string): Map<string, Line> {
  const text = new TextDecoder().decode(readRealData(`asx-eod/2024/${date.replaceAll("-", "")}.csv`));
  const lines = new Map<string, Line>();
  for (const row of text.trim().split(/\r?\n/)) {
    const [symbol = "", , ...values] = row.split(",");
    const [open = 0, high = 0, low = 0, close = 0, volume = 0] = values.map(Number);
    const isPossible = low > 0 && low <= Math.min(open, close) && high >= Math.max(open, close);
    if (/^[A-Z0-9]{3,6}$/.test(symbol) && isPossible && Number.isInteger(volume) && !lines.has(symbol)) {
      lines.set(symbol, { symbol, date, open, high, low, close, volume });
    }
  }
  return lines;
}

/** The directory's companies by code, with nothing of ours. */
function listedCompanies(): Map<string, { name: string; group: string }> {
  const text = new TextDecoder().decode(readRealData(DIRECTORY));
  const rows = text.matchAll(/^"([^"]*)","([A-Z0-9]+)","([^"]*)"\s*$/gm);
  return new Map(Array.from(rows, ([, name = "", code = "", group = ""]) => [code, { name, group }]));
}

async function storeByRuns(dates: readonly string[]): Promise<void> {
  const clock = createTestClock(NOW);
  const market = createReplayMarket({ folder: realDataPath("asx-eod"), directoryFile: realDataPath(DIRECTORY) });
  const { fetch } = sandboxFetch(market, clock.now);
  for (const date of dates) {
    const { error } = await runDailyWorkflow(
      { date },
      {
        environment: {
          ASX_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.directory}`,
          YAHOO_URL: "http://sandbox",
          REQUESTS_PER_SECOND: "unlimited",
        },
        runtime: { ...createTestRuntime({ clock, fetch }), store: createLocalStore(folder) },
        maxConcurrency: 10,
        onNotification: () => undefined,
        retryDelayMs: 0,
        run: "replay",
        longestRedriveWaitMs: 0,
      },
    );
    expect(error).toBeUndefined();
  }
}

async function storeDay(date: string, lines: readonly Line[]): Promise<void> {
  const store = createLocalStore(folder);
  const batches: BatchEntry[] = [];
  for (let at = 0; at < lines.length; at += BATCH_SIZE) {
    const batchNumber = batches.length;
    const bars = lines.slice(at, at + BATCH_SIZE).map((line): Bar => {
      const rest = { adjustedClose: null, dividend: null, splitRatio: null, batchNumber };
      return { ...line, ...rest, fetchTimestamp: Date.parse(`${date}T09:30:00Z`) };
    });
    const bytes = await encodeBatchFile({ bars, reports: [] });
    const key = rawDataKey({ date, batchNumber });
    await store.put(key, bytes);
    batches.push({ batchNumber, key, rows: bars.length, bytes: bytes.length, sha256: sha256(bytes), durationMs: 1 });
  }
  if (date === UNRECORDED) return;
  const failed = date === PARTIAL ? FAILED_SYMBOLS : [];
  const outcomes = [
    ...lines.map(({ symbol }): SymbolReport => ({ symbol, outcome: "fetched" })),
    ...failed.map((symbol): SymbolReport => ({ symbol, outcome: "failed", reason: "HTTP 503" })),
  ];
  await storeSummary(store, date, outcomes, { batches, status: failed.length === 0 ? "complete" : "partial" });
}

/** The lines of the model that a test picks, by symbol and date, as the library orders rows. */
function lines(pick: (line: Line) => boolean = () => true): Line[] {
  const found = [...model.values()].flatMap((day) => [...day.values()].filter(pick));
  return found.sort((one, other) =>
    one.symbol === other.symbol ? (one.date < other.date ? -1 : 1) : one.symbol < other.symbol ? -1 : 1,
  );
}

/** A row less what the CSVs do not have. */
function lineOf({ symbol, date, open, high, low, close, volume }: BarRow): Line {
  return { symbol, date, open, high, low, close, volume };
}

describe.skipIf(!hasRealData)("the real days of 2024", () => {
  it("are a hundred, ten of them stored by the daily run", () => {
    expect(model.size).toBe(105 - LEFT_OUT.length);
    expect(runDates.length).toBeGreaterThanOrEqual(9);
    expect(lines().length).toBeGreaterThan(200_000);
  });

  it("loadDate gives each day's bars, of the daily run and of the writer alike", async () => {
    for (const date of [...runDates, UNRECORDED, PARTIAL, "2024-01-03", "2024-05-30"]) {
      const bars = await asx.loadDate(date);
      expect(bars.toRows().map(lineOf)).toEqual(lines((line) => line.date === date));
    }
  });

  it("loadDateRange has both ends", async () => {
    const [from, to] = ["2024-02-09", "2024-03-08"];
    const bars = await asx.loadDateRange(from, to);
    expect(bars.toRows().map(lineOf)).toEqual(lines(({ date }) => date >= from && date <= to));
    expect(bars.coverage.missing).toEqual(["2024-02-14"]);
    expect(bars.coverage.unrecorded).toEqual([UNRECORDED]);
    expect(bars.coverage.partial).toEqual([PARTIAL]);
    expect(bars.coverage.isComplete).toBe(false);
  });

  it("loadDateRange has the symbols and columns asked for", async () => {
    const bars = await asx.loadDateRange("2024-01-26", "2024-05-31", {
      symbols: ["CBA", "BHP", "14D", "NONE"],
      columns: ["close", "volume"],
    });
    const expected = lines(({ symbol, date }) => ["14D", "BHP", "CBA"].includes(symbol) && date >= "2024-01-26");
    expect(bars.toRows()).toEqual(expected.map(({ symbol, date, close, volume }) => ({ symbol, date, close, volume })));
    expect(bars.symbols).toEqual(["14D", "BHP", "CBA"]);
    expect([...bars.columns.keys()]).toEqual(["symbol", "date", "close", "volume"]);
  });

  it("loadSymbols has all dates, and of() and head() their part", async () => {
    const bars = await asx.loadSymbols(["WOW", "bhp"]);
    const expected = lines(({ symbol }) => symbol === "BHP" || symbol === "WOW");
    expect(bars.toRows().map(lineOf)).toEqual(expected);
    const wow = expected.filter(({ symbol }) => symbol === "WOW");
    expect(bars.of("WOW").toRows().map(lineOf)).toEqual(wow);
    expect([...bars.of("WOW").close]).toEqual(wow.map(({ close }) => close));
    expect(bars.head(3).toRows().map(lineOf)).toEqual(expected.slice(0, 3));
    expect(bars.of("ZZZ").length).toBe(0);
  });

  it("loadAll has every bar, in its column's arrays too", async () => {
    const bars = await asx.loadAll();
    const expected = lines();
    expect(bars.length).toBe(expected.length);
    expect(bars.symbol).toEqual(expected.map(({ symbol }) => symbol));
    expect([...bars.date]).toEqual(expected.map(({ date }) => Date.parse(date) / 86_400_000));
    for (const name of ["open", "high", "low", "close", "volume"] as const) {
      expect([...bars[name]]).toEqual(expected.map((line) => line[name]));
    }
  });

  it("describe tells of a column what its values are", async () => {
    const bars = await asx.loadDate("2024-05-31", { columns: ["close"] });
    const closes = lines(({ date }) => date === "2024-05-31").map(({ close }) => close);
    const sorted = closes.toSorted((one, other) => one - other);
    const mean = closes.reduce((sum, close) => sum + close, 0) / closes.length;
    const description = bars
      .describe()
      .toRows()
      .find((row) => Object.values(row).includes("close"));
    expect(description).toMatchObject({ count: closes.length, minimum: sorted[0], maximum: sorted.at(-1) });
    expect(Object.entries(description ?? {}).find(([name]) => name === "mean")?.[1]).toBeCloseTo(mean, 9);
  });

  it("sql counts, and finds the first and last bars by date", async () => {
    const rows = await asx.sql(
      "SELECT date, count(*) AS n, min(low) AS low, max(high) AS high, sum(volume) AS volume FROM bars GROUP BY date ORDER BY date",
    );
    const expected = Array.from(model, ([date, day]) => {
      const all = [...day.values()];
      return {
        date,
        n: all.length,
        low: all.reduce((least, { low }) => Math.min(least, low), Number.POSITIVE_INFINITY),
        high: all.reduce((most, { high }) => Math.max(most, high), 0),
        volume: all.reduce((sum, { volume }) => sum + volume, 0),
      };
    });
    expect(rows.toRows()).toEqual(expected.sort((one, other) => (one.date < other.date ? -1 : 1)));
    expect((await asx.sql("SELECT min(date) AS first, max(date) AS last, count(*) AS n FROM bars")).toRows()).toEqual([
      { first: "2024-01-02", last: "2024-05-31", n: lines().length },
    ]);
  });

  it("sql groups and averages, with parameters", async () => {
    const table = await asx.sql(
      "SELECT symbol, avg(close) AS mean, count(*) AS n FROM bars WHERE date >= $1 AND date < $2 AND close > $3 GROUP BY symbol ORDER BY symbol",
      ["2024-03-01", "2024-04-01", 10],
    );
    const picked = lines(({ date, close }) => date >= "2024-03-01" && date < "2024-04-01" && close > 10);
    const expected = [...Map.groupBy(picked, ({ symbol }) => symbol)];
    const rows = table.toRows();
    expect(rows.map(({ symbol, n }) => [symbol, n])).toEqual(expected.map(([symbol, { length }]) => [symbol, length]));
    for (const [index, [, bars]] of expected.entries()) {
      const mean = bars.reduce((sum, { close }) => sum + close, 0) / bars.length;
      expect(Math.abs(Number(rows[index]?.["mean"]) / mean - 1)).toBeLessThan(1e-12);
    }
  });

  it("sql joins bars with runs and symbols", async () => {
    const table = await asx.sql(
      `SELECT s.industry_group AS industry, count(*) AS n, sum(b.volume) AS volume
       FROM bars b JOIN runs r USING (date) JOIN symbols s USING (symbol)
       WHERE r.status = $1 AND b.date BETWEEN $2 AND $3 GROUP BY 1 ORDER BY 1`,
      ["complete", "2024-03-01", "2024-03-15"],
    );
    const picked = lines(
      ({ symbol, date }) =>
        date >= "2024-03-01" &&
        date <= "2024-03-15" &&
        date !== UNRECORDED &&
        date !== PARTIAL &&
        directory.has(symbol),
    );
    const expected = [...Map.groupBy(picked, ({ symbol }) => directory.get(symbol)?.group ?? "")]
      .map(([industry, all]) => ({ industry, n: all.length, volume: all.reduce((sum, { volume }) => sum + volume, 0) }))
      .sort((one, other) => (one.industry < other.industry ? -1 : 1));
    expect(table.toRows()).toEqual(expected);
  });

  it("sql shifts rows within a symbol", async () => {
    const query = `SELECT date, close - lag(close) OVER (ORDER BY date) AS change FROM bars WHERE symbol = 'BHP' ORDER BY date`;
    const bhp = lines(({ symbol }) => symbol === "BHP");
    expect((await asx.sql(query)).toRows()).toEqual(
      bhp.map(({ date, close }, at) => ({ date, change: at === 0 ? null : close - (bhp[at - 1]?.close ?? 0) })),
    );
  });

  it("dates, dateRange and latestDate tell what is stored", async () => {
    const dates = await asx.dates();
    expect(dates.map(({ date, rows }) => [date, rows])).toEqual(
      Array.from(model, ([date, day]): [string, number] => [date, day.size]).sort(([one], [other]) =>
        one < other ? -1 : 1,
      ),
    );
    const statusOf = (date: string): string | undefined => dates.find((day) => day.date === date)?.status;
    expect(statusOf(UNRECORDED)).toBe("unrecorded");
    expect(statusOf(PARTIAL)).toBe("partial");
    expect(dates.filter(({ status }) => status === "complete")).toHaveLength(model.size - 2);
    for (const date of runDates) {
      expect(dates.find((day) => day.date === date)).toMatchObject({ listed: directory.size, completeness: 1 });
    }
    const partial = dates.find(({ date }) => date === PARTIAL);
    expect(partial?.completeness).toBe((partial?.rows ?? 0) / ((partial?.rows ?? 0) + FAILED_SYMBOLS.length));
    expect(await asx.dateRange()).toEqual({ from: "2024-01-02", to: "2024-05-31" });
    expect(await asx.latestDate()).toBe("2024-05-31");
  });

  it("availableSymbols has every symbol with a bar", async () => {
    expect(await asx.availableSymbols()).toEqual([...new Set(lines().map(({ symbol }) => symbol))]);
  });

  it("missing tells the days and symbols to fetch", async () => {
    expect(await asx.missing("2024-01-01", "2024-05-31")).toEqual({
      from: "2024-01-01",
      to: "2024-05-31",
      days: LEFT_OUT,
      failed: [],
      partial: [{ date: PARTIAL, symbols: FAILED_SYMBOLS }],
      unrecorded: [UNRECORDED],
      unreadable: [],
      isNothing: false,
    });
    expect(await asx.missing("2024-05-01", "2024-05-31")).toMatchObject({ days: [], isNothing: true });
  });

  it("listings are those of the exchange's directory", async () => {
    const listings = await asx.listings("2024-05-31");
    expect(listings.map(({ symbol, name, industryGroup }) => [symbol, name, industryGroup])).toEqual(
      [...directory]
        .map(([symbol, { name, group }]) => [symbol, name, group])
        .sort(([one = ""], [other = ""]) => (one < other ? -1 : 1)),
    );
  });

  it("are the same days in any zone and locale", async () => {
    const script = fileURLToPath(new URL("../support/ask-store.ts", import.meta.url));
    const expected = lines(({ symbol, date }) => ["BHP", "CBA"].includes(symbol) && date >= "2024-05-30");
    for (const [TZ, locale] of [
      ["Pacific/Kiritimati", "ar_EG.UTF-8"],
      ["Pacific/Pago_Pago", "tr_TR.UTF-8"],
      ["Australia/Sydney", "de_DE.UTF-8"],
    ] as const) {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--no-warnings", script, `file:${folder}`, join(folder, "cache")],
        { env: { ...process.env, TZ, LC_ALL: locale, LANG: locale } },
      );
      expect(JSON.parse(stdout)).toMatchObject({
        zone: TZ,
        rows: expected.map(({ symbol, date, close }) => [symbol, date, close]),
        dateAt: "2024-05-30",
        day: 19_873,
        csv: expect.stringContaining("BHP,2024-05-30,"),
        sql: [{ first: "2024-05-30", last: "2024-05-31" }],
        latest: "2024-05-31",
        range: { from: "2024-01-02", to: "2024-05-31" },
      });
    }
  });
});
