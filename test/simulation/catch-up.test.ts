/** Lakes that are harmed at random, and one run that makes each whole again and asks for nothing but its gaps. */
import { beforeAll, describe, expect, it } from "vitest";
import { symbolsKey } from "../../domain/object-keys.ts";
import { readRunSummary } from "../../lambdas/runtime/earlier-sessions.ts";
import {
  type AskedChart,
  BATCH_SIZE,
  growLake,
  type HarmedLake,
  harm,
  LAST,
  listedOn,
  openWorld,
  randomOf,
  rowsOf,
  SESSIONS,
  type World,
  wholeLake,
} from "./catch-up-world.ts";

const SEEDS = 200;
/** Markets whose lakes are grown; each is harmed in many ways. */
const MARKETS = 4;
/** From the first session of the lake to its last. */
const DAYS = 19;

const lakes: ReadonlyMap<string, Uint8Array>[] = [];
beforeAll(async () => {
  for (let market = 0; market < MARKETS; market += 1) lakes.push(await growLake(market));
}, 60_000);

/** A lake as its market's evenings left it, on the last of them. */
function openLake(market: number): World {
  return openWorld(market, LAST, lakes[market]);
}

/** The symbols that each session lacks, by what is left of it: those that its own list knows, else all that are asked for. */
function gapsOf({ left, runtime }: HarmedLake): Map<string, string[]> {
  const listed = listedOn(LAST);
  const harmed = SESSIONS.filter((session) => left.get(session)?.isHarmed === true && session !== LAST);
  const knownTo = (session: string): readonly string[] => {
    const state = left.get(session);
    if (state?.hasSummary === true) return state.known;
    const lists = SESSIONS.filter((date) => runtime.store.objects.has(symbolsKey(date)));
    const stored = lists.findLast((date) => date <= session) ?? lists[0];
    return stored === undefined ? [] : listedOn(stored);
  };
  const lacks = (session: string, symbol: string): boolean => {
    const standing = left.get(session)?.standing ?? new Map<string, boolean>();
    // A day without any bar tells of an outage: nothing stands.
    return !standing.has(symbol) || ![...standing.values()].includes(true);
  };
  const missing = new Set(
    harmed.flatMap((session) => knownTo(session).filter((symbol) => !stands(left, session, symbol))),
  );
  const asked = new Set([...listed, ...missing]);
  const gaps = new Map<string, string[]>();
  const add = (symbol: string, session: string): void => {
    gaps.set(symbol, [...(gaps.get(symbol) ?? []), session]);
  };
  for (const session of harmed) {
    const state = left.get(session);
    const counting = state?.hasSummary === true ? state.known : [...asked];
    for (const symbol of counting) if (asked.has(symbol) && lacks(session, symbol)) add(symbol, session);
  }
  const standing = left.get(LAST)?.standing ?? new Map<string, boolean>();
  for (let start = 0; start < listed.length; start += BATCH_SIZE) {
    const batch = listed.slice(start, start + BATCH_SIZE);
    // A batch of the run's own date without any bar tells of an outage too.
    const hasBar = batch.some((symbol) => standing.get(symbol) === true);
    for (const symbol of batch) if (!hasBar || !standing.has(symbol)) add(symbol, LAST);
  }
  return gaps;
}

function stands(left: HarmedLake["left"], session: string, symbol: string): boolean {
  return left.get(session)?.standing.has(symbol) === true;
}

function asSpans(gaps: ReadonlyMap<string, readonly string[]>): AskedChart[] {
  return [...gaps]
    .map(([symbol, sessions]) => ({ symbol, from: sessions[0] ?? "", to: sessions.at(-1) ?? "" }))
    .sort((left, right) => (left.symbol < right.symbol ? -1 : 1));
}

function bySymbol(asked: readonly AskedChart[]): AskedChart[] {
  return asked.toSorted((left, right) => (left.symbol < right.symbol ? -1 : 1));
}

async function expectWhole({ runtime }: World, market: number): Promise<void> {
  expect(await rowsOf(runtime)).toEqual(await rowsOf(openLake(market).runtime));
  for (const session of SESSIONS) {
    const summary = await readRunSummary(runtime.store, session);
    expect(`${session} ${summary?.status}`).toBe(`${session} complete`);
    expect(summary?.quality?.findings ?? []).toEqual([]);
  }
}

describe("one run that catches up", () => {
  it.each(Array.from({ length: SEEDS }, (_, seed) => seed))(
    "makes the lake of seed %i whole, and asks once for each symbol that lacks something, over that",
    async (seed) => {
      const random = randomOf(1_000 + seed);
      const market = seed % MARKETS;
      const world = openLake(market);
      const lake = await wholeLake(world.runtime);
      const harms = 1 + Math.floor(random() * 6);
      for (let done = 0; done < harms; done += 1) await harm(lake, random);
      const gaps = gapsOf(lake);
      const rereads = random() < 0.3;
      if (rereads) {
        for (const symbol of listedOn(LAST)) {
          gaps.set(symbol, [...new Set([...(gaps.get(symbol) ?? []), ...SESSIONS.slice(-5)])].sort());
        }
      }
      const { digest, error } = await world.run({
        fillDays: DAYS,
        acceptDirectory: true,
        ...(rereads && { catchUp: true }),
      });
      expect({ error, status: digest?.status, harms: lake.harms }).toMatchObject({
        error: undefined,
        status: "complete",
      });
      await expectWhole(world, market);
      expect({ harms: lake.harms, asked: bySymbol(world.asked) }).toEqual({ harms: lake.harms, asked: asSpans(gaps) });

      world.asked.length = 0;
      expect((await world.run({ fillDays: DAYS, acceptDirectory: true })).digest?.status).toBe("complete");
      expect(world.asked).toEqual([]);
    },
  );

  it("fills an outage of ten days on one morning, in one request a symbol", async () => {
    const world = openLake(0);
    const lost = SESSIONS.slice(-10);
    for (const key of [...world.runtime.store.objects.keys()]) {
      if (lost.some((session) => key.includes(session))) await world.runtime.store.remove(key);
    }
    const { digest } = await world.run({ fillDays: DAYS, catchUp: true, acceptDirectory: true });
    expect(digest?.status).toBe("complete");
    // The newest list before the outage has a symbol that left the exchange meanwhile.
    expect(bySymbol(world.asked)).toEqual([
      ...listedOn(LAST).map((symbol) => ({ symbol, from: lost[0], to: LAST })),
      { symbol: "OLD", from: lost[0], to: lost.at(-2) },
    ]);
    await expectWhole(world, 0);
    expect(digest?.earlier).toHaveLength(9);
  });
});
