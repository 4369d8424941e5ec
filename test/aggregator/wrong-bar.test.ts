import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StoredFileError } from "../../domain/errors.ts";
import { type BarStore, barOf, barQuery, closesOf, DAY, openBarStore, parquetOf } from "../support/bar-store.ts";

describe("a file that a summary names, with a bar that no run writes", () => {
  let stored: BarStore;

  beforeEach(async () => {
    stored = await openBarStore();
  });
  afterEach(() => stored.close());

  /** Stores BHP with other values than a bar may have, and CBA in another file. */
  async function store(replaced: Record<string, string>, symbol = "BHP"): Promise<void> {
    const bytes = await parquetOf(barQuery(replaced, symbol));
    const others = await stored.putBars([barOf("CBA", { close: 44.5, batchNumber: 1 })], 1);
    await stored.putSummary([await stored.putBytes(bytes, 0, DAY, 1), others], ["BHP", "CBA"]);
  }

  const prices = { open: "44.3", high: "44.59", low: "43.95", close: "44.51" };
  const priced = (changed: Record<string, string>): string =>
    `${Object.entries({ ...prices, ...changed })
      .map((pair) => pair.join(" "))
      .join(", ")}: a price is finite and above 0`;

  it.each([
    ["volume", "9007199254740993::BIGINT", "volume 9007199254740993, not a whole number from 0 to 9007199254740991"],
    ["volume", "18446744073709551615::UBIGINT", "volume 18446744073709551615, not a whole number"],
    ["volume", "-1::BIGINT", "volume -1, not a whole number"],
    ["volume", "NULL::BIGINT", "volume null, not a whole number"],
    ["open", "NULL::DOUBLE", priced({ open: "null" })],
    ["high", "'infinity'::DOUBLE", priced({ high: "inf" })],
    ["low", "0::DOUBLE", priced({ low: "0.0" })],
    ["low", "'-infinity'::DOUBLE", priced({ low: "-inf" })],
    ["close", "'nan'::DOUBLE", priced({ close: "nan" })],
  ])("is refused with what it is: %s %s", async (column, value, reason) => {
    await store({ [column]: value });
    const expected = new RegExp(
      `raw-data/${DAY}-batch-0.parquet has a bar of BHP with ${reason}.*; restore it, or delete it and run the date again`,
    );
    for (const ask of [
      () => stored.aggregator.loadDate(DAY),
      () => stored.aggregator.sql("SELECT * FROM bars"),
      () => stored.aggregator.mergeDailyBatches(DAY),
    ]) {
      const error = await ask().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(StoredFileError);
      expect(String(error)).toMatch(expected);
    }
  });

  it.each(["BHP.AX", "bhp", "BH", "BHPBHPB", "", "BHP\u001b[2J", "BHP\n"])(
    "is refused by its symbol: %j",
    async (symbol) => {
      await store({}, symbol);
      const error = await stored.aggregator.loadDate(DAY).catch((thrown: unknown) => String(thrown));
      expect(error).toMatch(
        /batch-0\.parquet has a bar of ".*", which is no ASX code: 3 to 6 of A-Z and 0-9; restore it/,
      );
    },
  );

  it("is left out where bad files are", async () => {
    await store({ volume: "9007199254740993::BIGINT" });
    const bars = await stored.aggregator.loadDate(DAY, { onBadFile: "skip" });
    expect(bars.toRows().map(({ symbol }) => symbol)).toEqual(["CBA"]);
    expect(bars.coverage.skipped).toMatchObject([{ reason: expect.stringMatching(/volume 9007199254740993/) }]);
  });

  it("is not one with the highest volume and prices that there can be", async () => {
    const highest = `${Number.MAX_VALUE}::DOUBLE`;
    await store({ volume: "9007199254740991::BIGINT", open: highest, high: highest, low: "5e-324::DOUBLE" });
    expect(await closesOf(stored.aggregator)).toEqual([
      ["BHP", 44.51],
      ["CBA", 44.5],
    ]);
    const [bar] = (await stored.aggregator.loadDate(DAY)).toRows();
    expect(bar).toMatchObject({ volume: 9_007_199_254_740_991, open: Number.MAX_VALUE, low: 5e-324 });
  });

  it("is told from one of single precision beside which it is looked at", async () => {
    const single = await parquetOf(barQuery({ open: "44.25::FLOAT" }));
    const small = await parquetOf(barQuery({ open: "1e-300::DOUBLE", batch_number: "1::INTEGER" }, "CBA"));
    await stored.putSummary(
      [await stored.putBytes(single, 0, DAY, 1), await stored.putBytes(small, 1, DAY, 1)],
      ["BHP", "CBA"],
    );
    expect((await stored.aggregator.loadDate(DAY)).toRows().map(({ open }) => open)).toEqual([44.25, 1e-300]);
  });
});
