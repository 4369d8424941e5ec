/** Flipped bits: the values that were written, an error, or a report; never other values as if nothing were. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StoredFileError } from "../../aggregator/index.ts";
import { type BarStore, barOf, barQuery, closesOf, DAY, openBarStore, parquetOf } from "../support/bar-store.ts";
import { unsealed } from "../support/unsealed.ts";

const KEY = `raw-data/${DAY}-batch-0.parquet`;
const BARS = [
  barOf("BHP"),
  barOf("CBA", { close: 44, dividend: null }),
  barOf("WOW", { close: 43.95, volume: 0, splitRatio: null }),
];

let stored: BarStore;
beforeEach(async () => {
  stored = await openBarStore({ timeoutMs: 2_000 });
});
afterEach(async () => {
  await stored.close();
});

/** The file with one bit of every 64th byte flipped, each by itself, a different bit each time. */
function* flips(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 64) {
    const flipped = Uint8Array.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << ((at / 64) % 8));
    yield flipped;
  }
}

/** What is read of the flipped file: undefined where it was left out, which has to be told. */
async function readSkipping(): Promise<string | undefined> {
  const { aggregator } = stored;
  const bars = await aggregator.loadDate(DAY, { onBadFile: "skip" });
  if (bars.coverage.skipped.length > 0) {
    expect(bars.coverage.skipped).toMatchObject([{ key: KEY }]);
    expect(bars.length).toBe(0);
    return undefined;
  }
  const rows = JSON.stringify(bars.toRows());
  expect(JSON.stringify((await aggregator.loadDateRange("2024-05-01", DAY)).toRows())).toBe(rows);
  expect(JSON.stringify((await aggregator.sql("SELECT * FROM bars ORDER BY symbol")).toRows())).toBe(rows);
  expect(bars.coverage.unverified).toEqual([KEY]);
  return rows;
}

describe("a flipped bit in every 64th byte", () => {
  it("of a file that a run summary names is found", async () => {
    const entry = await stored.putBars(BARS);
    await stored.putSummary([entry], ["BHP", "CBA", "WOW"]);
    const bytes = await stored.bytesOf(KEY);
    for (const flipped of flips(bytes)) {
      await stored.store.put(KEY, flipped);
      await expect(stored.aggregator.loadDate(DAY)).rejects.toThrow(StoredFileError);
      await expect(stored.aggregator.sql("SELECT 1 FROM bars")).rejects.toThrow(`${KEY} is not the file that`);
    }
    await stored.store.put(KEY, bytes);
    expect(await closesOf(stored.aggregator)).toHaveLength(3);
  });

  it("of a sealed file without a run summary is found", async () => {
    await stored.putBars(BARS);
    const bytes = await stored.bytesOf(KEY);
    for (const flipped of flips(bytes)) {
      await stored.store.put(KEY, flipped);
      await expect(stored.aggregator.loadDate(DAY)).rejects.toThrow(StoredFileError);
      expect(await readSkipping()).toBeUndefined();
    }
    await stored.store.put(KEY, bytes);
    expect(await closesOf(stored.aggregator)).toHaveLength(3);
  });

  it("of a file that nothing vouches for changes no value", async () => {
    await stored.putBars(BARS);
    const bytes = unsealed(await stored.bytesOf(KEY));
    await stored.store.put(KEY, bytes);
    const right = await readSkipping();
    expect(right).toMatch(/"CBA"/);
    const found = new Set<string | undefined>();
    for (const flipped of flips(bytes)) {
      await stored.store.put(KEY, flipped);
      found.add(await readSkipping());
    }
    for (const rows of found) if (rows !== undefined) expect(rows).toBe(right);
    expect(found.has(undefined)).toBe(true);
  });

  it("of a file of others, without any sum in it, is found or told as unverified", async () => {
    const bytes = await parquetOf(`${barQuery()} UNION ALL ${barQuery({}, "CBA")}`, ", COMPRESSION zstd");
    for (const flipped of flips(bytes)) {
      await stored.store.put(KEY, flipped);
      await readSkipping();
    }
  });
});

it("a file that holds its reader for ever ends in an error within the time that was set", async () => {
  await stored.putBars(BARS.slice(0, 2));
  const file = Buffer.from(unsealed(await stored.bytesOf(KEY)));
  // The type of the second field in the header of the page of adjusted closes, the seventh column.
  const header = "\x15\x06\x15";
  const type = file.toString("latin1").split(header).slice(0, 7).join(header).length + 2;
  file[type] = (file[type] ?? 0) ^ 2;
  await stored.store.put(KEY, file);
  await expect(stored.aggregator.loadDate(DAY)).rejects.toThrow(
    new RegExp(`${KEY} is damaged .*could not be read within 2000 ms; restore it`),
  );
  await expect(stored.aggregator.sql("SELECT * FROM bars")).rejects.toThrow(StoredFileError);
});
