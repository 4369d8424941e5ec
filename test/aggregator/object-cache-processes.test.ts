import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openCacheFolder } from "../../aggregator/cache-folder.ts";
import { createS3Store } from "../../stores/s3-store.ts";
import { type CacheReport, startCacheChild } from "../support/cache-child.ts";
import { type S3Front, startS3Front } from "../support/s3-front.ts";
import { startS3Server, type TestS3Server } from "../support/s3-server.ts";

const OBJECTS = 40;
const OBJECT_BYTES = 200_000;

let server: TestS3Server;
let front: S3Front;
let bucket: string;
let hashes: Map<string, string>;
let folder: string;
/** Called with the number of each GET before it is answered. */
let onGet: (count: number) => void;
let gets: number;

beforeAll(async () => {
  server = await startS3Server();
  front = await startS3Front(server.endpoint, async (request) => {
    if (request.startsWith("GET ")) {
      gets += 1;
      onGet(gets);
    }
    return undefined;
  });
  bucket = await server.makeBucket();
  const store = createS3Store({ bucket, prefix: "" }, server.configuration);
  hashes = new Map();
  for (let batch = 0; batch < OBJECTS; batch += 1) {
    const key = `raw-data/2024-05-31-batch-${batch}.parquet`;
    const bytes = new Uint8Array(OBJECT_BYTES).fill(batch);
    hashes.set(key, hashOf(bytes));
    await store.put(key, bytes);
  }
  await store.put("huge/a.parquet", new Uint8Array(3_000_000).fill(1));
});

afterAll(async () => {
  await front.close();
  await server.close();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-cache-"));
  onGet = () => undefined;
  gets = 0;
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Every file below a folder, by path. */
async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function temporaryFiles(): Promise<string[]> {
  return (await filesOf(folder)).filter((path) => path.endsWith(".tmp"));
}

/** Checks that all objects are here, each with its bytes. */
async function expectAll(report: CacheReport | undefined): Promise<void> {
  expect(report).toMatchObject({ warnings: [] });
  expect(report?.error).toBeUndefined();
  expect(new Map(report?.results).size).toBe(OBJECTS);
  for (const [key, { path }] of report?.results ?? []) {
    expect(hashOf(await readFile(path ?? "")), key).toBe(hashes.get(key));
  }
}

/** Checks that a file that is named as an object's is whole, whatever happened. */
async function expectNoHalfFile(): Promise<void> {
  for (const path of await filesOf(folder)) {
    const key = /objects\/(raw-data\/2024-05-31-batch-\d+)\.[0-9a-f]{16}(\.parquet)$/.exec(path);
    if (key !== null) expect(hashOf(await readFile(path)), path).toBe(hashes.get(`${key[1]}${key[2]}`));
  }
}

describe("two processes that fetch the same objects at once", () => {
  it("both get them right, and leave no temporary file", async () => {
    const children = [1, 2].map(() => startCacheChild([front.endpoint, bucket, folder]));
    for (const { report } of children) await expectAll(await report);
    expect(await temporaryFiles()).toEqual([]);
    expect((await filesOf(folder)).filter((path) => path.includes("objects"))).toHaveLength(OBJECTS);
  });

  it("of which the second begins later gets the first one's files, and asks for none", async () => {
    await expectAll(await startCacheChild([front.endpoint, bucket, folder]).report);
    expect(gets).toBe(OBJECTS);
    await expectAll(await startCacheChild([front.endpoint, bucket, folder]).report);
    expect(gets).toBe(OBJECTS);
  });
});

describe("a process that is killed while it fetches", () => {
  it.each([1, 9, 17, 18, 23, 31, 40])("at GET %i leaves no half file that another would take", async (at) => {
    const child = startCacheChild([front.endpoint, bucket, folder]);
    onGet = (count) => {
      if (count === at) child.process.kill("SIGKILL");
    };
    expect(await child.report).toBeUndefined();
    await expectNoHalfFile();
    onGet = () => undefined;
    await expectAll(await startCacheChild([front.endpoint, bucket, folder]).report);
  });
});

describe("a disk without room", () => {
  it("for a file of this size is an error that says so; no half file stays, and JSON files only warn", async () => {
    const limited = { command: [], script: "trap '' XFSZ; ulimit -f 400" }; // 204,800 bytes a file
    await expectAllFetched(await startCacheChild([front.endpoint, bucket, folder], limited).report);
    const report = await startCacheChild([front.endpoint, bucket, folder, "huge/"], limited).report;
    expect(report?.error).toMatchObject({
      name: "StoreRefusedError",
      message: expect.stringMatching(/cache folder .* has no room for 3000000 bytes: free space, or .* cacheDir/),
    });
    expect(report?.warnings).toEqual([expect.stringMatching(/cannot be written \(EFBIG\)/)]);
    expect(await temporaryFiles()).toEqual([]);
    await expectNoHalfFile();
  });

  /** As expectAll, of a process that may write objects and not its JSON files. */
  async function expectAllFetched(report: CacheReport | undefined): Promise<void> {
    expect(report?.warnings).toHaveLength(1);
    await expectAll(report === undefined ? undefined : { ...report, warnings: [] });
  }

  const unshare = ["unshare", "--map-root-user", "--mount"];
  const canMount =
    spawnSync(unshare[0] ?? "", [...unshare.slice(1), "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;

  it.skipIf(!canMount)("at all is the same error", async () => {
    const disk = { command: unshare, script: `mount -t tmpfs -o size=4m none '${folder}'` };
    const report = await startCacheChild([front.endpoint, bucket, folder], disk).report;
    expect(report?.error).toMatchObject({
      name: "StoreRefusedError",
      message: expect.stringMatching(/has no room for 200000 bytes/),
    });
  });

  it.skipIf(!canMount)("is made room on by what was used least recently, and nothing fails", async () => {
    const warn = (message: string): never => expect.fail(message);
    const { path } = openCacheFolder({ folder, storeUrl: `s3://${bucket}`, endpoint: front.endpoint, warn });
    const old = `${path}/objects/raw-data/2019-05-31.0123456789abcdef.parquet`;
    const script = [
      `mount -t tmpfs -o size=12m none '${folder}'`,
      `mkdir -p '${dirname(old)}'`,
      `head -c 6000000 /dev/zero > '${old}'`,
      `touch -d 2019-05-31 '${old}'`,
    ].join(" && ");
    const report = await startCacheChild([front.endpoint, bucket, folder], { command: unshare, script }).report;
    expect(report).toMatchObject({ warnings: [] });
    expect(report?.error).toBeUndefined();
    expect(report?.results?.map(([, { state }]) => state)).toEqual(Array(OBJECTS).fill("here"));
    expect(gets).toBe(OBJECTS);
  });

  it.skipIf(!canMount)("that is read-only is an error of a fetch that needs more, and warned of once", async () => {
    const disk = { command: unshare, script: `mount -t tmpfs -o ro none '${folder}'` };
    const report = await startCacheChild([front.endpoint, bucket, folder], disk).report;
    expect(report?.error).toMatchObject({ message: expect.stringMatching(/cannot be written \(\w+\).*cacheDir/) });
    expect(report?.warnings).toEqual([expect.stringMatching(/cannot be written \(\w+\)/)]);
  });

  it.skipIf(!canMount)("that is read-only serves what is on it", async () => {
    await expectAll(await startCacheChild([front.endpoint, bucket, folder]).report);
    const disk = {
      command: unshare,
      script: `mount --bind '${folder}' '${folder}' && mount -o remount,ro,bind '${folder}'`,
    };
    await expectAllFetched(await startCacheChild([front.endpoint, bucket, folder], disk).report);
    expect(gets).toBe(OBJECTS);
  });
});
