import { posix } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidInputError } from "../../domain/errors.ts";
import {
  actionsKey,
  assertSafeKey,
  backfillKey,
  backfillLockKey,
  backfillsPrefix,
  type HistoryName,
  historyFilesPrefix,
  historyKey,
  historyPrefix,
  lockKey,
  type PendingName,
  parseActionsKey,
  parseBackfillKey,
  parseBackfillLockKey,
  parseHistoryKey,
  parsePendingKey,
  parseRawDataKey,
  parseRevisionsKey,
  parseRunKey,
  parseRunLockKey,
  parseSymbolsKey,
  pendingFolder,
  pendingKey,
  type RawDataName,
  rawDataKey,
  rawDataPrefix,
  revisionsKey,
  revisionsPrefix,
  runKey,
  runLockKey,
  runsPrefix,
  symbolsKey,
  symbolsPrefix,
} from "../../domain/object-keys.ts";

const dates = fc
  .date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T00:00:00Z"), noInvalidDate: true })
  .map((instant) => instant.toISOString().slice(0, 10));

const names: fc.Arbitrary<RawDataName> = fc.record({
  date: dates,
  batchNumber: fc.option(fc.nat(999_999), { nil: null }),
});

const spans = fc.tuple(dates, dates).map(([one, other]) => ({
  from: one < other ? one : other,
  to: one < other ? other : one,
}));

const histories: fc.Arbitrary<HistoryName> = fc
  .tuple(spans, fc.nat(999_999))
  .map(([span, batchNumber]) => ({ ...span, batchNumber }));

const pendings: fc.Arbitrary<PendingName> = fc
  .tuple(spans, fc.stringMatching(/^[A-Z0-9]{3,6}$/))
  .map(([span, symbol]) => ({ ...span, symbol }));

const years = fc.integer({ min: 0, max: 9999 }).map((year) => String(year).padStart(4, "0"));

const keys = fc.oneof(
  histories.map(historyKey),
  pendings.map(pendingKey),
  spans.map(backfillKey),
  spans.map(backfillLockKey),
  years.map(actionsKey),
  names.map(rawDataKey),
  names.map(revisionsKey),
  dates.map(symbolsKey),
  dates.map(runKey),
  dates.map(runLockKey),
);

/** Keys with a character put in, taken out or replaced: the near misses. */
const nearKeys = fc
  .tuple(
    keys,
    fc.nat(40),
    fc.nat(1),
    fc.string({ unit: fc.constantFrom("0", "9", "-", "/", ".", "a", "\n", " "), maxLength: 1 }),
  )
  .map(([key, at, removed, added]) => key.slice(0, at) + added + key.slice(at + removed));

const SPAN = { from: "2016-01-04", to: "2025-12-31" };

describe("a key", () => {
  it.each([
    ["the symbols of a day", symbolsKey("2024-05-31"), "symbols/2024-05-31-symbols.csv"],
    ["the first batch", rawDataKey({ date: "2024-05-31", batchNumber: 0 }), "raw-data/2024-05-31-batch-0.parquet"],
    ["batch 19", rawDataKey({ date: "2024-05-31", batchNumber: 19 }), "raw-data/2024-05-31-batch-19.parquet"],
    ["a whole day", rawDataKey({ date: "2024-05-31", batchNumber: null }), "raw-data/2024-05-31.parquet"],
    [
      "a batch's changed bars",
      revisionsKey({ date: "2024-05-31", batchNumber: 19 }),
      "revisions/2024-05-31-batch-19.json",
    ],
    [
      "a whole day's changed bars",
      revisionsKey({ date: "2024-05-31", batchNumber: null }),
      "revisions/2024-05-31.json",
    ],
    ["a run", runKey("2024-05-31"), "runs/2024-05-31.json"],
    ["a run's lock", runLockKey("2024-05-31"), "runs/2024-05-31.lock"],
    ["the same, by what is locked", lockKey("2024-05-31"), "runs/2024-05-31.lock"],
    ["a batch of a backfill", historyKey({ ...SPAN, batchNumber: 7 }), "history/2016-01-04_2025-12-31-batch-7.parquet"],
    ["a backfill", backfillKey(SPAN), "backfills/2016-01-04_2025-12-31.json"],
    ["a backfill's lock", lockKey("2016-01-04_2025-12-31"), "backfills/2016-01-04_2025-12-31.lock"],
    ["pending history", pendingKey({ ...SPAN, symbol: "BHP" }), "pending/2016-01-04_2025-12-31/BHP.json.gz"],
    ["a year's actions", actionsKey("2024"), "actions/2024.csv"],
  ])("of %s is as the design has it", (_, key, expected) => {
    expect(key).toBe(expected);
  });

  it("of a batch gives its date and number back", () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(parseRawDataKey(rawDataKey(name))).toEqual(name);
        expect(parseRevisionsKey(revisionsKey(name))).toEqual(name);
      }),
    );
  });

  it("of symbols or of a run gives its date back", () => {
    fc.assert(
      fc.property(dates, (date) => {
        expect(parseSymbolsKey(symbolsKey(date))).toBe(date);
        expect(parseRunKey(runKey(date))).toBe(date);
        expect(parseRunLockKey(runLockKey(date))).toBe(date);
      }),
    );
  });

  it("of a backfill gives its dates back, with batch or symbol", () => {
    fc.assert(
      fc.property(spans, histories, pendings, years, (span, history, pending, year) => {
        expect(parseBackfillKey(backfillKey(span))).toEqual(span);
        expect(parseBackfillLockKey(backfillLockKey(span))).toEqual(span);
        expect(parseHistoryKey(historyKey(history))).toEqual(history);
        expect(parsePendingKey(pendingKey(pending))).toEqual(pending);
        expect(parseActionsKey(actionsKey(year))).toBe(year);
      }),
    );
  });

  it("is read by the parser of its own kind only", () => {
    fc.assert(
      fc.property(keys, (key) => {
        const readers = [
          parseSymbolsKey(key),
          parseRawDataKey(key),
          parseRevisionsKey(key),
          parseRunKey(key),
          parseRunLockKey(key),
          parseHistoryKey(key),
          parsePendingKey(key),
          parseBackfillKey(key),
          parseBackfillLockKey(key),
          parseActionsKey(key),
        ];
        expect(readers.filter((found) => found !== undefined)).toHaveLength(1);
      }),
    );
  });

  it("is safe", () => {
    fc.assert(
      fc.property(keys, (key) => {
        expect(() => assertSafeKey(key)).not.toThrow();
      }),
    );
  });

  it("lies under the prefix by which it is listed", () => {
    fc.assert(
      fc.property(names, histories, pendings, (name, history, pending) => {
        expect(historyKey(history).startsWith(historyFilesPrefix(history))).toBe(true);
        expect(historyKey(history).startsWith(historyPrefix)).toBe(true);
        expect(pendingKey(pending).startsWith(pendingFolder(pending))).toBe(true);
        expect(backfillKey(history).startsWith(backfillsPrefix)).toBe(true);
        expect(rawDataKey(name).startsWith(rawDataPrefix(name.date))).toBe(true);
        expect(symbolsKey(name.date).startsWith(symbolsPrefix)).toBe(true);
        expect(revisionsKey(name).startsWith(revisionsPrefix)).toBe(true);
        expect(runKey(name.date).startsWith(runsPrefix)).toBe(true);
      }),
    );
  });
});

describe("text that no key is", () => {
  it("is read as undefined, however near it comes", () => {
    fc.assert(
      fc.property(fc.oneof(nearKeys, fc.string()), (text) => {
        const raw = parseRawDataKey(text);
        const symbols = parseSymbolsKey(text);
        const run = parseRunKey(text);
        const revisions = parseRevisionsKey(text);
        const history = parseHistoryKey(text);
        const pending = parsePendingKey(text);
        const backfill = parseBackfillKey(text);
        const year = parseActionsKey(text);
        if (history !== undefined) expect(historyKey(history)).toBe(text);
        if (pending !== undefined) expect(pendingKey(pending)).toBe(text);
        if (backfill !== undefined) expect(backfillKey(backfill)).toBe(text);
        if (year !== undefined) expect(actionsKey(year)).toBe(text);
        if (raw !== undefined) expect(rawDataKey(raw)).toBe(text);
        if (revisions !== undefined) expect(revisionsKey(revisions)).toBe(text);
        if (symbols !== undefined) expect(symbolsKey(symbols)).toBe(text);
        if (run !== undefined) expect(runKey(run)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ["empty", ""],
    ["the folder alone", "raw-data/"],
    ["a date that does not exist", "raw-data/2024-02-30.parquet"],
    ["a batch of a date that does not exist", "raw-data/2024-13-01-batch-0.parquet"],
    ["a number with a leading zero", "raw-data/2024-05-31-batch-00.parquet"],
    ["a number below zero", "raw-data/2024-05-31-batch--1.parquet"],
    ["a number of seven digits", "raw-data/2024-05-31-batch-1000000.parquet"],
    ["no number", "raw-data/2024-05-31-batch-.parquet"],
    ["another ending", "raw-data/2024-05-31.csv"],
    ["a temporary ending", "raw-data/2024-05-31.parquet.tmp"],
    ["a line break at its end", "raw-data/2024-05-31.parquet\n"],
    ["a folder before it", "x/raw-data/2024-05-31.parquet"],
    ["a slash before it", "/raw-data/2024-05-31.parquet"],
    ["a folder inside", "raw-data/2024/2024-05-31.parquet"],
    ["a parent folder inside", "raw-data/../2024-05-31.parquet"],
    ["capitals", "raw-data/2024-05-31.PARQUET"],
    ["a dot that is another character", "raw-data/2024-05-31xparquet"],
    ["symbols of a date that does not exist", "symbols/2023-02-29-symbols.csv"],
    ["symbols without their name", "symbols/2024-05-31.csv"],
    ["a run of a date that does not exist", "runs/2024-06-31.json"],
    ["a run with a batch", "runs/2024-05-31-batch-0.json"],
    ["changed bars of a date that does not exist", "revisions/2024-02-30-batch-0.json"],
    ["changed bars of a batch with a leading zero", "revisions/2024-05-31-batch-01.json"],
    ["changed bars in a folder", "revisions/x/2024-05-31.json"],
    ["a backward span", "history/2024-05-31_2024-05-30-batch-0.parquet"],
    ["a span to a date that does not exist", "backfills/2024-01-02_2024-02-30.json"],
    ["history without a batch", "history/2024-01-02_2024-05-31.parquet"],
    ["a batch in the folder of records", "backfills/2024-01-02_2024-05-31-batch-0.json"],
    ["pending history of no code", "pending/2024-01-02_2024-05-31/bhp.json.gz"],
    ["pending history outside its folder", "pending/2024-01-02_2024-05-31/../BHP.json.gz"],
    ["actions of no year", "actions/24.csv"],
  ])("is undefined: %s", (_, text) => {
    expect(parseRawDataKey(text)).toBeUndefined();
    expect(parseSymbolsKey(text)).toBeUndefined();
    expect(parseRunKey(text)).toBeUndefined();
    expect(parseRevisionsKey(text)).toBeUndefined();
    expect(parseHistoryKey(text)).toBeUndefined();
    expect(parseBackfillKey(text)).toBeUndefined();
    expect(parseBackfillLockKey(text)).toBeUndefined();
    expect(parsePendingKey(text)).toBeUndefined();
    expect(parseActionsKey(text)).toBeUndefined();
  });
});

describe("building a key", () => {
  const builders = [
    { name: "symbolsKey", build: symbolsKey },
    { name: "runKey", build: runKey },
    { name: "rawDataPrefix", build: rawDataPrefix },
    { name: "rawDataKey", build: (date: string) => rawDataKey({ date, batchNumber: 0 }) },
    { name: "revisionsKey", build: (date: string) => revisionsKey({ date, batchNumber: 0 }) },
    { name: "historyKey", build: (date: string) => historyKey({ from: date, to: date, batchNumber: 0 }) },
    { name: "backfillKey", build: (date: string) => backfillKey({ from: date, to: date }) },
    { name: "pendingKey", build: (date: string) => pendingKey({ from: date, to: date, symbol: "BHP" }) },
    { name: "lockKey", build: (date: string) => lockKey(`${date}_${date}`) },
  ];
  const noDates = ["2024-02-30", "2024-5-31", "../../etc/passwd", "2024-05-31/../x", "2024-05-31\n", "today", ""];

  it.each(builders.flatMap(({ name, build }) => noDates.map((date) => ({ name, build, date }))))(
    "$name refuses the date $date",
    ({ build, date }) => {
      expect(() => build(date)).toThrow(InvalidInputError);
      expect(() => build(date)).toThrow(JSON.stringify(date));
    },
  );

  it.each([-1, 0.5, 1_000_000, Number.NaN, Infinity])("refuses the batch number %d", (batchNumber) => {
    expect(() => rawDataKey({ date: "2024-05-31", batchNumber })).toThrow(InvalidInputError);
    expect(() => rawDataKey({ date: "2024-05-31", batchNumber })).toThrow(String(batchNumber));
    expect(() => revisionsKey({ date: "2024-05-31", batchNumber })).toThrow(String(batchNumber));
  });
});

describe("a safe key", () => {
  it.each([
    "a",
    "raw-data/2024-05-31.parquet",
    "curated/year=2024/part-0.parquet",
    "_under/-dash/=equals",
    "a..b",
    "a.",
    "x".repeat(200),
    `${"x".repeat(199)}/`.repeat(4) + "x".repeat(100),
  ])("may be %s", (key) => {
    expect(() => assertSafeKey(key)).not.toThrow();
  });

  it.each([
    ["empty", ""],
    ["a slash", "/"],
    ["a slash at its start", "/x"],
    ["a slash at its end", "x/"],
    ["an empty folder", "a//b"],
    ["the parent folder", ".."],
    ["a file of the parent folder", "../x"],
    ["a way up inside", "a/../b"],
    ["a way up at its end", "a/.."],
    ["the same folder", "./a"],
    ["a hidden file", ".hidden"],
    ["a hidden file in a folder", "a/.hidden"],
    ["a backslash", "a\\b"],
    ["a way up with backslashes", "..\\x"],
    ["a drive", "C:x"],
    ["a percent sign", "a%2e%2e"],
    ["a space", "a b"],
    ["a line break at its end", "a\n"],
    ["a null character", "a\0b"],
    ["a question mark", "a?b"],
    ["a letter beyond ASCII", "é"],
    ["a part of 201 characters", "x".repeat(201)],
    ["901 characters", [...Array.from({ length: 9 }, () => "x".repeat(99)), "x"].join("/")],
  ])("is not %s", (_, key) => {
    expect(() => assertSafeKey(key)).toThrow(InvalidInputError);
  });

  it("may have 900 characters and no more", () => {
    const longest = `${"x".repeat(99)}/`.repeat(8) + "x".repeat(100);
    expect(longest).toHaveLength(900);
    expect(() => assertSafeKey(longest)).not.toThrow();
    expect(() => assertSafeKey(`x${longest}`)).toThrow(InvalidInputError);
  });

  it("is quoted where it is refused, but never at full length", () => {
    expect(() => assertSafeKey("../x")).toThrow('"../x"');
    expect(() => assertSafeKey("/".repeat(5_000))).toThrow(/^.{1,250}$/);
  });

  it("never leaves the folder it is put in, and is one way only to write its path", () => {
    const texts = fc.string({ unit: fc.constantFrom("a", "/", ".", "..", "\\", "-", "%"), maxLength: 12 });
    fc.assert(
      fc.property(texts, (text) => {
        try {
          assertSafeKey(text);
        } catch {
          return;
        }
        expect(posix.join("/store", text)).toBe(`/store/${text}`);
        expect(new URL(`https://host/${text}`).pathname).toBe(`/${text}`);
      }),
      { numRuns: 2_000 },
    );
  });
});
