import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Aggregator } from "../../aggregator/index.ts";
import { runDailyWorkflow } from "../../cli/daily-workflow.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import { createReplayMarket } from "../../sandbox/replay-market.ts";
import { SANDBOX_PATHS } from "../../sandbox/server.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { hasRealData, readRealData, realDataPath } from "../support/real-data.ts";
import { createTestClock } from "../support/test-clock.ts";
import { createTestRuntime } from "../support/test-runtime.ts";
import { sandboxFetch } from "../support/tiny-market.ts";

const OLDER_FORM = "asx-directory/old-2026-04-01.csv";
const NEWER_FORM = "asx-directory/new-2024-04-07.csv";

/** Runs the workflow of a date over the recorded market into a local store, and hands the store to a check. */
async function replay(
  date: string,
  directory: string,
  check: (folder: string, paths: readonly string[]) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  try {
    const clock = createTestClock("2026-11-21T09:00:00+11:00");
    const market = createReplayMarket({ folder: realDataPath("asx-eod"), directoryFile: realDataPath(directory) });
    const { fetch, paths } = sandboxFetch(market, clock.now);
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
    await check(folder, paths);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function summaryOf(folder: string, date: string) {
  const key = `runs/${date}.json`;
  return parseRunSummary(key, (await createLocalStore(folder).get(key)) ?? new Uint8Array());
}

/** The day's CSV read with nothing of ours: values by code. */
function recordedDay(date: string): Map<string, number[]> {
  const file = new TextDecoder().decode(readRealData(`asx-eod/${date.slice(0, 4)}/${date.replaceAll("-", "")}.csv`));
  const rows = file
    .trim()
    .split(/\r?\n/)
    .map((line) => line.split(","));
  return new Map(rows.map(([code = "", , ...values]) => [code, values.map(Number)]));
}

/** Every code of a directory, found by its quoted column and nothing of ours. */
function listedCodes(directory: string): Set<string> {
  const text = new TextDecoder().decode(readRealData(directory));
  const pattern = directory.includes("/old-") ? /,"([A-Z0-9]+)","[^"]*"\s*$/gm : /^"([A-Z0-9]+)",/gm;
  return new Set([...text.matchAll(pattern)].map(([, code = ""]) => code));
}

describe.skipIf(!hasRealData)("a run over a real day", () => {
  it.each([
    ["2024-05-31", OLDER_FORM, 1978, 20, 1416],
    ["2024-01-02", OLDER_FORM, 1978, 20, 1360],
    ["2024-04-05", NEWER_FORM, 2000, 20, undefined],
    ["2024-04-08", NEWER_FORM, 2000, 20, undefined],
    ["2024-02-29", "asx-directory/new-2022-11.csv", 2106, 22, undefined],
    ["2024-05-31", "asx-directory/old-2025-12-05.csv", 1985, 20, undefined],
  ])(
    "%s with %s: %i outcomes in %i batches, and every bar is the recorded one to the last digit",
    async (date, directory, outcomes, batches, bars) => {
      await replay(date, directory, async (folder) => {
        const recorded = recordedDay(date);
        const listed = listedCodes(directory);
        const expected = [...listed].filter((code) => recorded.has(code)).toSorted();
        if (bars !== undefined) expect(expected).toHaveLength(bars);

        const summary = await summaryOf(folder, date);
        expect(summary.batches.map(({ key }) => key)).toEqual(
          Array.from({ length: batches }, (_, batch) => `raw-data/${date}-batch-${batch}.parquet`),
        );
        if (bars !== undefined) expect(summary.counts).toMatchObject({ fetched: bars, invalid: 0 });
        expect(summary.outcomes).toHaveLength(outcomes);
        expect(new Set(summary.outcomes.map(({ symbol }) => symbol))).toEqual(listed);
        const stored = summary.outcomes.filter(({ outcome }) => outcome === "fetched").map(({ symbol }) => symbol);
        const invalid = summary.outcomes.filter(({ outcome }) => outcome === "invalid").map(({ symbol }) => symbol);
        expect([...stored, ...invalid].toSorted()).toEqual(expected);
        for (const symbol of invalid) expect(isConsistent(recorded.get(symbol) ?? [])).toBe(false);
        for (const { symbol, outcome } of summary.outcomes) {
          if (!recorded.has(symbol)) expect(["noTrade", "notFound"]).toContain(outcome);
        }

        const aggregator = await Aggregator.open(`file:${folder}`, { cacheDir: join(folder, "cache") });
        const loaded = await aggregator.loadDate(date);
        await aggregator.close();
        expect(loaded.symbol).toEqual(stored);
        for (const { symbol, open, high, low, close, volume } of loaded) {
          expect([symbol, open, high, low, close, volume]).toEqual([symbol, ...(recorded.get(symbol) ?? [])]);
        }
      });
    },
  );

  it.each(["2024-06-01", "2024-04-25", "2024-03-29"])(
    "%s was closed: nothing is asked, nothing fetched",
    async (date) => {
      await replay(date, OLDER_FORM, async (folder, paths) => {
        expect(paths).toEqual([]);
        expect(await summaryOf(folder, date)).toMatchObject({ status: "market-closed", outcomes: [], batches: [] });
      });
    },
  );
});

function isConsistent([open = 0, high = 0, low = 0, close = 0]: readonly number[]): boolean {
  return low > 0 && low <= Math.min(open, close) && high >= Math.max(open, close);
}
