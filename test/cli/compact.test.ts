import { access, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeCompaction } from "../../cli/compact.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { sha256 } from "../../stores/sha256.ts";
import { barOf } from "../support/bar-store.ts";
import { putBackfill } from "../support/history-store.ts";
import { type StoredDays, storeDays } from "../support/stored-days.ts";
import { asx } from "../support/test-terminal.ts";

let stored: StoredDays;
let folder: string;

beforeEach(async () => {
  stored = await storeDays({ "2024-05-29": "complete", "2024-05-31": "partial" });
  folder = join(stored.folder, "store");
});
afterEach(() => stored.remove());

const onStore = (verb: string, ...args: string[]) => asx([verb, "--store", stored.store, ...args]);

async function damage(date: string): Promise<void> {
  await writeFile(join(folder, "raw-data", `${date}-batch-0.parquet`), "no parquet");
}

describe("asx merge", () => {
  it("says how many bars of how many files are in one, and where it is", async () => {
    const { stdout, stderr, exitCode } = await onStore("merge", "--date", "2024-05-29");
    const [, path = ""] = /^ASX 2024-05-29: 2 bars of 1 file in one \(.* kB\)\nFile: (.*)\n$/.exec(stdout) ?? [];
    await access(path);
    expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  });

  it("says how many backfills it is of", async () => {
    const past = (symbol: string, date: string) => barOf(symbol, { date });
    const store = createLocalStore(folder);
    const dates = ["2024-05-29", "2024-05-30"];
    for (const [from, symbol] of [
      ["2024-05-29", "NAB"],
      ["2024-05-30", "WOW"],
    ] as const) {
      const span = { from, to: "2024-05-30" };
      await putBackfill(store, {
        span,
        batches: [dates.filter((date) => date >= from).map((date) => past(symbol, date))],
      });
    }
    const merged = async (date: string) => (await onStore("merge", "--date", date)).stdout;
    expect(await merged("2024-05-29")).toMatch(/^ASX 2024-05-29: 3 bars of 1 file and 1 backfill in one /);
    expect(await merged("2024-05-30")).toMatch(/^ASX 2024-05-30: 2 bars of 2 backfills in one /);
  });

  it("with --json says the same, with the file's SHA-256", async () => {
    const { stdout } = await onStore("merge", "--date", "2024-05-29", "--json");
    const { key, ...merged } = JSON.parse(stdout);
    const bytes = await readFile(join(folder, key));
    const file = { bytes: bytes.length, sha256: sha256(bytes), url: join(folder, key) };
    expect(merged).toEqual({ date: "2024-05-29", rows: 2, batches: 1, backfills: 0, ...file });
  });

  it("of a date that is not stored or damaged ends with 1 and says why", async () => {
    await damage("2024-05-29");
    expect(await onStore("merge", "--date", "2024-05-29")).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: expect.stringContaining("2024-05-29-batch-0.parquet is not the file"),
    });
    expect(await onStore("merge", "--date", "2024-05-30")).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: expect.stringContaining("holds no bars of 2024-05-30"),
    });
  });

  it("without a date is bad usage", async () => {
    expect(await onStore("merge")).toMatchObject({ exitCode: 64, stdout: "" });
  });
});

describe("asx compact", () => {
  it("says what was written and how large it is, and the second time that there is nothing to do", async () => {
    const before = await onStore("query", "from bars order by symbol, date", "--format", "csv");
    const first = await onStore("compact");
    const [name] = (await readdir(join(folder, "curated"))).filter((file) => file.startsWith("bars-"));
    expect(first.stdout.split("\n")[1]).toMatch(new RegExp(`^curated/${name} +2 +3 +\\d\\.\\d kB$`));
    expect(first.stdout).toMatch(/^3 bars of history in file:.*; 1 compacted file, \d\.\d kB\.$/m);
    expect(first).toMatchObject({ stderr: "", exitCode: 0 });
    const again = await onStore("compact");
    expect(again.stdout).toMatch(/^Nothing to do: 3 bars of history in .*; 1 compacted file, .*\.\n$/);
    expect(await onStore("query", "from bars order by symbol, date", "--format", "csv")).toEqual(before);
  });

  it("with --json prints the result of the library", async () => {
    const { stdout } = await onStore("compact", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ rows: 3, unchanged: [], skipped: [], files: [{ rows: 3, days: 2 }] });
  });

  it("ends with 1 where a date cannot be read; --skip-bad-files leaves it out, names it and ends with 2", async () => {
    await damage("2024-05-31");
    const refused = await onStore("compact");
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toContain("2024-05-31-batch-0.parquet");
    expect(refused.stderr).toContain("or leave them out with --skip-bad-files\n");
    const skipped = await onStore("compact", "--skip-bad-files");
    expect(skipped.exitCode).toBe(2);
    expect(skipped.stdout).toMatch(/ 1 {5}2 .*\n\n2 bars of history/);
    expect(skipped.stdout).toContain(
      "Left out, as 1 file cannot be read:\n  raw-data/2024-05-31-batch-0.parquet: it is not the file",
    );
  });

  it("of a store without bars says so", async () => {
    await mkdir(join(stored.folder, "empty"));
    const empty = `file:${join(stored.folder, "empty")}`;
    expect(await asx(["compact", "--store", empty])).toEqual({
      stdout: `Nothing to do: no bars in ${empty} to compact.\n`,
      stderr: "",
      exitCode: 0,
    });
  });

  it("names a few of many files that were left out, and older ones that were removed", () => {
    const skipped = Array.from({ length: 12 }, (_, batch) => ({
      date: "2024-05-31",
      key: `raw-data/2024-05-31-batch-${batch}.parquet`,
      reason: "it is\u001b[31m gone",
    }));
    const text = describeCompaction(
      { files: [], written: [], unchanged: [], removed: ["curated/a.parquet"], skipped, rows: 0 },
      { store: "s3://my-bucket" },
    );
    expect(text).toContain(
      "Nothing to do: no bars in s3://my-bucket to compact.\n1 older file removed.\nLeft out, as 12",
    );
    expect(text).toContain("  and 2 more; --json names all\nRun their dates again");
    expect(text).not.toContain("\u001b");
  });
});
