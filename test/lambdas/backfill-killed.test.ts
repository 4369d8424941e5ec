import { describe, expect, it } from "vitest";
import type { Bar } from "../../domain/bar.ts";
import type { DateSpan } from "../../domain/date-span.ts";
import { parsePendingKey, pendingFolder } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import type { Fetch } from "../../lambdas/runtime/http.ts";
import { EXECUTION_LOCK_EXPIRES_MS } from "../../lambdas/runtime/run-lock.ts";
import { hash32, hashText, uniform } from "../../sandbox/random.ts";
import { rateLimited } from "../../sandbox/rate-limit.ts";
import { delayed } from "../../sandbox/server.ts";
import { createSimulatedClock } from "../../sandbox/simulated-clock.ts";
import { runBackfill } from "../support/backfill-rounds.ts";
import { barsOfBackfill, recordOf } from "../support/history-contents.ts";
import { createMemoryStore, type MemoryStore } from "../support/memory-store.ts";
import { createSimulatedRuntime, EVENING } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch, type TinyMarket } from "../support/tiny-market.ts";

const SPAN: DateSpan = { from: "2024-05-13", to: "2024-05-31" };
const KILLS = 30;
const SYMBOLS_BEFORE = 300;
const SYMBOLS_AFTER = 330;
/** Every fortieth symbol is unknown to the provider, every thirtieth has never traded. */
const symbols = Array.from(
  { length: SYMBOLS_AFTER },
  (_, index) => `S${String((index * 7) % SYMBOLS_AFTER).padStart(3, "0")}`,
);

/** A market with bars on most days, actions on some, and rows that break an invariant. */
function tinyMarket(): TinyMarket & { list(count: number): void } {
  const sessions = createTradingCalendar().tradingDays(SPAN.from, SPAN.to);
  const known = symbols.filter((_, index) => index % 40 !== 39);
  const bars = known.map((symbol, index): [string, TinyMarket["bars"][string]] => {
    const days = sessions.flatMap((date): [string, TinyMarket["bars"][string][string]][] => {
      const chance = uniform(hashText(7, symbol), hashText(7, date), 0);
      if (index % 30 === 29 || chance < 0.1) return [];
      if (chance < 0.15) return [[date, null]];
      return [
        [
          date,
          chance < 0.16 ? { low: 20 } : { close: 9 + Math.round(chance * 20) / 10, volume: hash32(1, index) % 1e6 },
        ],
      ];
    });
    return [symbol, Object.fromEntries(days)];
  });
  const market = {
    directory: "",
    bars: Object.fromEntries(bars),
    dividends: Object.fromEntries(known.map((symbol) => [symbol, [{ date: "2024-05-16", amount: 0.25 }]])),
    list(count: number): void {
      const lines = symbols
        .slice(0, count)
        .map((symbol) => `"${symbol}","${symbol} LIMITED","Materials","01/02/2003",1000`);
      market.directory = ['"ASX code","Company name","GICs industry group","Listing date","Market Cap"', ...lines].join(
        "\n",
      );
    },
  };
  return market;
}

/** What an upstream answered, and which requests were under way when the process died. */
interface Requests {
  begun: number;
  limited: number;
  readonly underWay: Set<string>;
}

/** Passes calls of a store and a fetch on until it dies in one of them; after that none is let through any more. */
function mortal(store: MemoryStore, fetch: Fetch, requests: Requests, diesAt: number) {
  let calls = 0;
  let isDead = false;
  async function live<Result>(work: () => Promise<Result>, isDone = false): Promise<Result> {
    calls += 1;
    if (isDead) throw new Error("the process is dead");
    if (calls < diesAt) {
      const result = await work();
      if (isDead) throw new Error("the process is dead");
      return result;
    }
    isDead = true;
    // A call can have done its work before the process died, and only its answer was lost.
    if (isDone) await work();
    throw new Error("the process has been killed");
  }
  const isDone = diesAt % 2 === 0;
  const guarded: ObjectStore = {
    url: store.url,
    locate: store.locate,
    localPath: store.localPath,
    get: (key) => live(() => store.get(key)),
    read: (key) => live(() => store.read(key)),
    async put(key, bytes) {
      await live(() => store.put(key, bytes), isDone);
      const symbol = parsePendingKey(key)?.symbol;
      if (symbol !== undefined) requests.underWay.delete(symbol);
    },
    replace: (key, bytes, version) => live(() => store.replace(key, bytes, version), isDone),
    remove: (key) => live(() => store.remove(key), isDone),
    head: (key) => live(() => store.head(key)),
    stat: (keys) => live(() => store.stat(keys)),
    list: (prefix) => live(() => store.list(prefix)),
    groups: (prefix, delimiter) => live(() => store.groups(prefix, delimiter)),
  };
  const guardedFetch: Fetch = (url, init) =>
    live(async () => {
      const symbol = /chart\/(\w+)\.AX$/.exec(url.pathname)?.[1];
      if (symbol === undefined) return fetch(url, init);
      requests.begun += 1;
      requests.underWay.add(symbol);
      const answer = await fetch(url, init);
      if (answer.status === 429) {
        requests.limited += 1;
        requests.underWay.delete(symbol);
      }
      return answer;
    });
  return {
    ...{ store: guarded, fetch: guardedFetch },
    get isDead() {
      return isDead;
    },
  };
}

/** A bar without what depends on when and in which batch it came. */
function priced({ fetchTimestamp: _, batchNumber: __, ...bar }: Bar): object {
  return bar;
}

describe("a backfill", () => {
  it.each([1, 2, 3])(
    "killed at 30 random moments, throttled, of a list that grows, ends as if nothing had been (%i)",
    async (seed) => {
      const plain = createSimulatedRuntime();
      const market = tinyMarket();
      market.list(SYMBOLS_AFTER);
      const undisturbed = sandboxFetch(createTinyMarket(market), plain.clock.now);
      await plain.clock.run(() =>
        runBackfill({ span: SPAN, runtime: { ...plain, fetch: undisturbed.fetch }, run: "undisturbed", batchSize: 12 }),
      );
      const expected = await barsOfBackfill(plain.store, SPAN);
      expect(expected.length).toBeGreaterThan(3_500);

      const store = createMemoryStore();
      const clock = createSimulatedClock(Date.parse(EVENING));
      const limit = { perSecond: 15, burst: 5, retryAfter: seed === 2 };
      const delivery = rateLimited(limit, clock.now, delayed(40, clock.sleep));
      const upstream = sandboxFetch(createTinyMarket(market), clock.now, delivery);
      const requests: Requests = { begun: 0, limited: 0, underWay: new Set() };
      let inFlight = 0;
      let kills = 0;
      for (let run = 0; ; run += 1) {
        market.list(kills < KILLS / 2 ? SYMBOLS_BEFORE : SYMBOLS_AFTER);
        const diesAt = kills < KILLS ? 1 + Math.floor(uniform(seed, run, 1) * 160) : Number.POSITIVE_INFINITY;
        const life = mortal(store, upstream.fetch, requests, diesAt);
        const runtime = { ...createSimulatedRuntime({ clock }), store: life.store, fetch: life.fetch };
        const work = runBackfill({ span: SPAN, runtime, run: `run-${run}`, batchSize: 12, requestsPerSecond: 25 });
        const ended = await clock.run(() =>
          work.then(
            () => true,
            () => false,
          ),
        );
        expect(ended).toBe(!life.isDead);
        inFlight += requests.underWay.size;
        requests.underWay.clear();
        if (!life.isDead) break;
        kills += 1;
        await clock.run(() => clock.sleep(EXECUTION_LOCK_EXPIRES_MS + 1));
      }
      expect(kills).toBe(KILLS);
      const record = recordOf(store, SPAN);
      expect(record.status).toBe("complete");
      const inOrder = recordOf(plain.store, SPAN);
      expect(record.outcomes.map(({ batchNumber: _, ...report }) => report)).toEqual(
        inOrder.outcomes.map(({ batchNumber: _, ...report }) => report),
      );
      expect(record.days).toEqual(inOrder.days);
      expect((await barsOfBackfill(store, SPAN)).map(priced)).toEqual(expected.map(priced));
      expect(await store.list(pendingFolder(SPAN))).toEqual([]);
      const fewest = SYMBOLS_AFTER + inFlight + requests.limited;
      expect(requests.limited).toBeGreaterThan(10);
      expect(requests.begun).toBeLessThanOrEqual(fewest * 1.05);
    },
  );
});
