import { execFile, spawnSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { barOf, putBatch, putRun, S3_ENVIRONMENT, type S3Bars, startS3Bars } from "../support/s3-bars.ts";

const SCRIPT = fileURLToPath(new URL("../support/load-range.ts", import.meta.url));
const run = promisify(execFile);
const [FROM, TO] = ["2024-05-01", "2024-05-10"] as const;
const DAYS = Array.from({ length: 10 }, (_, day) => `2024-05-${String(day + 1).padStart(2, "0")}`);

const report = z.object({
  closes: z.array(z.string()).optional(),
  error: z.object({ name: z.string(), message: z.string() }).optional(),
  warnings: z.array(z.string()),
});

let s3: S3Bars;
let expected: string[];

beforeEach(async () => {
  for (const [name, value] of Object.entries(S3_ENVIRONMENT)) vi.stubEnv(name, value);
  s3 = await startS3Bars();
  expected = [];
  for (const [day, date] of DAYS.entries()) {
    const batches = ["A", "B", "C"].map((letter, batchNumber) => {
      const symbols = Array.from({ length: 100 }, (_, index) => `${letter}${String(index).padStart(2, "0")}`);
      const closes = symbols.map((symbol, index) => ({ symbol, close: 44 + (day * 100 + index) / 2_000 }));
      expected.push(...closes.map(({ symbol, close }) => `${symbol} ${date} ${close}`));
      return putBatch(
        s3.store,
        date,
        batchNumber,
        closes.map((values) => barOf(values.symbol, date, { ...values, batchNumber })),
      );
    });
    await putRun(s3.store, date, await Promise.all(batches));
  }
  expected.sort();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await s3.close();
});

/** Commands of sh that load all days, of which standard output is the report. */
function loading(): string[] {
  return [process.execPath, "--no-warnings", SCRIPT, s3.url, s3.front.endpoint, s3.cacheDir, FROM, TO];
}

async function reportsOf([file = "", ...args]: string[]): Promise<z.infer<typeof report>[]> {
  const { stdout } = await run(file, args, { env: { ...process.env, ...S3_ENVIRONMENT } });
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => report.parse(JSON.parse(line)));
}

async function temporaryFiles(): Promise<string[]> {
  return (await readdir(s3.cacheDir, { recursive: true })).filter((path) => path.endsWith(".tmp"));
}

describe("processes on one cache folder", () => {
  it("that load at once both get every bar right, and a later one fetches nothing", async () => {
    const all = await Promise.all([1, 2, 3].map(() => reportsOf(loading())));
    for (const [each] of all) expect([each?.closes, each?.warnings, each?.error]).toEqual([expected, [], undefined]);
    expect(await temporaryFiles()).toEqual([]);
    s3.requests();
    expect((await reportsOf(loading()))[0]?.closes).toEqual(expected);
    expect(s3.requests().gets).toEqual([]);
  });
});

describe("a disk without room", () => {
  const unshare = ["unshare", "--map-root-user", "--mount"];
  const canMount =
    spawnSync(unshare[0] ?? "", [...unshare.slice(1), "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;

  it.skipIf(!canMount)("is an error that names the cache folder; with room the same folder serves", async () => {
    const script = [
      `mount -t tmpfs -o size=200k none '${s3.cacheDir}'`,
      '"$@"',
      `test -z "$(find '${s3.cacheDir}' -name '*.tmp')"`,
      `mount -o remount,size=50m '${s3.cacheDir}'`,
      '"$@"',
    ].join(" && ");
    const [full, roomy] = await reportsOf([...unshare, "sh", "-c", script, "sh", ...loading()]);
    expect(full?.closes).toBeUndefined();
    expect(full?.error).toMatchObject({
      name: "StoreRefusedError",
      message: expect.stringMatching(/^cache folder .* has no room for \d+ bytes: free space, or .* as cacheDir$/),
    });
    expect(full?.error?.message).toContain(s3.cacheDir);
    expect([roomy?.closes, roomy?.warnings, roomy?.error]).toEqual([expected, [], undefined]);
  });
});
