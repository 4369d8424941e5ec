import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { runBackfillWorkflow } from "../../cli/backfill-workflow.ts";
import { runDailyWorkflow } from "../../cli/daily-workflow.ts";
import type { LocalRunOptions } from "../../cli/local-state-machine.ts";
import { backfillKey, pendingKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { createBatchFetcher } from "../../lambdas/batch-fetcher/handler.ts";
import { LAMBDAS, type LambdaName } from "../../stacks/bundles.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { permittedStore } from "../support/permitted-store.ts";
import { synthesiseStack } from "../support/synthesised-stack.ts";
import { createTestRuntime } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch } from "../support/tiny-market.ts";

const BUCKET = "<aws_s3_bucket data/bucket arn>";
const SPAN = { from: "2024-05-01", to: "2024-05-31" };
const DAY = "2024-05-31";

const stack = synthesiseStack();

/** A market whose bars were corrected once, so that a run which catches up has revisions to write. */
function marketWith(close: number) {
  const dates = createTradingCalendar([]).tradingDays(SPAN.from, SPAN.to);
  const bars = Object.fromEntries(dates.map((date) => [date, date === "2024-05-30" ? { close } : {}]));
  return createTinyMarket({
    bars: { BHP: bars, CBA: bars, DRR: {} },
    dividends: { BHP: [{ date: "2024-05-29", amount: 0.5 }] },
  });
}

/** One store that takes every call for that of the Lambda which is running, under its role's policy. */
function storeOfRoles() {
  const memory = createMemoryStore();
  const running = new AsyncLocalStorage<LambdaName>();
  const stores = new Map(
    LAMBDAS.map((name) => {
      const { policy } = stack.one("aws_iam_role_policy", `${name}/role/policy`);
      return [name, permittedStore(memory, String(policy), BUCKET)];
    }),
  );
  const current = (): ObjectStore => {
    const store = stores.get(running.getStore() ?? "run-summary");
    if (store === undefined) throw new Error("no Lambda is running");
    return store;
  };
  const store: ObjectStore = {
    url: memory.url,
    locate: (key) => memory.locate(key),
    localPath: (key) => memory.localPath(key),
    get: (key) => current().get(key),
    read: (key) => current().read(key),
    put: (key, bytes) => current().put(key, bytes),
    replace: (key, bytes, version) => current().replace(key, bytes, version),
    remove: (key) => current().remove(key),
    head: (key) => current().head(key),
    stat: (keys) => current().stat(keys),
    list: (prefix) => current().list(prefix),
    groups: (prefix, delimiter) => current().groups(prefix, delimiter),
  };
  return { memory, running, store, stores };
}

describe("the roles of the Lambdas", () => {
  it("allow what days, catch-ups and backfills do, and nothing that none of them needs", async () => {
    const { memory, running, store, stores } = storeOfRoles();
    const runtime = createTestRuntime();
    const notified: string[] = [];
    const options = (close: number, run: string): LocalRunOptions => ({
      environment: { REQUESTS_PER_SECOND: "unlimited" },
      runtime: { ...runtime, store, fetch: sandboxFetch(marketWith(close), runtime.clock.now).fetch },
      maxConcurrency: 2,
      onNotification: (subject, message) => notified.push(`${subject}: ${message}`),
      retryDelayMs: 0,
      run,
      longestRedriveWaitMs: 0,
      invoke: (name, call) => as(name, call),
    });
    // Every invocation takes long enough that its lock is not fresh any more.
    const as = (name: LambdaName, call: () => Promise<unknown>): Promise<unknown> =>
      running.run(name, async () => {
        await runtime.clock.sleep(4 * 60_000);
        return call();
      });

    for (const date of ["2024-05-30", DAY]) await runDailyWorkflow({ date }, options(10.5, `run-${date}`));
    await runDailyWorkflow({ date: DAY, catchUp: true, fillDays: 30 }, options(10.75, "catch-up"));
    await runBackfillWorkflow({ backfill: SPAN }, options(10.75, "backfill"));
    // As a backfill leaves it that was killed before its record was written, and before what was pending was removed.
    await memory.remove(backfillKey(SPAN));
    await memory.put(pendingKey({ ...SPAN, symbol: "BHP" }), new Uint8Array());
    const { error } = await runBackfillWorkflow({ backfill: SPAN }, options(10.75, "backfill-again"));

    // A batch that is invoked by hand, by its number alone.
    const { environment, runtime: runtimeOfRoles } = options(10.75, "by hand");
    const fetchBatch = createBatchFetcher(environment, runtimeOfRoles);
    await as("batch-fetcher", () => fetchBatch({ date: DAY, batchNumber: 0 }));
    // A batch of a backfill that is tried again, as the answer of its fetcher was lost after the file was written.
    await as("batch-fetcher", () => fetchBatch({ backfill: SPAN, symbols: ["BHP", "CBA", "DRR"], batchNumber: 0 }));

    expect([notified, error]).toEqual([[], undefined]);
    expect(runtime.logs.filter((line) => line.includes("not allow"))).toEqual([]);
    expect(LAMBDAS.map((name) => [name, stores.get(name)?.unused()])).toEqual(LAMBDAS.map((name) => [name, []]));
  });
});
