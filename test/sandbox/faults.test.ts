import { describe, expect, it } from "vitest";
import type { BatchResult } from "../../domain/batch.ts";
import { AsxEodError, InvalidInputError } from "../../domain/errors.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { fetchBatch } from "../../lambdas/batch-fetcher/fetch-batch.ts";
import { createYahooSource } from "../../lambdas/batch-fetcher/yahoo.ts";
import {
  FAULT_NAMES,
  FAULTS,
  type FaultName,
  type FaultShares,
  faulty,
  parseFaultShares,
  scripted,
} from "../../sandbox/faults.ts";
import { delayed, type SandboxRequest } from "../../sandbox/server.ts";
import { createSimulatedClock } from "../../sandbox/simulated-clock.ts";
import { decodeBatchFile } from "../../stores/batch-file-reader.ts";
import { createSimulatedRuntime, EVENING } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch } from "../support/tiny-market.ts";

const DAY = "2024-05-31";
const KEY = `raw-data/${DAY}-batch-0.parquet`;
const WITH_BAR = ["BHP", "CBA", "CSL", "FMG", "NAB", "RIO", "WBC", "WES", "WOW"];
const CLOSES = Object.fromEntries(WITH_BAR.map((symbol, index) => [symbol, 10 + index / 10]));
const MARKET = createTinyMarket({
  bars: {
    ...Object.fromEntries(WITH_BAR.map((symbol) => [symbol, { [DAY]: { close: CLOSES[symbol] ?? 0 } }])),
    ZZZ: {},
  },
});
const ALL_SYMBOLS = [...WITH_BAR, "QQQ", "ZZZ"];

/** Faults of charts that cost a correct client nothing but time; a burst is tested apart, since it hits more than its share. */
const PASSING = FAULT_NAMES.filter((name) => {
  const { target, effect, burst } = FAULTS[name];
  return target !== "directory" && (effect === "harmless" || effect === "transient") && burst === undefined;
});

/** Runs one batch against a faulty sandbox, in simulated time, again until nothing is left to do. Gives every result. */
async function runUntilDone(shares: FaultShares, seed: number) {
  const clock = createSimulatedClock(Date.parse(EVENING));
  const delivery = faulty(shares, seed, delayed(0), { sleep: clock.sleep });
  const { fetch } = sandboxFetch(MARKET, clock.now, delivery);
  const runtime = createSimulatedRuntime({ clock, fetch });
  const source = createYahooSource({ baseUrl: "http://sandbox", userAgent: "test", fetch, clock });
  const options = { source, calendar: createTradingCalendar(), requestsPerSecond: null, runtime };
  const results: BatchResult[] = [];
  for (let runs = 0; runs < 30; runs += 1) {
    const event = { symbols: ALL_SYMBOLS, batchNumber: 0, date: DAY };
    const result = await clock
      .run(() => fetchBatch(event, options))
      .catch((error: unknown) => {
        // A batch of which every symbol failed is lost, and said to be.
        expect(error).toBeInstanceOf(AsxEodError);
        return undefined;
      });
    if (result === undefined) continue;
    results.push(result);
    const stored = await decodeBatchFile(KEY, runtime.store.objects.get(KEY) ?? new Uint8Array());
    for (const { symbol, close } of stored.bars) expect([symbol, close]).toEqual([symbol, CLOSES[symbol]]);
    if (result.counts.failed + result.counts.deferred === 0) return { results, stored, runtime };
  }
  throw new Error(`still not done after 30 runs: ${JSON.stringify(results.at(-1))}`);
}

describe("an upstream with faults", () => {
  it.each(PASSING)(
    "such as %s in a third of its answers loses no bar, makes up none and ends in the right outcomes",
    async (name) => {
      const { results, stored } = await runUntilDone({ [name]: 0.33 }, 7);
      expect(stored.bars.map(({ symbol }) => symbol)).toEqual(WITH_BAR);
      expect(results.at(-1)?.counts).toEqual({
        fetched: 9,
        noTrade: 1,
        notFound: 1,
        invalid: 0,
        failed: 0,
        deferred: 0,
      });
    },
  );

  it.each([1, 2, 3])("of every kind at once does neither, with seed %i", async (seed) => {
    const shares = Object.fromEntries(PASSING.map((name) => [name, 0.02]));
    const { stored } = await runUntilDone(shares, seed);
    expect(stored.bars.map(({ symbol }) => symbol)).toEqual(WITH_BAR);
  });

  it("such as a burst of errors does neither", async () => {
    const { stored } = await runUntilDone({ "server-error-burst": 0.05 }, 3);
    expect(stored.bars.map(({ symbol }) => symbol)).toEqual(WITH_BAR);
  });

  it("counts what was limited, and asks again", async () => {
    const { runtime } = await runUntilDone({ "rate-limit": 0.5 }, 3);
    expect(runtime.measured.get("upstreamRateLimited")).toBeGreaterThan(3);
    expect(runtime.measured.get("upstreamRetries")).toBeGreaterThan(3);
  });
});

describe("the shares of faults", () => {
  it("are read from text", () => {
    expect(parseFaultShares("rate-limit=0.1, html=0.9")).toEqual({ "rate-limit": 0.1, html: 0.9 });
  });

  it.each(["", "rate-limit", "rate-limit=2", "rate-limit=-1", "earthquake=0.1", "html=0.1,,"])(
    "are refused with what is allowed: %j",
    (text) => {
      expect(() => parseFaultShares(text)).toThrow(InvalidInputError);
      expect(() => parseFaultShares(text)).toThrow(/names stand in asx sandbox --help, a share is from 0 to 1/);
    },
  );

  it("come to 1 at most, for charts and for the directory", () => {
    expect(() => parseFaultShares("html=0.6,empty=0.6")).toThrow("faults of a chart come to 1.2");
    expect(() => parseFaultShares("html=0.6,directory-html=0.6")).toThrow("faults of a directory come to 1.2");
    expect(parseFaultShares("empty=0.6,directory-html=0.6")).toEqual({ empty: 0.6, "directory-html": 0.6 });
  });
});

const ANSWER = { status: 200, contentType: "text/plain", body: "right" };
const chartOf = (ticker: string): SandboxRequest => ({ path: `/v8/finance/chart/${ticker}`, ticker, kind: "chart" });
const TICKERS = Array.from({ length: 100 }, (_, index) => `T${index}.AX`);

/** Which of ten requests for each ticker, in rounds, are hit. */
async function moments(seed: number, tickers = TICKERS): Promise<ReadonlyMap<string, string>> {
  const deliver = faulty({ html: 0.2 }, seed, delayed(0));
  const hits = new Map<string, string>();
  for (let round = 0; round < 10; round += 1) {
    for (const ticker of tickers) {
      const { body } = await deliver(ANSWER, chartOf(ticker));
      hits.set(ticker, `${hits.get(ticker) ?? ""}${body === "right" ? "-" : "x"}`);
    }
  }
  return hits;
}

describe("the moments of faults", () => {
  it("are decided by the seed, and come to the share", async () => {
    expect(await moments(1)).toEqual(await moments(1));
    expect(await moments(2)).not.toEqual(await moments(1));
    const all = [...(await moments(1)).values()].join("");
    expect(all.replaceAll("-", "").length / all.length).toBeCloseTo(0.2, 1);
  });

  it("do not depend on the order in which symbols are asked for", async () => {
    expect(await moments(1, TICKERS.toReversed())).toEqual(await moments(1));
  });

  it("can be chosen, request by request, and are told", async () => {
    const told: unknown[] = [];
    const choose = ({ ticker }: SandboxRequest, time: number): FaultName | undefined =>
      ticker === "BHP.AX" && time === 2 ? "unauthorized" : undefined;
    const deliver = scripted(choose, 1, delayed(0), { onFault: (name, { ticker }) => void told.push([name, ticker]) });
    const statuses: number[] = [];
    for (const ticker of ["BHP.AX", "CBA.AX", "CBA.AX", "BHP.AX", "BHP.AX"]) {
      statuses.push((await deliver(ANSWER, chartOf(ticker))).status);
    }
    expect(statuses).toEqual([200, 200, 200, 401, 200]);
    expect(told).toEqual([["unauthorized", "BHP.AX"]]);
  });

  it("of a burst follow each other", async () => {
    const first = "T0.AX";
    const choose = ({ ticker }: SandboxRequest): FaultName | undefined =>
      ticker === first ? "server-error-burst" : undefined;
    const deliver = scripted(choose, 1, delayed(0));
    const failed: boolean[] = [];
    for (const ticker of TICKERS) failed.push((await deliver(ANSWER, chartOf(ticker))).status >= 500);
    const length = failed.lastIndexOf(true) + 1;
    expect(failed.slice(0, length)).toEqual(Array(length).fill(true));
    expect([length >= 3, length <= 20]).toEqual([true, true]);
  });
});
