import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import {
  addUpstream,
  type BatchResult,
  batchEvent,
  batchResult,
  countOutcomes,
  dealIntoLanes,
  isFinal,
  lostBatch,
  NOTHING_ASKED,
  SYMBOL_OUTCOMES,
  type SymbolUpdate,
  splitIntoBatches,
  symbolBatch,
  symbolReport,
  symbolUpdate,
  symbolUpdaterEvent,
  UNFINISHED_NAMED,
  workflowRun,
} from "../../domain/batch.ts";
import { InvalidInputError } from "../../domain/errors.ts";

/** So many different codes, in no alphabetical order. */
function someSymbols(count: number): string[] {
  return Array.from({ length: count }, (_, index) =>
    ((index * 7_919) % 46_656).toString(36).toUpperCase().padStart(3, "0"),
  );
}

describe("splitting into batches of 100", () => {
  it.each([
    [0, 0, 0],
    [1, 1, 1],
    [99, 1, 99],
    [100, 1, 100],
    [101, 2, 1],
    [1_000, 10, 100],
    [1_978, 20, 78],
    [5_000, 50, 100],
  ])("gives of %i symbols %i batches, the last with %i", (count, batches, inLast) => {
    const symbols = someSymbols(count);
    expect(new Set(symbols).size).toBe(count);
    const split = splitIntoBatches(symbols, 100);
    expect(split).toHaveLength(batches);
    expect(split.at(-1)?.symbols.length ?? 0).toBe(inLast);
    expect(split.flatMap((batch) => batch.symbols)).toEqual(symbols);
    expect(split.map(({ batchNumber }) => batchNumber)).toEqual(Array.from({ length: batches }, (_, index) => index));
  });
});

describe("splitting into batches", () => {
  const anySymbols = fc.uniqueArray(fc.stringMatching(/^[A-Z0-9]{3,6}$/), { maxLength: 300 });
  const anySize = fc.integer({ min: 1, max: 350 });

  it("puts every symbol into exactly one batch, in the order they came", () => {
    fc.assert(
      fc.property(anySymbols, anySize, (symbols, size) => {
        expect(splitIntoBatches(symbols, size).flatMap((batch) => batch.symbols)).toEqual(symbols);
      }),
    );
  });

  it("fills every batch but the last, and makes none empty or too large", () => {
    fc.assert(
      fc.property(anySymbols, anySize, (symbols, size) => {
        const batches = splitIntoBatches(symbols, size);
        for (const batch of batches.slice(0, -1)) expect(batch.symbols).toHaveLength(size);
        const last = batches.at(-1)?.symbols.length;
        if (last !== undefined) expect(last > 0 && last <= size).toBe(true);
      }),
    );
  });

  it("numbers the batches from 0 without a gap", () => {
    fc.assert(
      fc.property(anySymbols, anySize, (symbols, size) => {
        splitIntoBatches(symbols, size).forEach((batch, index) => {
          expect(batch.batchNumber).toBe(index);
        });
      }),
    );
  });

  it("leaves the list it was given as it was", () => {
    const symbols = someSymbols(250);
    splitIntoBatches(symbols, 100).forEach((batch) => {
      batch.symbols.reverse();
    });
    expect(symbols).toEqual(someSymbols(250));
  });

  it("takes at 5,000 codes of six characters a quarter of what a message may hold", () => {
    const symbols = someSymbols(5_000).map((code) => code.padEnd(6, "X"));
    expect(JSON.stringify(splitIntoBatches(symbols, 100)).length).toBeLessThan(262_144 / 4);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity])("refuses the batch size %d", (size) => {
    expect(() => splitIntoBatches(["BHP"], size)).toThrow(InvalidInputError);
    expect(() => splitIntoBatches(["BHP"], size)).toThrow(`batch size ${size}`);
  });
});

describe("an outcome", () => {
  it.each([
    ["fetched", true],
    ["noTrade", true],
    ["notFound", true],
    ["invalid", true],
    ["failed", false],
    ["deferred", false],
  ] as const)("%s is final: %s", (outcome, final) => {
    expect(isFinal(outcome)).toBe(final);
  });

  it("is one of six", () => {
    expect(Object.values(SYMBOL_OUTCOMES)).toEqual(["fetched", "noTrade", "notFound", "invalid", "failed", "deferred"]);
  });

  it("is counted, and one that nobody had counts 0", () => {
    const reports = (["fetched", "failed", "fetched", "deferred", "noTrade", "fetched"] as const).map((outcome) => ({
      outcome,
    }));
    expect(countOutcomes(reports)).toEqual({ fetched: 3, noTrade: 1, notFound: 0, invalid: 0, failed: 1, deferred: 1 });
    expect(countOutcomes([])).toEqual({ fetched: 0, noTrade: 0, notFound: 0, invalid: 0, failed: 0, deferred: 0 });
  });
});

describe("dealing batches into lanes", () => {
  const anyNumbers = fc.uniqueArray(fc.nat(999), { maxLength: 60 });
  const most = fc.integer({ min: 1, max: 40 });

  it("gives them out in turn", () => {
    expect(dealIntoLanes([0, 1, 2, 3, 4, 5, 6], 3)).toEqual([
      [0, 3, 6],
      [1, 4],
      [2, 5],
    ]);
  });

  it("puts every batch into exactly one lane, in order", () => {
    fc.assert(
      fc.property(anyNumbers, most, (numbers, lanes) => {
        const dealt = dealIntoLanes(numbers, lanes);
        expect(dealt.flat().toSorted((one, other) => one - other)).toEqual(
          numbers.toSorted((one, other) => one - other),
        );
        for (const lane of dealt) expect(lane).toEqual(numbers.filter((number) => lane.includes(number)));
      }),
    );
  });

  it("makes no more lanes than allowed, none empty, and none longer than another by more than one", () => {
    fc.assert(
      fc.property(anyNumbers, most, (numbers, lanes) => {
        const lengths = dealIntoLanes(numbers, lanes).map(({ length }) => length);
        expect(lengths).toHaveLength(Math.min(lanes, numbers.length));
        if (lengths.length === 0) return;
        expect(Math.min(...lengths)).toBeGreaterThan(0);
        expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("counters of the upstream", () => {
  const some = { requests: 7, retries: 2, rateLimited: 1, breakerOpenings: 1, waitedMs: 350.5 };

  it("are added one by one", () => {
    const other = { requests: 100, retries: 20, rateLimited: 3, breakerOpenings: 0, waitedMs: 1000 };
    expect(addUpstream(some, other)).toEqual({
      requests: 107,
      retries: 22,
      rateLimited: 4,
      breakerOpenings: 1,
      waitedMs: 1350.5,
    });
  });

  it("stay as they are where nothing was asked", () => {
    expect(addUpstream(some, NOTHING_ASKED)).toEqual(some);
    expect(addUpstream(NOTHING_ASKED, some)).toEqual(some);
  });
});

const UPSTREAM = { requests: 105, retries: 5, rateLimited: 2, breakerOpenings: 0, waitedMs: 4_300 };
const RUN = { id: "arn:aws:states:ap-southeast-2:1:execution:daily:x", attempt: 2, upstream: UPSTREAM, unread: [3] };

const UPDATE: SymbolUpdate = {
  date: "2024-05-31",
  tradingDay: true,
  sessions: ["2024-05-30", "2024-05-31"],
  symbols: ["14D", "29M"],
  symbolBatches: [{ symbols: ["14D", "29M"], batchNumber: 0 }],
  lanes: [[0]],
  catchUp: true,
  run: RUN,
  metadata: {
    totalSymbols: 2,
    numBatches: 1,
    batchSize: 100,
    isLatest: true,
    s3Key: "symbols/2024-05-31-symbols.csv",
    source: "asx-directory",
    changes: { comparedTo: "2024-05-30", added: ["14D"], removed: ["ABC"] },
    warnings: [],
  },
};

const RESULT: BatchResult = {
  date: "2024-05-31",
  batchNumber: 0,
  s3Key: "raw-data/2024-05-31-batch-0.parquet",
  rows: 97,
  bytes: 9_214,
  sha256: "0123456789abcdef".repeat(4),
  counts: { fetched: 97, noTrade: 2, notFound: 1, invalid: 0, failed: 0, deferred: 0 },
  unfinished: [{ symbol: "XYZ", outcome: "failed", reason: "HTTP 503 after 5 attempts" }],
  revised: 3,
  earlier: [{ date: "2024-05-30", added: 2, revised: 1 }],
  unread: 4,
  upstream: UPSTREAM,
  stopped: { by: "breaker", reason: "8 bad answers in a row, the last: HTTP 503" },
  durationMs: 12_840,
};

const LOST = { batchNumber: 3, error: { Error: "States.Timeout", Cause: "timed out" } };

describe("a message as the design has it", () => {
  it.each<[string, z.ZodType, unknown]>([
    ["what starts the updater, with nothing", symbolUpdaterEvent, {}],
    ["what starts the updater, with a date", symbolUpdaterEvent, { date: "2024-05-31" }],
    [
      "what starts the updater, with everything",
      symbolUpdaterEvent,
      { date: "2024-05-31", symbols: ["BHP", "360"], acceptDirectory: true, catchUp: true, run: RUN },
    ],
    ["a batch", symbolBatch, { symbols: ["14D", "BHP"], batchNumber: 0 }],
    ["the last batch there can be", symbolBatch, { symbols: [], batchNumber: 999_999 }],
    ["what the updater returns", symbolUpdate, UPDATE],
    [
      "what the updater returns where the market was closed and nothing is stored",
      symbolUpdate,
      {
        ...UPDATE,
        tradingDay: false,
        sessions: ["2024-05-31"],
        symbols: [],
        symbolBatches: [],
        lanes: [],
        metadata: {
          ...UPDATE.metadata,
          totalSymbols: 0,
          numBatches: 0,
          isLatest: false,
          s3Key: null,
          source: "none",
          changes: { comparedTo: null, added: [], removed: [] },
        },
      },
    ],
    ["what starts a fetcher, with nothing", batchEvent, {}],
    [
      "what starts a fetcher, with everything",
      batchEvent,
      {
        symbols: ["BHP"],
        batchNumber: 0,
        date: "2024-05-31",
        sessions: ["2024-05-30", "2024-05-31"],
        catchUp: true,
        lanes: 10,
        lane: 9,
        run: RUN,
      },
    ],
    ["what a fetcher returns", batchResult, RESULT],
    ["what a fetcher returns to a call that named no batch", batchResult, { ...RESULT, batchNumber: null }],
    ["a lost batch", lostBatch, LOST],
    ["a report without a reason", symbolReport, { symbol: "BHP", outcome: "fetched" }],
  ])("is taken as it is: %s", (_, schema, message) => {
    expect(schema.parse(JSON.parse(JSON.stringify(message)))).toEqual(message);
  });

  it("may be of a fetcher from before it counted requests", () => {
    const { revised, earlier, unread, upstream, stopped, ...older } = RESULT;
    expect(batchResult.parse(older)).toEqual({
      ...older,
      ...{ revised: 0, earlier: [], unread: 0, upstream: NOTHING_ASKED, stopped: null },
    });
  });

  it("may have a run that has just begun, by its name alone", () => {
    expect(workflowRun.parse({ id: "x" })).toEqual({ id: "x", attempt: 1, upstream: NOTHING_ASKED });
  });

  it("may have a lost batch without a cause", () => {
    expect(lostBatch.parse({ batchNumber: 3, error: { Error: "States.Timeout" } }).error.Cause).toBe("");
  });

  it("names up to three unfinished symbols and no more", () => {
    expect(UNFINISHED_NAMED).toBe(3);
    const unfinished = someSymbols(4).map((symbol) => ({ symbol, outcome: "failed" }));
    expect(batchResult.safeParse({ ...RESULT, unfinished: unfinished.slice(0, 3) }).success).toBe(true);
    expect(batchResult.safeParse({ ...RESULT, unfinished }).success).toBe(false);
  });
});

describe("a message is refused", () => {
  const metadata = UPDATE.metadata;

  it.each<[string, z.ZodType, unknown, string]>([
    ["for a date that does not exist", symbolUpdaterEvent, { date: "2024-02-30" }, "date"],
    ["for a date with a time", batchEvent, { date: "2024-05-31T00:00:00Z" }, "date"],
    ["for a result of no date", batchResult, { ...RESULT, date: "" }, "date"],
    ["for an update of no date", symbolUpdate, { ...UPDATE, date: "31/05/2024" }, "date"],
    ["for a code in lower case", symbolBatch, { symbols: ["BHP", "cba"], batchNumber: 0 }, "symbols.1"],
    ["for a ticker", batchEvent, { symbols: ["BHP.AX"] }, "symbols.0"],
    ["for a code that became a number", symbolUpdaterEvent, { symbols: [360] }, "symbols.0"],
    ["for a path as a code", symbolReport, { symbol: "../", outcome: "fetched" }, "symbol"],
    [
      "for an added code that is none",
      symbolUpdate,
      { ...UPDATE, metadata: { ...metadata, changes: { ...metadata.changes, added: ["a"] } } },
      "metadata.changes.added.0",
    ],
    ["for an empty list of named codes", symbolUpdaterEvent, { symbols: [] }, "symbols"],
    ["for 10,001 codes", batchEvent, { symbols: someSymbols(10_001) }, "symbols"],
    ["for a batch number below 0", symbolBatch, { symbols: ["BHP"], batchNumber: -1 }, "batchNumber"],
    ["for half a batch number", batchEvent, { batchNumber: 0.5 }, "batchNumber"],
    ["for a batch number of seven digits", batchEvent, { batchNumber: 1_000_000 }, "batchNumber"],
    ["for a batch number as text", batchEvent, { batchNumber: "0" }, "batchNumber"],
    ["for a batch without a number", symbolBatch, { symbols: ["BHP"] }, "batchNumber"],
    ["for a lost batch without a number", lostBatch, { ...LOST, batchNumber: null }, "batchNumber"],
    [
      "for a batch inside an update",
      symbolUpdate,
      { ...UPDATE, symbolBatches: [{ symbols: ["BHP"], batchNumber: -1 }] },
      "symbolBatches.0.batchNumber",
    ],
    ["for no lanes", batchEvent, { lanes: 0 }, "lanes"],
    ["for a lane below 0", batchEvent, { lane: -1 }, "lane"],
    ["for no session", batchEvent, { sessions: [] }, "sessions"],
    ["for 71 sessions", batchEvent, { sessions: Array(71).fill("2024-05-31") }, "sessions"],
    ["for a session that does not exist", batchEvent, { sessions: ["2024-02-30"] }, "sessions.0"],
    ["for a run without a name", batchEvent, { run: { id: "" } }, "run.id"],
    ["for a round 0", symbolUpdaterEvent, { run: { id: "x", attempt: 0 } }, "run.attempt"],
    ["for yes instead of true", batchEvent, { catchUp: "yes" }, "catchUp"],
    ["for a batch in a lane that is none", symbolUpdate, { ...UPDATE, lanes: [[0.5]] }, "lanes.0.0"],
    ["for a stop nobody knows", batchResult, { ...RESULT, stopped: { by: "boredom", reason: "" } }, "stopped.by"],
    ["for requests below 0", batchResult, { ...RESULT, upstream: { ...UPSTREAM, requests: -1 } }, "upstream.requests"],
    ["for an unknown outcome", symbolReport, { symbol: "BHP", outcome: "lost" }, "outcome"],
    [
      "for an unknown source",
      symbolUpdate,
      { ...UPDATE, metadata: { ...metadata, source: "guess" } },
      "metadata.source",
    ],
    [
      "for a batch size of 0",
      symbolUpdate,
      { ...UPDATE, metadata: { ...metadata, batchSize: 0 } },
      "metadata.batchSize",
    ],
    ["for rows below 0", batchResult, { ...RESULT, rows: -1 }, "rows"],
    ["for half a byte", batchResult, { ...RESULT, bytes: 0.5 }, "bytes"],
    [
      "for a count that is missing",
      batchResult,
      { ...RESULT, counts: { ...RESULT.counts, deferred: undefined } },
      "counts.deferred",
    ],
    ["for a hash in capitals", batchResult, { ...RESULT, sha256: RESULT.sha256.toUpperCase() }, "sha256"],
    ["for a hash that is too short", batchResult, { ...RESULT, sha256: RESULT.sha256.slice(1) }, "sha256"],
    ["for yes instead of true", symbolUpdaterEvent, { acceptDirectory: "yes" }, "acceptDirectory"],
  ])("%s", (_, schema, message, path) => {
    const issues = schema.safeParse(message).error?.issues ?? [];
    expect(issues.map((issue) => issue.path.join("."))).toEqual([path]);
  });

  it.each<[string, z.ZodType]>([
    ["the updater's event", symbolUpdaterEvent],
    ["the fetcher's event", batchEvent],
    ["a batch", symbolBatch],
    ["an update", symbolUpdate],
    ["a result", batchResult],
  ])("where it is no object: %s", (_, schema) => {
    for (const message of [null, [], "BHP", 7]) expect(schema.safeParse(message).success).toBe(false);
  });
});
