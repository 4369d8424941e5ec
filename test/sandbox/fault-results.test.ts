/** What the real clients make of every fault, over HTTP and in the process alike. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UpstreamRefusedError, UpstreamUnavailableError } from "../../domain/errors.ts";
import { sessionOutcome } from "../../lambdas/batch-fetcher/session-bar.ts";
import { createYahooSource } from "../../lambdas/batch-fetcher/yahoo.ts";
import type { Fetch } from "../../lambdas/runtime/http.ts";
import type { Directory } from "../../lambdas/symbol-updater/asx-directory.ts";
import { downloadDirectory } from "../../lambdas/symbol-updater/download-directory.ts";
import { parseSymbolUpdaterEnvironment } from "../../lambdas/symbol-updater/env.ts";
import { FAULT_NAMES, FAULTS, type FaultEffect, type FaultName, faulty } from "../../sandbox/faults.ts";
import {
  createSandboxApp,
  type Delivery,
  delayed,
  type RunningSandbox,
  SANDBOX_PATHS,
  type SandboxOptions,
  startSandbox,
} from "../../sandbox/server.ts";
import { createTestClock } from "../support/test-clock.ts";
import { createTestRuntime, EVENING } from "../support/test-runtime.ts";
import { createTinyMarket } from "../support/tiny-market.ts";

const DAY = "2024-05-31";
const BAR = { open: 10, high: 11, low: 9, close: 10.5, adjustedClose: 10.25, volume: 1000, splitRatio: null };
const MARKET = createTinyMarket({
  bars: {
    BHP: { "2024-05-30": { close: 9.5, volume: 7 }, [DAY]: {} },
    CBA: { [DAY]: {} },
    NAB: {},
    WBC: { [DAY]: {} },
  },
});
const LISTED = ["BHP", "CBA", "NAB", "WBC"];

/** Faults whose answers wait; the test's own client gives up on them soon. */
const WAITING: readonly string[] = ["stall", "stalled-body", "trickle"];

/** The deliveries of the one server: a test puts its own in. */
let delivery: Delivery = delayed(0);
let server: RunningSandbox;
const SANDBOX: SandboxOptions = {
  market: MARKET,
  now: () => Date.parse(EVENING),
  delivery: (answer, request) => delivery(answer, request),
};
const app = createSandboxApp(SANDBOX);
beforeAll(async () => {
  server = await startSandbox(SANDBOX);
});
afterAll(() => server.close());

/** Both ways to a sandbox. */
const WAYS: Readonly<Record<string, Fetch>> = {
  "over HTTP": (url, init) => fetch(url, init),
  "in the process": async (url, init) => app.fetch(new Request(url, init)),
};

/** Makes a fault of every answer, and gives a client that reaches them. */
function everyAnswer(name: FaultName, way: string): Fetch {
  const request = WAYS[way];
  if (request === undefined) throw new Error(`no way ${way}`);
  const sleep = (): Promise<void> => new Promise(() => undefined);
  delivery = faulty({ [name]: 1 }, 5, delayed(0), { sleep });
  if (!WAITING.includes(name)) return request;
  return (url, init) => {
    const signals = [AbortSignal.timeout(50), ...(init.signal ? [init.signal] : [])];
    return request(url, { ...init, signal: AbortSignal.any(signals) });
  };
}

/** What a chart comes to: `again` and `refused` are the two kinds of error, `right` and `wrong` bars that were taken. */
type ChartResult = "again" | "refused" | "right" | "wrong" | "invalid" | "failed" | "noTrade" | "notFound";

/** @param at the client's clock */
async function chartResult(fetch: Fetch, at = EVENING): Promise<ChartResult> {
  const source = createYahooSource({ baseUrl: server.url, userAgent: "test", fetch, clock: createTestClock(at) });
  try {
    const answer = await source.fetchChart("BHP", DAY, DAY);
    const found = sessionOutcome(answer, { symbol: "BHP", ticker: "BHP.AX", date: DAY, batchNumber: 0 });
    if (found.outcome !== "fetched") return found.outcome;
    return expect.objectContaining(BAR).asymmetricMatch(found.bar) ? "right" : "wrong";
  } catch (error) {
    if (error instanceof UpstreamUnavailableError) return "again";
    if (error instanceof UpstreamRefusedError) return "refused";
    throw error;
  }
}

/** What a directory comes to. */
type DirectoryResult = "none" | "right" | "fewer" | "more";

async function download(fetch: Fetch): Promise<Directory | undefined> {
  const config = parseSymbolUpdaterEnvironment({
    ASX_DIRECTORY_URL: `${server.url}${SANDBOX_PATHS.directory}`,
    ASX_OLDER_DIRECTORY_URL: `${server.url}${SANDBOX_PATHS.olderDirectory}`,
  });
  return (await downloadDirectory(config, createTestRuntime({ fetch }))).directory;
}

function directoryResult(directory: Directory | undefined): DirectoryResult {
  if (directory === undefined) return "none";
  const symbols = new Set(directory.listings.map(({ symbol }) => symbol));
  if (LISTED.some((symbol) => !symbols.has(symbol))) return "fewer";
  return symbols.size > LISTED.length ? "more" : "right";
}

/** What a fault of each effect may come to. A bar that is wrong, or missing in silence, comes from a silent fault only. */
const ALLOWED: Readonly<Record<FaultEffect, readonly ChartResult[]>> = {
  harmless: ["right"],
  transient: ["again", "refused", "failed", "right"],
  detectable: ["invalid", "failed", "noTrade", "right"],
  silent: ["wrong", "noTrade", "notFound"],
};

/** What is known more closely; a fault that is not named here comes to what the second table says of its effect. */
const CHART_RESULTS: Partial<Record<FaultName, ChartResult>> = {
  "wrong-type": "right",
  "internal-redirect": "refused",
  consent: "refused",
  oversized: "refused",
  "gzip-bomb": "refused",
  "unknown-symbol": "notFound",
  "no-data": "noTrade",
  "empty-window": "noTrade",
  "null-row": "noTrade",
  "missing-row": "noTrade",
  "day-early": "noTrade",
  "live-row": "right",
  "other-zone": "failed",
};
const USUAL_RESULTS: Readonly<Record<FaultEffect, ChartResult>> = {
  harmless: "right",
  transient: "again",
  detectable: "invalid",
  silent: "wrong",
};
/** Its result depends on what of the chart a client checks. */
const UNDECIDED: readonly FaultName[] = ["other-instrument"];

const DIRECTORY_RESULTS: Partial<Record<FaultName, DirectoryResult>> = {
  "older-directory-gone": "right",
  "directory-forbidden": "right",
  "directory-truncated": "fewer",
  "directory-odd-codes": "more",
  "directory-traversal": "right",
};

const chartFaults = FAULT_NAMES.filter((name) => FAULTS[name].target !== "directory");
/** What a client makes of a live row depends on when it asks. */
const liveFaults = ["live-partial", "live-row"] as const satisfies readonly FaultName[];
const directoryFaults = FAULT_NAMES.filter((name) => FAULTS[name].target !== "chart");

describe.each(Object.keys(WAYS))("%s", (way) => {
  it.each(chartFaults.filter((name) => name !== "live-partial"))(
    "a chart with the fault %s comes to what the fault's effect promises",
    async (name) => {
      const { effect } = FAULTS[name];
      const result = await chartResult(everyAnswer(name, way));
      expect(ALLOWED[effect]).toContain(result);
      if (!UNDECIDED.includes(name)) expect(result).toBe(CHART_RESULTS[name] ?? USUAL_RESULTS[effect]);
    },
  );

  it.each(liveFaults)("%s comes to nothing during the session", async (name) => {
    expect(await chartResult(everyAnswer(name, way), "2024-05-31T14:52:30+10:00")).toBe("failed");
  });

  it.each(directoryFaults)("a directory with the fault %s comes to what it promises", async (name) => {
    const { effect } = FAULTS[name];
    const result = directoryResult(await download(everyAnswer(name, way)));
    expect(result).toBe(DIRECTORY_RESULTS[name] ?? (effect === "transient" ? "none" : "right"));
  });

  it("a fault of charts leaves the directory alone, and the other way round", async () => {
    expect(directoryResult(await download(everyAnswer("blocked", way)))).toBe("right");
    expect(await chartResult(everyAnswer("directory-html", way))).toBe("right");
  });

  it("a slow body is whole to a client with time enough", async () => {
    const slept: number[] = [];
    const fetch = everyAnswer("trickle", way);
    delivery = faulty({ trickle: 1 }, 5, delayed(0), { sleep: async (ms) => void slept.push(ms) });
    expect(await chartResult(fetch)).toBe("right");
    expect(slept.length).toBeGreaterThan(30);
    expect(new Set(slept)).toEqual(new Set([1_000]));
  });
});

/** The text of a chart of BHP with a fault, from one date to another. */
async function chartText(name: FaultName, from: string, to: string): Promise<string> {
  delivery = faulty({ [name]: 1 }, 5, delayed(0));
  const seconds = (date: string) => Date.parse(`${date}T00:00:00+10:00`) / 1000;
  const query = `interval=1d&period1=${seconds(from)}&period2=${seconds(to)}&events=div%7Csplit`;
  return (await app.request(`/v8/finance/chart/BHP.AX?${query}`)).text();
}

describe("faults in the rows of a chart", () => {
  it.each([
    ["live-partial", "2024-05-30", /"timestamp":\[1717027200,1717129936\].*"volume":\[7,600\].*"high":\[11,10\]/],
    ["live-beside-session", "2024-05-30", /"timestamp":\[1717027200,1717113600,1717135807\].*"volume":\[7,1000,1002\]/],
    ["duplicated-row", "2024-05-30", /"timestamp":\[1717027200,1717113600,1717113600\]/],
    ["row-after-end", "2024-05-30", /"timestamp":\[1717027200,1717113600,1717203933\]/],
    ["day-early", "2024-05-30", /"timestamp":\[1716940800,1717027200\]/],
    ["frozen", DAY, /"timestamp":\[1717113600\].*"close":\[9.5\]/],
    ["frozen", "2024-05-30", /"timestamp":\[1717027200,1717113600\].*"close":\[9.5,9.5\]/],
    ["missing-row", DAY, /"timestamp":\[1717027200\].*"volume":\[7\]/],
    ["infinite-price", DAY, /1e400/],
    ["text-prices", DAY, /"close":\["10.5"\]/],
    [
      "sudden-split",
      DAY,
      /"splits":\{"1717113600":\{"date":1717113600,"numerator":4,"denominator":1,"splitRatio":"4:1"\}\}/,
    ],
    ["hundredfold", DAY, /"close":\[1050\]/],
    ["null-prices", DAY, /"close":\[null\].*"volume":\[1000\]/],
    ["revised", DAY, /"close":\[9.75\].*"volume":\[1011\]/],
  ] as const)("%s, from %s on", async (name, from, wire) => {
    expect(await chartText(name, from, "2024-06-01")).toMatch(wire);
  });

  it("leave an answer without rows as it is", async () => {
    for (const name of chartFaults.filter((name) => FAULTS[name].effect === "silent")) {
      expect(await chartText(name, "2024-06-01", "2024-06-02")).toContain("startDate = 1717164000");
    }
  });
});

describe("faults of the directory", () => {
  const nameOf = (directory: Directory | undefined, test: RegExp) =>
    directory?.listings.find(({ name }) => test.test(name))?.name;

  it("bring formulas and quotes in names, which the client keeps as they are, and line breaks, which become spaces", async () => {
    const way = "in the process";
    expect(nameOf(await download(everyAnswer("directory-formula", way)), /^[=+@-]|1\+1/)).toBeDefined();
    expect(nameOf(await download(everyAnswer("directory-quotes", way)), /AND/)).toBe(
      'SMITH, JONES "AND" SONS, LIMITED.',
    );
    expect(nameOf(await download(everyAnswer("directory-newline", way)), /EVIL/)).toBe('EVIL {"level":"ERROR"}');
  });

  it("bring codes that are no codes, and codes twice, which the client reports", async () => {
    const traversal = await download(everyAnswer("directory-traversal", "in the process"));
    expect(traversal?.refusedCodes).toContain("../../x");
    const duplicate = await download(everyAnswer("directory-duplicate", "in the process"));
    expect(duplicate?.duplicates).toHaveLength(1);
  });
});
