import { describe, expect, it } from "vitest";
import type { Bar } from "../../domain/bar.ts";
import type { DateSpan } from "../../domain/date-span.ts";
import { historyFilesPrefix, parsePendingKey, pendingFolder } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { REQUESTS_AT_ONCE } from "../../lambdas/batch-fetcher/upstream-gate.ts";
import type { Fetch } from "../../lambdas/runtime/http.ts";
import { EXECUTION_LOCK_EXPIRES_MS } from "../../lambdas/runtime/run-lock.ts";
import { hash32, hashText, uniform } from "../../sandbox/random.ts";
import { rateLimited } from "../../sandbox/rate-limit.ts";
import { delayed } from "../../sandbox/server.ts";
import { createSimulatedClock } from "../../sandbox/simulated-clock.ts";
import { readHistoryFacts } from "../../stores/history-file-reader.ts";
import { runBackfill } from "../support/backfill-rounds.ts";
import { barsOfBackfill, recordOf } from "../support/history-contents.ts";
import { createMemoryStore, type MemoryStore } from "../support/memory-store.ts";
import { createSimulatedRuntime, EVENING } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch, type TinyMarket } from "../support/tiny-market.ts";

const SPAN: DateSpan = { from: "2024-05-13", to: "2024-05-31" };
/** The list of the day after is another. */
const NEXT_EVENING = "2024-06-03T19:30:00+10:00";
const KILLS = 30;
const LANES = 2;
const SYMBOLS = 330;
const LISTED_BEFORE = 300;
/** Symbols that leave the list half-way: so many that stand in a file, so many that are pending, so many not yet asked for. */
const LEAVING_EACH = 4;
/**
 * What may be lost at a kill: requests under way, and nothing that was answered before. The gate gives a place to the next
 * request a moment before the answer is kept, but never are all places under way here: 25 requests a second of 120 ms.
 */
const MOST_LOST_AT_A_KILL = LANES * REQUESTS_AT_ONCE;
/** Every fortieth symbol is unknown to the provider, every thirtieth has never traded. */
const symbols = Array.from({ length: SYMBOLS }, (_, index) => `S${String((index * 7) % SYMBOLS).padStart(3, "0")}`);

/** A market with bars on most days, actions on some, and rows that break an invariant. */
function tinyMarket(): TinyMarket & { list(listed: readonly string[]): void } {
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
    list(listed: readonly string[]): void {
      const lines = listed.map((symbol) => `"${symbol}","${symbol} LIMITED","Materials","01/02/2003",1000`);
      market.directory = ['"ASX code","Company name","GICs industry group","Listing date","Market Cap"', ...lines].join(
        "\n",
      );
    },
  };
  return market;
}

/** The requests of charts that were begun, in order. */
type Requests = { readonly symbol: string; isRefused: boolean }[];

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
    put: (key, bytes) => live(() => store.put(key, bytes), isDone),
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
      const request = { symbol, isRefused: false };
      requests.push(request);
      const answer = await fetch(url, init);
      request.isRefused = answer.status === 429;
      return answer;
    });
  return {
    ...{ store: guarded, fetch: guardedFetch },
    get isDead() {
      return isDead;
    },
  };
}

/** Which symbols are kept by a file, and which others by an object of their own. */
async function keptSymbols(store: MemoryStore) {
  const files = await Promise.all(
    [...store.objects]
      .filter(([key]) => key.startsWith(historyFilesPrefix(SPAN)))
      .map(([key, bytes]) => readHistoryFacts(key, bytes)),
  );
  const inFile = new Set(files.flatMap(({ reports }) => reports.map(({ symbol }) => symbol)));
  const pending = [...store.objects.keys()].flatMap((key) => parsePendingKey(key)?.symbol ?? []);
  return { inFile, pending: new Set(pending.filter((symbol) => !inFile.has(symbol))) };
}

/** A bar without what depends on when and in which batch it came. */
function priced({ fetchTimestamp: _, batchNumber: __, ...bar }: Bar): object {
  return bar;
}

describe("a backfill", () => {
  it.each([1, 2, 3])(
    "killed at 30 random moments, throttled, of a list that gains and loses symbols, ends as if nothing had been (%i)",
    async (seed) => {
      const market = tinyMarket();
      const before = symbols.slice(0, LISTED_BEFORE);
      market.list(before);
      const store = createMemoryStore();
      const clock = createSimulatedClock(Date.parse(EVENING));
      const limit = { perSecond: 15, burst: 5, retryAfter: seed === 2 };
      const delivery = rateLimited(limit, clock.now, delayed(120, clock.sleep));
      const upstream = sandboxFetch(createTinyMarket(market), clock.now, delivery);
      const requests: Requests = [];
      let change: { readonly listed: readonly string[]; readonly neverAsked: ReadonlySet<string> } | undefined;
      let lost = 0;
      let kills = 0;
      for (let run = 0; ; run += 1) {
        const diesAt = kills < KILLS ? 1 + Math.floor(uniform(seed, run, 1) * 160) : Number.POSITIVE_INFINITY;
        const begunBefore = requests.length;
        const life = mortal(store, upstream.fetch, requests, diesAt);
        const runtime = { ...createSimulatedRuntime({ clock }), store: life.store, fetch: life.fetch };
        const rounds = { span: SPAN, runtime, run: `run-${run}`, batchSize: 12, lanes: LANES, requestsPerSecond: 25 };
        const work = runBackfill(rounds);
        const ended = await clock.run(() =>
          work.then(
            () => true,
            () => false,
          ),
        );
        expect(ended).toBe(!life.isDead);
        if (!life.isDead) break;
        kills += 1;
        const { inFile, pending } = await keptSymbols(store);
        const isLost = ({ symbol, isRefused }: Requests[number]) =>
          !isRefused && !inFile.has(symbol) && !pending.has(symbol);
        const lostNow = requests.slice(begunBefore).filter(isLost).length;
        expect(lostNow).toBeLessThanOrEqual(MOST_LOST_AT_A_KILL);
        lost += lostNow;
        if (change === undefined && kills >= KILLS / 2 && pending.size >= LEAVING_EACH) {
          const neverAsked = before.filter((symbol) => !inFile.has(symbol) && !pending.has(symbol));
          const leaving = [[...inFile], [...pending], neverAsked].map((kind) => kind.slice(-LEAVING_EACH));
          expect(leaving.map(({ length }) => length)).toEqual([LEAVING_EACH, LEAVING_EACH, LEAVING_EACH]);
          const gone = new Set(leaving.flat());
          change = {
            listed: symbols.filter((symbol) => !gone.has(symbol)),
            neverAsked: new Set(leaving[2]),
          };
          market.list(change.listed);
          await clock.run(() => clock.sleep(Date.parse(NEXT_EVENING) - clock.now()));
        }
        await clock.run(() => clock.sleep(EXECUTION_LOCK_EXPIRES_MS + 1));
      }
      expect(kills).toBe(KILLS);

      // An undisturbed one of the last list, and of those that left it after they had been answered.
      const wanted = symbols.filter((symbol) => !change?.neverAsked.has(symbol));
      expect(wanted.length).toBe(SYMBOLS - LEAVING_EACH);
      const plain = createSimulatedRuntime();
      market.list(wanted);
      const undisturbed = sandboxFetch(createTinyMarket(market), plain.clock.now);
      await plain.clock.run(() =>
        runBackfill({ span: SPAN, runtime: { ...plain, fetch: undisturbed.fetch }, run: "undisturbed", batchSize: 12 }),
      );
      expect(undisturbed.paths.filter((path) => path.includes("/chart/")).length).toBe(wanted.length);
      const record = recordOf(store, SPAN);
      const inOrder = recordOf(plain.store, SPAN);
      expect(record.status).toBe("complete");
      expect(record.outcomes.map(({ batchNumber: _, ...report }) => report)).toEqual(
        inOrder.outcomes.map(({ batchNumber: _, ...report }) => report),
      );
      expect(record.days).toEqual(inOrder.days);
      const expected = await barsOfBackfill(plain.store, SPAN);
      expect(expected.length).toBeGreaterThan(3_500);
      expect((await barsOfBackfill(store, SPAN)).map(priced)).toEqual(expected.map(priced));
      expect(await store.list(pendingFolder(SPAN))).toEqual([]);

      const answered = requests.filter(({ isRefused }) => !isRefused).length;
      expect(requests.length - answered).toBeGreaterThan(10);
      expect(answered - lost).toBeLessThanOrEqual(wanted.length * 1.05);
    },
  );
});
