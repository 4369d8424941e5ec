import { describe, expect, it } from "vitest";
import { runDailyWorkflow, type WorkflowEvent } from "../../cli/daily-workflow.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import { type Delivery, SANDBOX_PATHS } from "../../sandbox/server.ts";
import { createTestClock } from "../support/test-clock.ts";
import { createTestRuntime, EVENING } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch, type TinyMarket } from "../support/tiny-market.ts";

const DAY = "2024-05-31";

/** The whole workflow with the real definition and handlers, and a market answering in the process. */
function setUp(tiny: TinyMarket, delivery?: Delivery) {
  const clock = createTestClock(EVENING);
  const upstream = sandboxFetch(createTinyMarket(tiny), clock.now, delivery);
  const runtime = createTestRuntime({ clock, fetch: upstream.fetch });
  const notifications: string[] = [];
  const events: WorkflowEvent[] = [];
  const environment = {
    ASX_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.directory}`,
    ASX_OLDER_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.olderDirectory}`,
    YAHOO_URL: "http://sandbox",
    BATCH_SIZE: "2",
    REQUESTS_PER_SECOND: "unlimited",
  };
  return {
    runtime,
    notifications,
    events,
    paths: upstream.paths,
    run: (event = {}, settings: Record<string, string> = {}) =>
      runDailyWorkflow(
        { date: DAY, ...event },
        {
          environment: { ...environment, ...settings },
          runtime,
          maxConcurrency: 10,
          onNotification: (subject, message) => notifications.push(`${subject}: ${message}`),
          onEvent: (told) => events.push(told),
          retryDelayMs: 0,
        },
      ),
    summary: () =>
      parseRunSummary(`runs/${DAY}.json`, runtime.store.objects.get(`runs/${DAY}.json`) ?? new Uint8Array()),
  };
}

const FIVE: TinyMarket = {
  bars: { AAA: { [DAY]: {} }, BBB: { [DAY]: {} }, CCC: {}, DDD: { [DAY]: {} }, EEE: { [DAY]: {} } },
};

/** Answers the charts of some tickers with a status. */
function failing(status: number, ...tickers: readonly string[]): Delivery {
  return async (answer, { ticker }) =>
    ticker !== undefined && tickers.includes(ticker) ? { status, contentType: "text/plain", body: "" } : answer;
}

describe("the daily workflow on one machine", () => {
  it("goes from the directory to a complete run summary", async () => {
    const { run, runtime, notifications, summary } = setUp(FIVE);
    const { digest, error } = await run();
    expect(error).toBeUndefined();
    expect(digest).toMatchObject({ date: DAY, status: "complete", rows: 4, totalSymbols: 5 });
    expect([...runtime.store.objects.keys()].sort()).toEqual([
      `raw-data/${DAY}-batch-0.parquet`,
      `raw-data/${DAY}-batch-1.parquet`,
      `raw-data/${DAY}-batch-2.parquet`,
      `runs/${DAY}.json`,
      `symbols/${DAY}-symbols.csv`,
    ]);
    expect(summary().outcomes.map(({ symbol, outcome }) => `${symbol} ${outcome}`)).toEqual([
      "AAA fetched",
      "BBB fetched",
      "CCC noTrade",
      "DDD fetched",
      "EEE fetched",
    ]);
    expect(notifications).toEqual([]);
  });

  it("fetches nothing on a closed day, and records that it was one", async () => {
    const { run, paths, runtime } = setUp(FIVE);
    const { digest, error } = await run({ date: "2024-04-25" });
    expect(error).toBeUndefined();
    expect(digest).toMatchObject({ date: "2024-04-25", status: "market-closed" });
    expect(paths).toEqual([]);
    expect([...runtime.store.objects.keys()]).toEqual(["runs/2024-04-25.json"]);
  });

  it("with a symbol that failed ends partial, notifies and fails; run again it asks for that symbol only", async () => {
    const down = ["BBB.AX"];
    const { run, notifications, paths, summary } = setUp(FIVE, async (answer, request) =>
      failing(503, ...down)(answer, request),
    );
    const first = await run();
    expect(first).toMatchObject({ digest: { status: "partial" }, error: { name: "RunPartial" } });
    expect(notifications).toEqual([expect.stringContaining("1 failed")]);

    down.length = 0;
    paths.length = 0;
    const second = await run();
    expect(second).toMatchObject({ digest: { status: "complete", rows: 4 }, error: undefined });
    expect(paths).toEqual([SANDBOX_PATHS.directory, "/v8/finance/chart/BBB.AX"]);
    expect(summary().counts).toMatchObject({ fetched: 4, failed: 0 });
  });

  it("keeps the other batches going when one is lost, after trying it four times", async () => {
    const { run, summary, events } = setUp(FIVE, failing(503, "CCC.AX", "DDD.AX"));
    const { digest, error } = await run();
    expect(digest).toMatchObject({ status: "partial", rows: 3 });
    expect(error?.name).toBe("RunPartial");
    expect(events.filter(({ type }) => type === "StateRetried")).toHaveLength(3);
    expect(summary().outcomes.filter(({ outcome }) => outcome === "failed")).toEqual([
      { symbol: "CCC", outcome: "failed", reason: expect.stringContaining("BatchFailedError: all 2 symbols") },
      { symbol: "DDD", outcome: "failed", reason: expect.stringContaining("BatchFailedError: all 2 symbols") },
    ]);
  });

  it("heals a batch whose trouble passes between two tries", async () => {
    let asked = 0;
    const { run } = setUp(FIVE, async (answer, { ticker }) => {
      if (ticker !== "EEE.AX") return answer;
      asked += 1;
      return asked <= 5 ? { status: 429, contentType: "text/plain", body: "Too Many Requests\r\n" } : answer;
    });
    expect(await run()).toMatchObject({ digest: { status: "complete" }, error: undefined });
    expect(asked).toBe(6);
  });

  it("with no bar at all fails and notifies: no run ends green and empty", async () => {
    const { run, notifications } = setUp({ bars: { AAA: {}, BBB: {} } });
    expect(await run()).toMatchObject({ digest: { status: "failed" }, error: { name: "RunFailed" } });
    expect(notifications).toHaveLength(1);
  });

  it("with every batch lost fails", async () => {
    const { run } = setUp(FIVE, async (answer, { ticker }) =>
      ticker === undefined ? answer : { status: 503, contentType: "text/html", body: "" },
    );
    expect(await run()).toMatchObject({
      digest: { status: "failed", counts: { failed: 5 } },
      error: { name: "RunFailed" },
    });
  });

  it("without symbols fetches nothing, notifies and fails", async () => {
    const { run, notifications, paths, runtime } = setUp({ ...FIVE, directory: "<html>Request Rejected</html>" });
    expect(await run()).toMatchObject({ digest: undefined, error: { name: "NoSymbols" } });
    expect(notifications).toEqual([
      expect.stringMatching(/nothing fetched: .*"Error":"DirectoryUnavailableError".*no directory from sandbox/),
    ]);
    expect(paths.filter((path) => path.includes("chart"))).toEqual([]);
    expect([...runtime.store.objects.keys()]).toEqual([]);
  });

  it("that breaks off before its summary notifies and fails", async () => {
    const { run, notifications, runtime } = setUp(FIVE);
    await runtime.store.put(`runs/${DAY}.json`, new TextEncoder().encode("{"));
    expect(await run()).toMatchObject({ digest: undefined, error: { name: "NoSummary" } });
    expect(notifications).toEqual([expect.stringContaining(`runs/${DAY}.json is damaged`)]);
  });

  it("refuses a bad environment before anything runs", async () => {
    const { run, events } = setUp(FIVE);
    await expect(run({}, { REQUESTS_PER_SECOND: "fast" })).rejects.toThrow(InvalidInputError);
    expect(events).toEqual([]);
  });

  it("adds the named symbols of a small run to a day without losing a bar or storing one twice", async () => {
    const { run, paths, summary } = setUp(FIVE);
    await run({ symbols: ["EEE", "AAA"] });
    const { digest } = await run();
    expect(digest).toMatchObject({ status: "complete", rows: 4, totalSymbols: 5 });
    expect(paths.filter((path) => path.includes("chart"))).toHaveLength(5);
    expect(summary().symbols.source).toBe("asx-directory");
  });

  it("cut into other batches keeps every bar once", async () => {
    const { run, paths } = setUp(FIVE);
    await run();
    const { digest } = await run({}, { BATCH_SIZE: "3" });
    expect(digest).toMatchObject({ status: "complete", rows: 4, totalSymbols: 5 });
    expect(paths.filter((path) => path.includes("chart"))).toHaveLength(5);
  });

  it("keeps every message far below 256 KiB with 5,000 symbols that all fail", async () => {
    const symbols = Array.from({ length: 5000 }, (_, index) => `C${String(index).padStart(4, "0")}`);
    const { run, events } = setUp({ bars: {} }, async () => ({
      status: 403,
      contentType: "text/html",
      body: "<p>blocked</p>",
    }));
    const { digest } = await run({ symbols }, { BATCH_SIZE: "100" });
    expect(digest).toMatchObject({ status: "failed", totalSymbols: 5000, counts: { fetched: 0, noTrade: 0 } });
    const messages = events.flatMap((event) => ("state" in event ? [event.state.input, event.state.output] : []));
    const sizes = messages.map((message) => Buffer.byteLength(JSON.stringify(message ?? null)));
    expect(messages.length).toBeGreaterThan(100);
    expect(Math.max(...sizes)).toBeLessThan(128 * 1024);
  });
});
