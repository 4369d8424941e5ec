import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Aggregator } from "../../aggregator/index.ts";
import { rebuildActions } from "../../aggregator/rebuild-actions.ts";
import { observeActions } from "../../domain/corporate-action.ts";
import { reviseBar } from "../../domain/revision.ts";
import { encodeActionsCsv } from "../../stores/actions-csv.ts";
import { type BarStore, barOf, openBarStore } from "../support/bar-store.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { putBatch, putRun, S3_ENVIRONMENT, type S3Bars, barOf as s3Bar, startS3Bars } from "../support/s3-bars.ts";

const [MON, TUE, WED] = ["2024-05-27", "2024-05-28", "2024-05-29"] as const;
const SEEN = Date.parse("2024-05-29T09:30:00Z");

/** The file of two values of BHP's dividend, of which the second holds, and a split of CBA. */
const FILE = encodeActionsCsv(
  observeActions(
    [],
    [1, 1.1].map((dividend, index) => ({
      ...{ symbol: "BHP", span: { from: MON, to: MON }, answeredAt: SEEN + index * 1_000 },
      ...{ dividends: new Map([[MON, dividend]]), splits: new Map() },
    })),
  ).concat(
    observeActions(
      [],
      [
        {
          symbol: "CBA",
          span: { from: WED, to: WED },
          answeredAt: SEEN,
          dividends: new Map(),
          splits: new Map([[WED, 2]]),
        },
      ],
    ),
  ),
);

async function linesOf(aggregator: Aggregator, options = {}): Promise<string[]> {
  return (await aggregator.actions(options)).toRows().map(({ symbol, ex_date, kind, value, superseded_at }) => {
    const end = superseded_at === null ? "" : ` until ${superseded_at.toISOString()}`;
    return `${symbol} ${ex_date} ${kind} ${value}${end}`;
  });
}

describe("the table of actions", () => {
  let opened: BarStore;
  beforeEach(async () => {
    opened = await openBarStore();
  });
  afterEach(() => opened.close());

  it("has what the files hold, as far as it holds", async () => {
    await opened.store.put("actions/2024.csv", FILE);
    expect((await opened.aggregator.actions()).names).toEqual([
      ...["symbol", "ex_date", "kind", "value", "first_seen", "last_confirmed", "superseded_at"],
    ]);
    expect((await opened.aggregator.actions({ symbols: ["BHP"] })).toRows()).toEqual([
      {
        ...{ symbol: "BHP", ex_date: MON, kind: "dividend", value: 1.1 },
        ...{ first_seen: new Date(SEEN + 1_000), last_confirmed: new Date(SEEN + 1_000), superseded_at: null },
      },
    ]);
    expect(await linesOf(opened.aggregator, { all: true })).toEqual([
      `BHP ${MON} dividend 1 until 2024-05-29T09:30:01.000Z`,
      `BHP ${MON} dividend 1.1`,
      `CBA ${WED} split 2`,
    ]);
    expect(await linesOf(opened.aggregator, { from: TUE })).toEqual([`CBA ${WED} split 2`]);
    expect(await linesOf(opened.aggregator, { to: TUE, symbols: ["cba", "bhp"] })).toEqual([`BHP ${MON} dividend 1.1`]);
  });

  it("has what only the bars of an older store say", async () => {
    const entry = await opened.putBars([barOf("NAB", { date: TUE, dividend: 0.84, splitRatio: null })], 0, TUE);
    await opened.putSummary([entry], ["NAB"], { date: TUE });
    await opened.putBars([barOf("WES", { date: WED, dividend: null, splitRatio: 0.5 })], null, WED);
    await opened.store.put("actions/2024.csv", FILE);
    expect(await linesOf(opened.aggregator)).toEqual([
      `BHP ${MON} dividend 1.1`,
      `CBA ${WED} split 2`,
      `NAB ${TUE} dividend 0.84`,
      `WES ${WED} split 0.5`,
    ]);
  });

  it.each<[object, string]>([
    [{ symbols: ["../x"] }, "is no ASX code"],
    [{ symbols: [] }, "name a symbol"],
    [{ from: "2024-02-30" }, "from is"],
    [{ from: WED, to: MON }, "give the earlier date first"],
    [{ kind: "split" }, "kind"],
  ])("refuses %j", async (options, message) => {
    await expect(opened.aggregator.actions(options)).rejects.toThrow(message);
  });
});

describe("rebuilding the table of actions", () => {
  let opened: BarStore;
  beforeEach(async () => {
    opened = await openBarStore();
    const entry = await opened.putBars([barOf("NAB", { date: TUE, dividend: 0.84, splitRatio: null })], 0, TUE);
    await opened.putSummary([entry], ["NAB"], { date: TUE });
  });
  afterEach(() => opened.close());

  const text = async () => new TextDecoder().decode(await opened.bytesOf("actions/2024.csv"));

  it("makes the folder again from bars and the records of their changes, and then has nothing to do", async () => {
    const before = barOf("NAB", {
      date: TUE,
      dividend: 0.8,
      splitRatio: null,
      fetchTimestamp: Date.parse(`${TUE}T09:30Z`),
    });
    const revision = reviseBar(before, barOf("NAB", { date: TUE, dividend: 0.84, splitRatio: null }));
    const record = { version: 1, date: TUE, revisions: [revision] };
    await opened.store.put(`revisions/${TUE}-batch-0.json`, new TextEncoder().encode(JSON.stringify(record)));
    expect(await opened.aggregator.rebuildActions()).toEqual({
      actions: 2,
      written: ["actions/2024.csv"],
      damaged: [],
    });
    const fetched = "2024-05-31T09:40:00.123Z";
    expect(await text()).toBe(
      [
        "symbol,ex_date,kind,value,first_seen,last_confirmed,superseded_at",
        `NAB,${TUE},dividend,0.8,${TUE}T09:30:00.000Z,${TUE}T09:30:00.000Z,${fetched}`,
        `NAB,${TUE},dividend,0.84,${fetched},${fetched},`,
        "",
      ].join("\n"),
    );
    expect(await opened.aggregator.rebuildActions()).toEqual({ actions: 2, written: [], damaged: [] });
  });

  it("keeps what the files hold", async () => {
    await opened.store.put("actions/2024.csv", FILE);
    await opened.aggregator.rebuildActions();
    expect((await text()).split("\n").map((line) => line.slice(0, 3))).toEqual(["sym", "BHP", "BHP", "CBA", "NAB", ""]);
  });

  it("tells of a damaged file, and writes it anew", async () => {
    await opened.store.put("actions/2024.csv", new TextEncoder().encode("damaged"));
    const { written, damaged } = await opened.aggregator.rebuildActions();
    expect([written, damaged]).toEqual([
      ["actions/2024.csv"],
      [expect.stringContaining("actions/2024.csv is damaged")],
    ]);
    expect(await linesOf(opened.aggregator)).toEqual([`NAB ${TUE} dividend 0.84`]);
  });

  it("begins again where a run records meanwhile, and loses nothing", async () => {
    const own = createMemoryStore();
    const replace = own.replace.bind(own);
    let isFirst = true;
    own.replace = async (...args) => {
      if (isFirst) await own.put("actions/2024.csv", FILE);
      isFirst = false;
      await replace(...args);
    };
    const known = observeActions(
      [],
      [
        {
          symbol: "NAB",
          span: { from: TUE, to: TUE },
          answeredAt: SEEN,
          dividends: new Map([[TUE, 1]]),
          splits: new Map(),
        },
      ],
    );
    expect(await rebuildActions(own, known)).toMatchObject({ actions: 4 });
  });
});

describe("actions in S3", () => {
  let s3: S3Bars;
  beforeEach(async () => {
    for (const [name, value] of Object.entries(S3_ENVIRONMENT)) vi.stubEnv(name, value);
    s3 = await startS3Bars();
    for (const date of [MON, TUE]) {
      const batch = await putBatch(s3.store, date, 0, [
        s3Bar("CBA", date, { fetchTimestamp: Date.parse(`${date}T09:30Z`) }),
      ]);
      await putRun(s3.store, date, [batch]);
    }
    await s3.store.put("actions/2024.csv", FILE);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await s3.close();
  });

  const open = () => s3.open({ now: () => Date.parse("2024-06-01T10:00:00Z"), onWarning: () => undefined });

  it("come from the cache where the store cannot be reached, for a later process too", async () => {
    const first = await open();
    const online = Array.from((await first.loadAll({ adjust: "splits" })).close);
    expect(online).toEqual([44.51 / 2, 44.51 / 2]);
    await s3.front.close();
    for (const aggregator of [first, await open()]) {
      expect(Array.from((await aggregator.loadAll({ adjust: "splits" })).close)).toEqual(online);
      expect(await linesOf(aggregator)).toEqual([`BHP ${MON} dividend 1.1`, `CBA ${WED} split 2`]);
    }
  });

  it("are fetched once, and asked for by a listing after that", async () => {
    const aggregator = await open();
    await aggregator.loadAll({ adjust: "splits" });
    s3.requests();
    await aggregator.loadAll({ adjust: "all" });
    const { gets, lists } = s3.requests();
    expect(gets.filter((key) => key.includes("actions/"))).toEqual([]);
    expect(lists.filter((prefix) => prefix.includes("actions"))).toHaveLength(1);
  });
});
