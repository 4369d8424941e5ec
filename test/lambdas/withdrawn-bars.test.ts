/** Stored bars of which the provider has none any more: when they are taken away, and that they mostly are not. */
import { describe, expect, it } from "vitest";
import type { DayQuality } from "../../domain/run-summary.ts";
import type { Delivery } from "../../sandbox/server.ts";
import { fetchedReport, storeSummary } from "../support/stored-summary.ts";
import {
  createTestFetcher,
  plainBar,
  revisionsOf,
  storeFile,
  type TestFetcher,
  withoutData,
} from "../support/test-fetcher.ts";

const SESSIONS = ["2024-05-30", "2024-05-31"];
const [BEFORE = "", DAY = ""] = SESSIONS;
const REPEATED = { gate: "repeated", stops: true, detail: "all of yesterday's" };
const SUSPECT = { symbol: "CBA", kind: "repeated", detail: "all of yesterday's" };

/** How a day was judged, where a test says nothing else. */
const QUALITY: DayQuality = { traded: 2, usual: null, findings: [], suspects: [] };

/** Rows of the provider on both days; null is a row without prices. */
type Rows = Readonly<Record<string, Readonly<Record<string, never>> | null>>;

/** Both days have bars of BHP and CBA and were judged as given; the provider now has those rows of CBA. */
async function caughtUp(judged: Partial<DayQuality>, rows: Rows, delivery?: Delivery): Promise<TestFetcher> {
  const fetcher = createTestFetcher({ bars: { BHP: { [BEFORE]: {}, [DAY]: {} }, CBA: rows } }, delivery);
  for (const date of SESSIONS) {
    await storeFile(fetcher.runtime, { date }, [plainBar("BHP", date), plainBar("CBA", date)]);
    await storeSummary(fetcher.runtime.store, date, [fetchedReport("BHP"), fetchedReport("CBA")], {
      quality: { ...QUALITY, ...judged },
    });
  }
  return fetcher;
}

function catchUp({ fetch }: TestFetcher) {
  return fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY, sessions: SESSIONS, catchUp: true });
}

async function symbolsOf({ stored }: TestFetcher, date: string): Promise<string[]> {
  return (await stored(date)).bars.map(({ symbol }) => symbol);
}

async function expectAllToStand(fetcher: TestFetcher): Promise<void> {
  for (const date of SESSIONS) {
    expect(await symbolsOf(fetcher, date)).toEqual(["BHP", "CBA"]);
    expect(revisionsOf(fetcher, date)).toEqual([]);
  }
}

describe("a stored bar that the provider has no more", () => {
  describe.each<[string, Partial<DayQuality>]>([
    ["the day as a whole was the session before's again", { findings: [REPEATED] }],
    ["it was the session before's again", { suspects: [SUSPECT] }],
  ])("where %s", (_, judged) => {
    it.each<[string, string, Rows]>([
      [DAY, BEFORE, { [BEFORE]: {}, [DAY]: null }],
      [DAY, BEFORE, { [BEFORE]: {} }],
      [BEFORE, DAY, { [BEFORE]: null, [DAY]: {} }],
    ])("is withdrawn on %s, with a record; the one of %s stays", async (date, other, rows) => {
      const fetcher = await caughtUp(judged, rows);
      const result = await catchUp(fetcher);
      expect(await symbolsOf(fetcher, date)).toEqual(["BHP"]);
      expect((await fetcher.stored(date)).reports).toEqual([{ symbol: "CBA", outcome: "noTrade" }]);
      const { close } = plainBar("CBA", date);
      expect(revisionsOf(fetcher, date)).toEqual([
        expect.objectContaining({ symbol: "CBA", before: expect.objectContaining({ close }), after: null }),
      ]);
      expect(result.revised + result.earlier.reduce((sum, { revised }) => sum + revised, 0)).toBe(1);
      expect(await symbolsOf(fetcher, other)).toEqual(["BHP", "CBA"]);
      expect(revisionsOf(fetcher, other)).toEqual([]);
    });

    it.each<[string, Rows, Delivery | undefined]>([
      ["has rows without prices only", { [BEFORE]: null, [DAY]: null }, undefined],
      ["has no row of any session", {}, undefined],
      ["has no data", {}, withoutData(400, "CBA.AX")],
      ["knows the symbol no more", {}, withoutData(404, "CBA.AX")],
    ])("stands where the provider %s: that says nothing about the day", async (_answer, rows, delivery) => {
      const fetcher = await caughtUp(judged, rows, delivery);
      expect(await catchUp(fetcher)).toMatchObject({ counts: { fetched: 2 }, revised: 0, earlier: [] });
      await expectAllToStand(fetcher);
    });

    it("stands where only its own date is asked for", async () => {
      const fetcher = await caughtUp(judged, { [BEFORE]: {}, [DAY]: null });
      await fetcher.fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY, sessions: [DAY], catchUp: true });
      await expectAllToStand(fetcher);
    });
  });

  it.each<[string, Partial<DayQuality>]>([
    ["nothing spoke against it", {}],
    ["few of the day's bars were the session before's", { findings: [{ ...REPEATED, stops: false }] }],
    ["part of the market was missing", { findings: [{ ...REPEATED, gate: "coverage" }] }],
    ["no large company had traded", { findings: [{ ...REPEATED, gate: "large-companies" }] }],
    ["the run was turned away", { findings: [{ ...REPEATED, gate: "upstream" }] }],
    ["the day's prices were of another level", { findings: [{ ...REPEATED, gate: "jumps" }] }],
    ["its price had jumped", { suspects: [{ ...SUSPECT, kind: "price-jump" }] }],
    ["a split was not applied", { suspects: [{ ...SUSPECT, kind: "unapplied-split" }] }],
    ["its volume was unlikely", { suspects: [{ ...SUSPECT, kind: "implausible-volume" }] }],
    ["another symbol's was the session before's again", { suspects: [{ ...SUSPECT, symbol: "BHP" }] }],
  ])("stands where %s: what is stored is the record", async (_, judged) => {
    const fetcher = await caughtUp(judged, { [BEFORE]: {}, [DAY]: null });
    expect(await catchUp(fetcher)).toMatchObject({ counts: { fetched: 2 }, revised: 0, earlier: [] });
    await expectAllToStand(fetcher);
  });

  it("stands where the session was never summarised", async () => {
    const fetcher = await caughtUp({}, { [BEFORE]: {}, [DAY]: null });
    for (const date of SESSIONS) fetcher.runtime.store.objects.delete(`runs/${date}.json`);
    await catchUp(fetcher);
    await expectAllToStand(fetcher);
  });
});
