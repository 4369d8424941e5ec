/** Batches that ask for several sessions at once and take over what the provider has filled or changed. */
import { describe, expect, it } from "vitest";
import type { SymbolReport } from "../../domain/batch.ts";
import { InvalidInputError, SessionNotSettledError } from "../../domain/errors.ts";
import type { Delivery } from "../../sandbox/server.ts";
import { fetchedReport, storeSummary } from "../support/stored-summary.ts";
import { createTestFetcher, failing, plainBar, revisionsOf, storeFile, withoutData } from "../support/test-fetcher.ts";

const WEEK = ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30", "2024-05-31"];
const [, , , BEFORE = "", DAY = ""] = WEEK;
const CATCH_UP = { batchNumber: 0, date: DAY, sessions: WEEK, catchUp: true };
/** The same of the last two sessions. */
const TWO = { ...CATCH_UP, sessions: [BEFORE, DAY] };

/** Plain bars of a symbol on every day of the week. */
const WHOLE_WEEK = Object.fromEntries(WEEK.map((date) => [date, {}]));

describe("a batch that catches up", () => {
  it("asks once a symbol for all sessions, and stores each in a file of its own", async () => {
    const fetcher = createTestFetcher({ bars: { BHP: WHOLE_WEEK, CBA: { ...WHOLE_WEEK, [BEFORE]: null } } });
    const result = await fetcher.fetch({ ...CATCH_UP, symbols: ["BHP", "CBA"] });
    expect(fetcher.paths).toEqual(["/v8/finance/chart/BHP.AX", "/v8/finance/chart/CBA.AX"]);
    expect(result).toMatchObject({ date: DAY, rows: 2, revised: 0, counts: { fetched: 2 } });
    expect(result.earlier).toEqual(
      WEEK.slice(0, -1).map((date) => ({ date, added: date === BEFORE ? 1 : 2, revised: 0 })),
    );
    for (const date of WEEK) {
      const { bars } = await fetcher.stored(date);
      expect(bars.map((bar) => [bar.symbol, bar.date])).toEqual(
        (date === BEFORE ? ["BHP"] : ["BHP", "CBA"]).map((symbol) => [symbol, date]),
      );
    }
    expect((await fetcher.stored(BEFORE)).reports).toEqual([{ symbol: "CBA", outcome: "noTrade" }]);
  });

  it.each<Omit<SymbolReport, "symbol">>([
    { outcome: "failed", reason: "HTTP 503 after 5 attempts" },
    { outcome: "deferred", reason: "not tried: 8 bad answers in a row" },
    { outcome: "noTrade" },
    { outcome: "notFound" },
    { outcome: "invalid", reason: "low 20 is above high 11" },
  ])("fills what was $outcome by a bar, on its date and before", async (report) => {
    const fetcher = createTestFetcher({ bars: { BHP: WHOLE_WEEK, CBA: WHOLE_WEEK } });
    for (const date of TWO.sessions) {
      await storeFile(fetcher.runtime, { date }, [plainBar("BHP", date)], [{ symbol: "CBA", ...report }]);
    }
    const result = await fetcher.fetch({ ...TWO, symbols: ["BHP", "CBA"] });
    expect(result.counts).toMatchObject({ fetched: 2 });
    expect(result.earlier).toEqual([{ date: BEFORE, added: 1, revised: 0 }]);
    for (const date of TWO.sessions) {
      const { bars, reports } = await fetcher.stored(date);
      expect(bars.map(({ symbol }) => symbol)).toEqual(["BHP", "CBA"]);
      expect(reports).toEqual([]);
    }
  });

  it("replaces a bar that the provider has changed in the file that holds it, and records old and new before", async () => {
    const fetcher = createTestFetcher({ bars: { BHP: { [BEFORE]: { close: 10.75 }, [DAY]: { volume: 1500 } } } });
    const { runtime } = fetcher;
    await storeFile(runtime, { date: BEFORE, batchNumber: 7 }, [
      plainBar("BHP", BEFORE, 7),
      plainBar("CBA", BEFORE, 7),
    ]);
    await storeFile(runtime, { date: DAY }, [plainBar("BHP", DAY)]);
    await fetcher.wait(3_600_000);
    const answeredAt = runtime.clock.now();
    runtime.store.calls.length = 0;
    const result = await fetcher.fetch({ ...TWO, symbols: ["BHP"] });

    expect(result).toMatchObject({ revised: 1, earlier: [{ date: BEFORE, added: 0, revised: 1 }] });
    expect((await fetcher.stored(BEFORE, 7)).bars).toEqual([
      plainBar("BHP", BEFORE, 7, { close: 10.75, fetchTimestamp: answeredAt }),
      plainBar("CBA", BEFORE, 7),
    ]);
    expect((await fetcher.stored(DAY)).bars).toEqual([
      plainBar("BHP", DAY, 0, { volume: 1500, fetchTimestamp: answeredAt }),
    ]);
    expect(revisionsOf(fetcher, BEFORE, 7)).toMatchObject([
      { symbol: "BHP", before: { close: 10.5 }, after: { close: 10.75 }, fetchedAt: `${BEFORE}T09:30:00.000Z` },
    ]);
    expect(revisionsOf(fetcher, DAY)).toMatchObject([{ before: { volume: 1000 }, after: { volume: 1500 } }]);
    expect(runtime.store.calls.filter((call) => call.startsWith("replace"))).toEqual([
      `replace revisions/${BEFORE}-batch-7.json`,
      `replace raw-data/${BEFORE}-batch-7.parquet`,
      `replace revisions/${DAY}-batch-0.json`,
      `replace raw-data/${DAY}-batch-0.parquet`,
    ]);
  });

  it.each([
    ["the same values", {}],
    ["an adjusted close with the provider's noise", { adjustedClose: 10.25 * (1 + 0.5e-6) }],
  ])("leaves a bar as it was fetched where the answer has %s, and records and writes nothing", async (_, values) => {
    const fetcher = createTestFetcher({ bars: { BHP: { [BEFORE]: values, [DAY]: values } } });
    for (const date of TWO.sessions) await storeFile(fetcher.runtime, { date }, [plainBar("BHP", date)]);
    const before = [...fetcher.runtime.store.objects];
    const result = await fetcher.fetch({ ...TWO, symbols: ["BHP"] });
    expect(fetcher.paths).toHaveLength(1);
    expect(result).toMatchObject({ revised: 0, earlier: [] });
    expect([...fetcher.runtime.store.objects]).toEqual(before);
  });

  it.each<[string, Delivery | undefined, Readonly<Record<string, null>>]>([
    ["knows the symbol no more", withoutData(404, "BHP.AX"), {}],
    ["has no data", withoutData(400, "BHP.AX"), {}],
    ["has rows without prices", undefined, { [BEFORE]: null, [DAY]: null }],
    ["has no row", undefined, {}],
    ["is down", failing(503, "BHP.AX"), {}],
    ["refuses the request", failing(403, "BHP.AX"), {}],
  ])("keeps a stored bar where the provider now %s", async (_, delivery, rows) => {
    const fetcher = createTestFetcher({ bars: { CBA: WHOLE_WEEK, BHP: rows } }, delivery);
    for (const date of TWO.sessions) await storeFile(fetcher.runtime, { date }, [plainBar("BHP", date)]);
    const result = await fetcher.fetch({ ...TWO, symbols: ["CBA", "BHP"] });
    expect(result.counts).toMatchObject({ fetched: 2, failed: 0 });
    for (const date of TWO.sessions) {
      const { bars, reports } = await fetcher.stored(date);
      expect(bars.find(({ symbol }) => symbol === "BHP")).toEqual(plainBar("BHP", date));
      expect(reports).toEqual([]);
      expect(revisionsOf(fetcher, date)).toEqual([]);
    }
  });

  it("keeps a stored bar where the provider's new one is invalid", async () => {
    const fetcher = createTestFetcher({ bars: { BHP: { [DAY]: { low: 20 } } } });
    await storeFile(fetcher.runtime, { date: DAY }, [plainBar("BHP", DAY)]);
    expect((await fetcher.fetch({ ...CATCH_UP, symbols: ["BHP"], sessions: [DAY] })).counts).toMatchObject({
      fetched: 1,
    });
    expect((await fetcher.stored(DAY)).bars).toEqual([plainBar("BHP", DAY)]);
  });

  it("lets final outcomes stand against later failures", async () => {
    const reports: SymbolReport[] = [
      { symbol: "CBA", outcome: "noTrade" },
      { symbol: "NAB", outcome: "notFound" },
      { symbol: "RIO", outcome: "invalid", reason: "low 20 is above high 11" },
    ];
    const fetcher = createTestFetcher({ bars: { BHP: WHOLE_WEEK } }, failing(403, "CBA.AX", "NAB.AX", "RIO.AX"));
    for (const date of TWO.sessions) await storeFile(fetcher.runtime, { date }, [plainBar("BHP", date)], reports);
    const result = await fetcher.fetch({ ...TWO, symbols: ["BHP", "CBA", "NAB", "RIO"] });
    expect(result.counts).toMatchObject({ fetched: 1, noTrade: 1, notFound: 1, invalid: 1, failed: 0 });
    for (const date of TWO.sessions) expect((await fetcher.stored(date)).reports).toEqual(reports);
  });

  it("doubts the final outcomes of a batch without any bar: they can become unfinished", async () => {
    const fetcher = createTestFetcher({ bars: { BHP: WHOLE_WEEK, NAB: {} } }, failing(403, "CBA.AX"));
    const reports = ["BHP", "CBA", "NAB"].map((symbol): SymbolReport => ({ symbol, outcome: "notFound" }));
    await storeFile(fetcher.runtime, { date: DAY }, [], reports);
    const result = await fetcher.fetch({ symbols: ["BHP", "CBA", "NAB"], batchNumber: 0, date: DAY });
    expect(result.counts).toMatchObject({ fetched: 1, noTrade: 1, notFound: 0, failed: 1 });
    expect((await fetcher.stored(DAY)).reports).toMatchObject([
      { symbol: "CBA", outcome: "failed" },
      { symbol: "NAB", outcome: "noTrade" },
    ]);
  });

  it("tells of the earlier sessions to which it added something, and of no other", async () => {
    const fetcher = createTestFetcher({ bars: { BHP: { ...WHOLE_WEEK, "2024-05-28": { close: 10.75 } } } });
    for (const date of WEEK.slice(1)) await storeFile(fetcher.runtime, { date }, [plainBar("BHP", date)]);
    expect((await fetcher.fetch({ ...CATCH_UP, symbols: ["BHP"] })).earlier).toEqual([
      { date: "2024-05-27", added: 1, revised: 0 },
      { date: "2024-05-28", added: 0, revised: 1 },
    ]);
  });

  it.each(TWO.sessions)("refuses bars of another source on %s, before anything is asked or stored", async (date) => {
    const fetcher = createTestFetcher({ bars: { BHP: WHOLE_WEEK } });
    await storeFile(fetcher.runtime, { date, batchNumber: 3, source: "yahoo" }, [plainBar("CBA", date, 3)]);
    const before = [...fetcher.runtime.store.objects];
    const refused = fetcher.fetch({ ...TWO, symbols: ["BHP"] });
    await expect(refused).rejects.toThrow(InvalidInputError);
    await expect(refused).rejects.toThrow(
      `raw-data/${date}-batch-3.parquet holds bars of another source (yahoo, this run has stand-in)`,
    );
    expect(fetcher.paths).toEqual([]);
    expect([...fetcher.runtime.store.objects]).toEqual(before);
  });

  it("refuses sessions that do not end with its date, have not settled or are none, before anything is asked", async () => {
    const fetcher = createTestFetcher({ bars: { BHP: WHOLE_WEEK } }, undefined, `${DAY}T18:59:59+10:00`);
    const event = { ...CATCH_UP, symbols: ["BHP"] };
    await expect(fetcher.fetch({ ...event, date: BEFORE })).rejects.toThrow(InvalidInputError);
    await expect(fetcher.fetch(event)).rejects.toThrow(SessionNotSettledError);
    await expect(fetcher.fetch({ ...event, date: BEFORE, sessions: ["2024-05-26", BEFORE] })).rejects.toThrow(
      "no session on 2024-05-26",
    );
    expect(fetcher.paths).toEqual([]);
  });
});

describe("an earlier session that a batch catches up with", () => {
  it("takes of symbols that its own run did not know bars only: today's list says nothing about that day's", async () => {
    const bars = { BHP: WHOLE_WEEK, NEW: { [DAY]: {} }, LATE: WHOLE_WEEK };
    const fetcher = createTestFetcher({ bars });
    await storeSummary(fetcher.runtime.store, BEFORE, [fetchedReport("BHP")]);
    await storeFile(fetcher.runtime, { date: BEFORE }, [plainBar("BHP", BEFORE)]);
    const result = await fetcher.fetch({ ...TWO, symbols: ["BHP", "LATE", "NEW"] });
    expect(result.earlier).toEqual([{ date: BEFORE, added: 1, revised: 0 }]);
    const { bars: stored, reports } = await fetcher.stored(BEFORE);
    expect(stored.map(({ symbol }) => symbol)).toEqual(["BHP", "LATE"]);
    expect(reports).toEqual([]);
  });

  it("that was never run is filled whole, with an outcome for every symbol", async () => {
    const fetcher = createTestFetcher({ bars: { BHP: WHOLE_WEEK, NAB: {} } });
    await fetcher.fetch({ ...TWO, symbols: ["BHP", "NAB", "XYZ"] });
    const { bars, reports } = await fetcher.stored(BEFORE);
    expect(bars.map(({ symbol }) => symbol)).toEqual(["BHP"]);
    expect(reports).toEqual([
      { symbol: "NAB", outcome: "noTrade" },
      { symbol: "XYZ", outcome: "notFound" },
    ]);
  });

  it("gets no file of a batch that has nothing to put in it", async () => {
    const fetcher = createTestFetcher({ bars: { NEW: { [DAY]: {} }, BHP: WHOLE_WEEK } });
    await storeSummary(fetcher.runtime.store, BEFORE, [fetchedReport("BHP")]);
    await storeFile(fetcher.runtime, { date: BEFORE }, [plainBar("BHP", BEFORE)]);
    await fetcher.fetch({ ...TWO, batchNumber: 1, symbols: ["NEW", "BHP"] });
    const files = [...fetcher.runtime.store.objects.keys()].filter((key) => key.startsWith("raw-data/"));
    expect(files).toEqual([`raw-data/${BEFORE}-batch-0.parquet`, `raw-data/${DAY}-batch-1.parquet`]);
  });

  it.each([
    ["batch file", `raw-data/${BEFORE}-batch-0.parquet`],
    ["summary", `runs/${BEFORE}.json`],
    ["record of changes", `revisions/${BEFORE}-batch-0.json`],
  ])(
    "is left out where its %s is damaged: the others get their bars, and the damage is told and kept",
    async (_, key) => {
      const fetcher = createTestFetcher({ bars: { BHP: { ...WHOLE_WEEK, [BEFORE]: { close: 10.75 } } } });
      const { objects } = fetcher.runtime.store;
      await storeFile(fetcher.runtime, { date: BEFORE }, [plainBar("BHP", BEFORE)]);
      await storeSummary(fetcher.runtime.store, BEFORE, [fetchedReport("BHP")]);
      await fetcher.runtime.store.put(key, new TextEncoder().encode("{"));
      const before = [...objects];
      const result = await fetcher.fetch({ ...CATCH_UP, symbols: ["BHP"] });
      expect(result).toMatchObject({ rows: 1, earlier: WEEK.slice(0, 3).map((date) => ({ date, added: 1 })) });
      for (const [stored, bytes] of before) expect(objects.get(stored)).toEqual(bytes);
      expect(fetcher.runtime.logs).toContainEqual(
        expect.stringMatching(`^error ${BEFORE} is not read again: ${key} is damaged`),
      );
    },
  );

  it("is not touched by a run that does not catch up", async () => {
    const fetcher = createTestFetcher({ bars: { BHP: { [DAY]: { close: 10.75 } }, CBA: WHOLE_WEEK } });
    await storeFile(fetcher.runtime, { date: DAY }, [plainBar("BHP", DAY)]);
    await fetcher.fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(fetcher.paths).toEqual(["/v8/finance/chart/CBA.AX"]);
    expect((await fetcher.stored(DAY)).bars[0]).toEqual(plainBar("BHP", DAY));
    expect([...fetcher.runtime.store.objects.keys()]).toEqual([`raw-data/${DAY}-batch-0.parquet`]);
  });
});
