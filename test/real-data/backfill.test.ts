/**
 * A backfill over the recorded market of 2024, against the CSVs by a computation of the test's own, and against daily runs
 * of the same days.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { runBackfillWorkflow } from "../../cli/backfill-workflow.ts";
import { runDailyWorkflow } from "../../cli/daily-workflow.ts";
import type { BackfillRecord } from "../../domain/backfill.ts";
import { backfillKey, rawDataPrefix } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { parseBackfillRecord } from "../../domain/parse-backfill-record.ts";
import { createReplayMarket } from "../../sandbox/replay-market.ts";
import { SANDBOX_PATHS } from "../../sandbox/server.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { createDrivenClock } from "../support/driven-clock.ts";
import { hasRealData, readRealData, realDataFiles, realDataPath } from "../support/real-data.ts";
import { createTestRuntime } from "../support/test-runtime.ts";
import { sandboxFetch } from "../support/tiny-market.ts";

const DIRECTORY = "asx-directory/old-2026-04-01.csv";
const SPAN = { from: "2024-01-02", to: "2024-05-31" };
const NOW = "2026-11-21T09:00:00+11:00";
/** Days of the span that are run as days besides: every one takes minutes, which CI spends by ALL_DAYS=1. */
const RUN_EVERY = process.env["ALL_DAYS"] === "1" ? 1 : 11;

const ENVIRONMENT = {
  ASX_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.directory}`,
  YAHOO_URL: "http://sandbox",
  REQUESTS_PER_SECOND: "unlimited",
};

const storedBar = z.object({
  symbol: z.string(),
  date: z.date().transform((date) => date.toISOString().slice(0, 10)),
  open: z.number(),
  high: z.number(),
  low: z.number(),
  close: z.number(),
  adjusted_close: z.number().nullable(),
  volume: z.bigint().transform(Number),
  dividend: z.number().nullable(),
  split_ratio: z.number().nullable(),
});
type StoredBar = z.infer<typeof storedBar>;

let folder: string;
let record: BackfillRecord;
let charts: number;
/** What the backfill stored, by symbol and date. */
let stored: Map<string, StoredBar>;
let directory: Set<string>;
let dates: string[];

beforeAll(async () => {
  if (!hasRealData) return;
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  directory = listedSymbols();
  dates = realDataFiles("asx-eod/2024")
    .filter((name) => /^\d{8}\.csv$/.test(name))
    .map((name) => `${name.slice(0, 4)}-${name.slice(4, 6)}-${name.slice(6, 8)}`)
    .sort();
  const { options, paths, store } = setUp("backfill");
  const { digest, error } = await runBackfillWorkflow({ backfill: SPAN }, options);
  expect([error, digest?.status]).toEqual([undefined, "complete"]);
  charts = paths.filter((path) => path.includes("/chart/")).length;
  const key = backfillKey(SPAN);
  record = parseBackfillRecord(key, (await store.get(key)) ?? new Uint8Array());
  stored = byKey(
    await barsOf(
      store,
      record.batches.map((batch) => batch.key),
    ),
  );
}, 300_000);
afterAll(async () => {
  if (hasRealData) await rm(folder, { recursive: true, force: true });
});

/** A workflow's surroundings with the recorded market behind them. */
function setUp(name: string) {
  const store = createLocalStore(join(folder, name));
  const clock = createDrivenClock(NOW);
  const market = createReplayMarket({ folder: realDataPath("asx-eod"), directoryFile: realDataPath(DIRECTORY) });
  const { fetch, paths } = sandboxFetch(market, clock.now);
  const options = {
    environment: ENVIRONMENT,
    runtime: { ...createTestRuntime({ fetch }), clock, store },
    maxConcurrency: 10,
    onNotification: () => undefined,
    retryDelayMs: 0,
    run: "replay",
    longestRedriveWaitMs: 0,
  };
  return { store, paths, options };
}

/** Rows of stored files, without when they were fetched and their batch. */
async function barsOf(store: ObjectStore, keys: readonly string[]): Promise<StoredBar[]> {
  const bars: StoredBar[] = [];
  for (const key of keys) {
    const file = new Uint8Array((await store.get(key)) ?? new Uint8Array()).buffer;
    for (const row of await parquetReadObjects({ file })) bars.push(storedBar.parse(row));
  }
  return bars;
}

function byKey(bars: readonly StoredBar[]): Map<string, StoredBar> {
  const map = new Map(bars.map((bar) => [`${bar.symbol} ${bar.date}`, bar]));
  expect(map.size).toBe(bars.length);
  return map;
}

/** The directory's codes, with nothing of ours. */
function listedSymbols(): Set<string> {
  const text = new TextDecoder().decode(readRealData(DIRECTORY));
  return new Set(Array.from(text.matchAll(/^"[^"]*","([A-Z0-9]+)","[^"]*"\s*$/gm), ([, code = ""]) => code));
}

/** A CSV's rows of listed symbols, the last of each as the replay has it, and whether prices and volume of each can be. */
function recordedDay(date: string): { readonly bar: StoredBar; readonly isPossible: boolean }[] {
  const text = new TextDecoder().decode(readRealData(`asx-eod/2024/${date.replaceAll("-", "")}.csv`));
  const rows = new Map<string, { bar: StoredBar; isPossible: boolean }>();
  for (const line of text.trim().split(/\r?\n/)) {
    const [symbol = "", , ...values] = line.split(",");
    const [open = 0, high = 0, low = 0, close = 0, volume = 0] = values.map(Number);
    const isPossible = low > 0 && low <= Math.min(open, close) && high >= Math.max(open, close);
    const bar = {
      symbol,
      date,
      open,
      high,
      low,
      close,
      adjusted_close: close,
      volume,
      dividend: null,
      split_ratio: null,
    };
    if (directory.has(symbol)) rows.set(symbol, { bar, isPossible: isPossible && Number.isInteger(volume) });
  }
  return [...rows.values()];
}

describe.skipIf(!hasRealData)("a backfill of the recorded 2024", () => {
  it("asks for each listed symbol once", () => {
    expect(record.symbols.total).toBe(directory.size);
    expect(charts).toBe(directory.size);
    expect(record.upstream).toMatchObject({ requests: directory.size, retries: 0 });
  });

  it("has exactly the rows of the daily CSVs, and counts those that break a rule", () => {
    const recorded = dates.flatMap((date) => recordedDay(date));
    const possible = recorded.filter(({ isPossible }) => isPossible).map(({ bar }) => bar);
    expect(possible.length).toBeGreaterThan(100_000);
    expect(stored).toEqual(byKey(possible));
    expect(record.leftOut).toBe(recorded.length - possible.length);
    expect(record.rows).toBe(possible.length);
    const counts = Object.entries(Object.groupBy(possible, ({ date }) => date));
    expect(Object.entries(record.days).sort()).toEqual(counts.map(([date, rows = []]) => [date, rows.length]).sort());
  });

  it("has the bars that daily runs of the same days store, but for when and in which batch they were fetched", async () => {
    const { store, options } = setUp("daily");
    const runDates = dates.filter((_, at) => at % RUN_EVERY === 0);
    for (const date of runDates) {
      const { digest } = await runDailyWorkflow({ date }, options);
      expect(digest?.counts.fetched).toBeGreaterThan(1_000);
      const keys = (await store.list(rawDataPrefix(date))).map(({ key }) => key);
      const ofDay = byKey(await barsOf(store, keys));
      const fromHistory = [...stored].filter(([, bar]) => bar.date === date);
      expect(ofDay).toEqual(new Map(fromHistory));
    }
    expect(runDates).toHaveLength(Math.ceil(dates.length / RUN_EVERY));
    expect(runDates.length).toBeGreaterThanOrEqual(10);
  }, 900_000);
});
