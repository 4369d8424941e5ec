import { describe, expect, it } from "vitest";
import type { Bar } from "../../domain/bar.ts";
import { reviseBar, revision, revisionsFile } from "../../domain/revision.ts";

const BEFORE: Bar = {
  symbol: "BHP",
  date: "2024-05-31",
  open: 10,
  high: 11,
  low: 9,
  close: 10.5,
  adjustedClose: 10.25,
  volume: 1000,
  dividend: null,
  splitRatio: null,
  fetchTimestamp: Date.parse("2024-05-31T09:30:00Z"),
  batchNumber: 3,
};

/** The same bar as it is fetched three days later, with other values. */
function later(values: Partial<Bar> = {}): Bar {
  return { ...BEFORE, fetchTimestamp: Date.parse("2024-06-03T21:00:00.5Z"), batchNumber: 7, ...values };
}

describe("the record of a changed bar", () => {
  it("holds the symbol, old and new values, and when each came", () => {
    expect(reviseBar(BEFORE, later({ close: 10.75, volume: 1200 }))).toEqual({
      symbol: "BHP",
      fetchedAt: "2024-05-31T09:30:00.000Z",
      revisedAt: "2024-06-03T21:00:00.500Z",
      before: {
        ...{ open: 10, high: 11, low: 9, close: 10.5 },
        ...{ adjustedClose: 10.25, volume: 1000, dividend: null, splitRatio: null },
      },
      after: {
        ...{ open: 10, high: 11, low: 9, close: 10.75 },
        ...{ adjustedClose: 10.25, volume: 1200, dividend: null, splitRatio: null },
      },
    });
  });

  it.each<[string, Partial<Bar>]>([
    ["the open", { open: 10.001 }],
    ["the high", { high: 11.5 }],
    ["the low", { low: 8.5 }],
    ["the close", { close: 10.51 }],
    ["the volume, by one share", { volume: 1001 }],
    ["a dividend that was not there", { dividend: 0.25 }],
    ["a split that was not there", { splitRatio: 2 }],
    ["an adjusted close that is gone", { adjustedClose: null }],
    ["the adjusted close, by more than noise", { adjustedClose: 10.25 * (1 + 2e-6) }],
    ["the adjusted close, downwards", { adjustedClose: 10.25 * (1 - 2e-6) }],
  ])("is made where it differs in %s", (_, values) => {
    expect(revision.safeParse(reviseBar(BEFORE, later(values))).success).toBe(true);
  });

  it.each<[string, Bar, Bar]>([
    ["is fetched again, in another batch, and is the same", BEFORE, later()],
    ["has an adjusted close with noise upwards", BEFORE, later({ adjustedClose: 10.25 * (1 + 0.9e-6) })],
    ["has an adjusted close with noise downwards", BEFORE, later({ adjustedClose: 10.25 * (1 - 0.9e-6) })],
    ["has no adjusted close, as before", { ...BEFORE, adjustedClose: null }, later({ adjustedClose: null })],
  ])("is not made where the bar %s", (_, before, after) => {
    expect(reviseBar(before, after)).toBeUndefined();
  });

  it("is made where the bar had no adjusted close and now has one", () => {
    expect(reviseBar({ ...BEFORE, adjustedClose: null }, later())).toMatchObject({
      before: { adjustedClose: null },
      after: { adjustedClose: 10.25 },
    });
  });
});

describe("a file of revisions", () => {
  const record = reviseBar(BEFORE, later({ close: 10.75 }));
  const file = { version: 1, date: "2024-05-31", revisions: [record] };

  it("is read as it was written", () => {
    expect(revisionsFile.parse(JSON.parse(JSON.stringify(file)))).toEqual(file);
  });

  it.each([
    ["another version", { ...file, version: 2 }],
    ["no date", { ...file, date: undefined }],
    ["a symbol that is none", { ...file, revisions: [{ ...record, symbol: "../x" }] }],
    ["a change without its old values", { ...file, revisions: [{ ...record, before: undefined }] }],
    ["an instant without a zone", { ...file, revisions: [{ ...record, revisedAt: "2024-06-03T21:00:00" }] }],
  ])("is refused with %s", (_, value) => {
    expect(revisionsFile.safeParse(value).success).toBe(false);
  });
});
