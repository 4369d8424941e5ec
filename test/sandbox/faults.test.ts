import { afterAll, describe, expect, it } from "vitest";
import type { BatchResult } from "../../domain/batch.ts";
import { AsxEodError, InvalidInputError } from "../../domain/errors.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { fetchBatch } from "../../lambdas/batch-fetcher/fetch-batch.ts";
import { createYahooSource } from "../../lambdas/batch-fetcher/yahoo.ts";
import { decodeBatchFile } from "../../lambdas/runtime/batch-file-reader.ts";
import { FAULTS, type FaultName, type FaultShares, faulty, parseFaultShares } from "../../sandbox/faults.ts";
import { delayed, type RunningSandbox, startSandbox } from "../../sandbox/server.ts";
import { createTestClock } from "../support/test-clock.ts";
import { createTestRuntime, EVENING } from "../support/test-runtime.ts";
import { createTinyMarket } from "../support/tiny-market.ts";

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

/** Faults that the test's clock can outrun: a stalled answer takes the ten real seconds of a request. */
const TESTED = Object.keys(FAULTS).filter((name): name is FaultName => name !== "stall");

const running: RunningSandbox[] = [];
afterAll(async () => {
  await Promise.all(running.map((sandbox) => sandbox.close()));
});

/** Runs one batch over HTTP against a faulty sandbox, again until nothing is left to do. Gives every result. */
async function runUntilDone(shares: FaultShares, seed: number) {
  const clock = createTestClock(EVENING);
  const sandbox = await startSandbox({ market: MARKET, now: clock.now, delivery: faulty(shares, seed, delayed(0)) });
  running.push(sandbox);
  const runtime = createTestRuntime({ clock, fetch: globalThis.fetch });
  const source = createYahooSource({ baseUrl: sandbox.url, userAgent: "test", fetch: globalThis.fetch, clock });
  const options = { source, calendar: createTradingCalendar(), requestsPerSecond: null, runtime };
  const results: BatchResult[] = [];
  for (let runs = 0; runs < 30; runs += 1) {
    const result = await fetchBatch({ symbols: ALL_SYMBOLS, batchNumber: 0, date: DAY }, options).catch(
      (error: unknown) => {
        // A batch of which every symbol failed is lost, and said to be.
        expect(error).toBeInstanceOf(AsxEodError);
        return undefined;
      },
    );
    if (result === undefined) continue;
    results.push(result);
    const stored = await decodeBatchFile(KEY, runtime.store.objects.get(KEY) ?? new Uint8Array());
    for (const { symbol, close } of stored.bars) expect([symbol, close]).toEqual([symbol, CLOSES[symbol]]);
    if (result.counts.failed + result.counts.deferred === 0) return { results, stored, runtime };
  }
  throw new Error(`still not done after 30 runs: ${JSON.stringify(results.at(-1))}`);
}

describe("an upstream with faults", () => {
  it.each(TESTED)(
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
    const shares = Object.fromEntries(TESTED.map((name) => [name, 0.05]));
    const { stored } = await runUntilDone(shares, seed);
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
      expect(() => parseFaultShares(text)).toThrow(/names are rate-limit, server-error, .*a share is from 0 to 1/);
    },
  );

  it("come to 1 at most", () => {
    expect(() => parseFaultShares("html=0.6,empty=0.6")).toThrow("come to 1.2");
  });

  it("are met, at moments that the seed alone decides", async () => {
    const answer = { status: 200, contentType: "text/plain", body: "right" };
    const moments = async (seed: number): Promise<number[]> => {
      const deliver = faulty({ html: 0.2 }, seed, delayed(0));
      const answers = await Promise.all(
        Array.from({ length: 1_000 }, () => deliver(answer, { path: "/", ticker: undefined })),
      );
      return answers.flatMap(({ body }, index) => (body === "right" ? [] : index));
    };
    expect(await moments(1)).toEqual(await moments(1));
    expect(await moments(2)).not.toEqual(await moments(1));
    expect((await moments(1)).length / 1_000).toBeCloseTo(0.2, 1);
  });
});
