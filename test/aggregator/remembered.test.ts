import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { type CacheFolder, openCacheFolder } from "../../aggregator/cache-folder.ts";
import { Remembered } from "../../aggregator/remembered.ts";

const entry = z.object({ rows: z.number() });
const MAY = "raw-data/2024-05-31-batch-0.parquet";
const JUNE = "raw-data/2024-06-03-batch-0.parquet";

let home: string;
let folder: CacheFolder;
let warnings: string[];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  warnings = [];
  folder = openCacheFolder({
    folder: join(home, "cache"),
    storeUrl: "file:/data",
    warn: (text) => warnings.push(text),
  });
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

function open(name = "files"): Remembered<z.infer<typeof entry>> {
  return new Remembered(folder, name, entry);
}

describe("what was found out about objects", () => {
  it("is there while they have their mark, and in the next process", async () => {
    const first = open();
    await first.load([MAY, JUNE]);
    expect(first.get(MAY, "a")).toBeUndefined();
    first.set(MAY, "a", { rows: 1 });
    first.set(JUNE, "b", { rows: 2 });
    expect(first.get(MAY, "a")).toEqual({ rows: 1 });
    expect(first.get(MAY, "b")).toBeUndefined();
    await first.save();
    const next = open();
    await next.load([MAY, JUNE]);
    expect([next.get(MAY, "a"), next.get(JUNE, "b"), next.get(MAY, "c")]).toEqual([
      { rows: 1 },
      { rows: 2 },
      undefined,
    ]);
    expect(await readdir(folder.path)).toEqual(["files-2024-05.json", "files-2024-06.json"]);
  });

  it("of two kinds does not mix", async () => {
    const files = open();
    files.set(MAY, "a", { rows: 1 });
    await files.save();
    const runs = open("runs");
    await runs.load([MAY]);
    expect(runs.get(MAY, "a")).toBeUndefined();
  });

  it.each([
    ["damaged", "{"],
    ["of another form", `{"${MAY}":{"mark":"a","entry":{"rows":"1"}}}`],
    ["a list", "[]"],
    ["empty", ""],
  ])("is found out again where the file is %s", async (_, text) => {
    await mkdir(folder.path, { recursive: true });
    await writeFile(join(folder.path, "files-2024-05.json"), text);
    const remembered = open();
    await remembered.load([MAY]);
    expect(remembered.get(MAY, "a")).toBeUndefined();
    remembered.set(MAY, "a", { rows: 1 });
    await remembered.save();
    const next = open();
    await next.load([MAY]);
    expect(next.get(MAY, "a")).toEqual({ rows: 1 });
  });

  it("is saved only where something is new", async () => {
    const remembered = open();
    await remembered.load([MAY]);
    await remembered.save();
    await expect(readdir(folder.path)).rejects.toThrow("ENOENT");
  });

  it("is kept in memory where it cannot be saved, with one warning", async () => {
    await writeFile(join(home, "cache"), "a file where the folder should be");
    const remembered = open();
    for (const [at, key] of [MAY, JUNE].entries()) {
      remembered.set(key, "a", { rows: at });
      await remembered.save();
    }
    expect(remembered.get(MAY, "a")).toEqual({ rows: 0 });
    expect(warnings).toHaveLength(1);
  });
});
