import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fileSumsText, parseFileSums } from "../../aggregator/file-sums.ts";

const sha256 = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 64, maxLength: 64 });
const files = fc
  .uniqueArray(fc.tuple(fc.option(fc.nat(999_999)), sha256), { selector: ([batch]) => batch, maxLength: 30 })
  .map((all) =>
    all.map(([batch, hash]) => ({
      key: `raw-data/2024-05-31${batch === null ? "" : `-batch-${batch}`}.parquet`,
      sha256: hash,
    })),
  );

describe("the hashes of a date's files", () => {
  it("come back from their text, by batch, the older form first", () => {
    fc.assert(
      fc.property(files, (given) => {
        const back = parseFileSums(fileSumsText(given));
        expect(new Set(back.map(({ key, sha256: hash }) => `${key} ${hash}`))).toEqual(
          new Set(given.map(({ key, sha256: hash }) => `${key} ${hash}`)),
        );
        const batches = back.map(({ key }) => Number(/batch-(\d+)/.exec(key)?.[1] ?? -1));
        expect(batches).toEqual(batches.toSorted((one, other) => one - other));
      }),
    );
  });

  it("are the same text in whatever order they are listed", () => {
    fc.assert(
      fc.property(files, (given) => {
        expect(fileSumsText(given.toReversed())).toBe(fileSumsText(given));
      }),
    );
  });

  it("leave out batches that stored no file", () => {
    expect(fileSumsText([{ key: null, sha256: null }])).toBe("");
    expect(fileSumsText([{ key: "raw-data/2024-05-31-batch-0.parquet", sha256: null }])).toBe("");
  });

  it.each(["", "\n", "x  2024-05-31.parquet\n", `${"0".repeat(64)}  ../2024-05-31.parquet\n`, `${"0".repeat(64)} a\n`])(
    "%j names no file",
    (text) => {
      expect(parseFileSums(text)).toEqual([]);
    },
  );
});
