import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type StoredDays, storeDays } from "../support/stored-days.ts";
import { asx } from "../support/test-terminal.ts";

let stored: StoredDays;

beforeAll(async () => {
  stored = await storeDays({ "2024-05-29": "complete" });
});
afterAll(() => stored.remove());

it("a cache folder that cannot be written is told with the option that names another", async () => {
  const cache = join(stored.folder, "cache");
  await mkdir(cache);
  await asx(["query", "from bars", "--store", stored.store, "--cache-dir", cache]);
  await rm(cache, { recursive: true });
  await writeFile(cache, "a file");
  const { stderr } = await asx(["query", "from bars", "--store", stored.store, "--cache-dir", cache]);
  expect(stderr).toContain("--cache-dir");
  expect(stderr).not.toContain("cacheDir");
});
