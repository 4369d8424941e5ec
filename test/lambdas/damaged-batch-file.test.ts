/** Damaged batch files (P01, P02): right contents or a StoredFileError, never other contents, never a reader that hangs. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Bar } from "../../domain/bar.ts";
import { StoredFileError } from "../../domain/errors.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { type BatchContents, decodeBatchFile } from "../../stores/batch-file-reader.ts";
import { checkSeal, SEAL_METADATA_KEY } from "../../stores/file-seal.ts";
import { unsealed } from "../support/unsealed.ts";

const KEY = "raw-data/2024-05-31-batch-3.parquet";
const MARK_BYTES = SEAL_METADATA_KEY.length + 2;

function bar(symbol: string, close: number): Bar {
  return {
    symbol,
    date: "2024-05-31",
    open: close,
    high: close,
    low: close,
    close,
    adjustedClose: close,
    volume: 18_577_219,
    dividend: null,
    splitRatio: null,
    fetchTimestamp: Date.UTC(2024, 4, 31, 9, 30, 0, 123),
    batchNumber: 3,
  };
}

const CONTENTS: BatchContents = {
  bars: [bar("BHP", 44.51), bar("CBA", 119.4)],
  reports: [{ symbol: "XYZ", outcome: "noTrade" }],
  source: "yahoo",
};

let bytes: Uint8Array;
/** Where the mark of the seal begins. */
let mark: number;
beforeAll(async () => {
  bytes = await encodeBatchFile(CONTENTS);
  mark = Buffer.from(bytes).lastIndexOf(SEAL_METADATA_KEY);
});

function flipped(file: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(file);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** Reads a file that may be damaged: `refused` for a StoredFileError, and for what was read whether it is right. */
async function outcomeOf(file: Uint8Array, deadlineMs?: number): Promise<"refused" | "right" | "wrong"> {
  try {
    return JSON.stringify(await decodeBatchFile(KEY, file, deadlineMs)) === JSON.stringify(CONTENTS)
      ? "right"
      : "wrong";
  } catch (error) {
    if (error instanceof StoredFileError && error.message.startsWith(KEY)) return "refused";
    throw error;
  }
}

describe("a sealed batch file", () => {
  it("with any one bit flipped is refused (P02)", async () => {
    const accepted: number[] = [];
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      if (bit >> 3 >= mark && bit >> 3 < mark + MARK_BYTES) continue;
      if ((await outcomeOf(flipped(bytes, bit))) !== "refused") accepted.push(bit);
    }
    expect(accepted).toEqual([]);
  });

  it("whose seal is not found any more for a flipped bit is refused or holds just what it held (P02)", async () => {
    const read = await Promise.all(
      Array.from({ length: MARK_BYTES }, (_, index) => {
        const damaged = flipped(bytes, (mark + index) * 8 + (index % 8));
        expect(checkSeal(damaged)).toBe("none");
        return outcomeOf(damaged);
      }),
    );
    expect(read).toContain("right");
    expect(read).not.toContain("wrong");
  });

  it("cut at any length is refused (P01)", async () => {
    const accepted: number[] = [];
    for (let length = 0; length < bytes.length; length += 1) {
      if ((await outcomeOf(bytes.subarray(0, length))) !== "refused") accepted.push(length);
    }
    expect(accepted).toEqual([]);
  });

  it("with bytes after its end, or in the middle, is refused", async () => {
    const middle = bytes.length >> 1;
    for (const parts of [
      [bytes, bytes],
      [bytes, Uint8Array.of(0)],
      [bytes.subarray(0, middle), Uint8Array.of(0), bytes.subarray(middle)],
    ]) {
      expect(await outcomeOf(Buffer.concat(parts))).toBe("refused");
    }
  });
});

describe("a batch file without a seal", () => {
  it("is read all the same", async () => {
    expect(checkSeal(unsealed(bytes))).toBe("none");
    expect(await outcomeOf(unsealed(bytes))).toBe("right");
  });

  it("whose damage would hold the reader for ever is refused at the deadline (P02)", async () => {
    const file = unsealed(bytes);
    // The type of the second field in the header of the page of adjusted closes, the seventh column.
    const header = "\x15\x06\x15";
    const before = Buffer.from(file).toString("latin1").split(header).slice(0, 7).join(header);
    const type = before.length + 2;
    await expect(decodeBatchFile(KEY, flipped(file, type * 8 + 1), 1_000)).rejects.toThrow(
      /^raw-data\/.*: it could not be read within 1000 ms; restore it/,
    );
  });

  it("cut at any length is refused at once (P01)", async () => {
    const file = unsealed(bytes);
    for (let length = 0; length < file.length; length += 1) {
      expect(await outcomeOf(file.subarray(0, length), 0)).toBe("refused");
    }
  });
});
