import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { type CacheFolder, defaultCacheDir, openCacheFolder } from "../../aggregator/cache-folder.ts";
import { InvalidInputError } from "../../domain/errors.ts";

const schema = z.object({ dates: z.array(z.string()) });
const VALUE = { dates: ["2024-05-31"] };

let folder: string;
let warnings: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-cache-"));
  warnings = [];
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function open(storeUrl = "s3://some-bucket", endpoint?: string): CacheFolder {
  return openCacheFolder({ folder, storeUrl, endpoint, warn: (message) => warnings.push(message) });
}

describe("a store's cache folder", () => {
  it("gives a JSON file back as it was written, and replaces it", async () => {
    const cache = open();
    expect(await cache.readJson("days.json", schema)).toBeUndefined();
    await cache.writeJson("days.json", VALUE);
    expect(await cache.readJson("days.json", schema)).toEqual(VALUE);
    await cache.writeJson("days.json", { dates: [] });
    expect(await open().readJson("days.json", schema)).toEqual({ dates: [] });
    expect(await readdir(cache.path)).toEqual(["days.json"]);
    expect(warnings).toEqual([]);
  });

  it("touches nothing before the first write, and lets nobody else in", async () => {
    const cache = open();
    await cache.readJson("days.json", schema);
    expect(await readdir(folder)).toEqual([]);
    await cache.writeJson("days.json", VALUE);
    expect((await stat(cache.path)).mode & 0o777).toBe(0o700);
    expect((await stat(join(cache.path, "days.json"))).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["empty", ""],
    ["cut off", '{"dates":["2024-'],
    ["of another form", '{"days":1}'],
    ["no text", Uint8Array.of(0xff, 0xfe, 0)],
    ["zeros, as after a power cut", new Uint8Array(100)],
  ])("has nothing where a file is %s, and takes a new one", async (_, bytes) => {
    const cache = open();
    await cache.writeJson("days.json", VALUE);
    await writeFile(join(cache.path, "days.json"), bytes);
    expect(await cache.readJson("days.json", schema)).toBeUndefined();
    await cache.writeJson("days.json", VALUE);
    expect(await cache.readJson("days.json", schema)).toEqual(VALUE);
  });

  it("keeps one value whole where many are written at once", async () => {
    const values = Array.from({ length: 20 }, (_, index) => ({ dates: Array(2_000).fill(String(index)) }));
    await Promise.all(values.map((value) => open().writeJson("days.json", value)));
    expect(values).toContainEqual(await open().readJson("days.json", schema));
    expect(await readdir(open().path)).toEqual(["days.json"]);
  });

  it.each(["../x.json", "/x.json", "", "a\\b"])("refuses the name %j", async (name) => {
    await expect(open().writeJson(name, VALUE)).rejects.toThrow(InvalidInputError);
    await expect(open().readJson(name, schema)).rejects.toThrow(InvalidInputError);
  });

  it("warns once where it cannot be written, and throws nothing", async () => {
    const cache = open();
    await writeFile(cache.path, "a file stands in its place");
    await cache.writeJson("days.json", VALUE);
    await cache.writeJson("days.json", VALUE);
    expect(await cache.readJson("days.json", schema)).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/cannot be written \(\w+\).*cacheDir/)]);
    expect(warnings[0]).toContain(cache.path);
  });

  it.skipIf(process.getuid?.() === 0)("warns once where it is read-only, and reads on", async () => {
    const cache = open();
    await cache.writeJson("days.json", VALUE);
    await chmod(cache.path, 0o500);
    await cache.writeJson("days.json", { dates: [] });
    await cache.writeJson("more.json", VALUE);
    expect(await cache.readJson("days.json", schema)).toEqual(VALUE);
    expect(warnings).toHaveLength(1);
    await chmod(cache.path, 0o700);
  });
});

describe("the folder of a store", () => {
  it("lies below the folder given, under a name that tells the store", () => {
    const { path } = open("s3://some-bucket/some/folder");
    expect(dirname(path)).toBe(folder);
    expect(path).toMatch(/\/some-bucket-some-folder-[0-9a-f]{16}$/);
  });

  it("is another for every store and endpoint, and the same for the same", () => {
    const stores: [string, string?][] = [
      ["s3://some-bucket"],
      ["s3://some-bucket", "http://127.0.0.1:9000"],
      ["s3://some-bucket", "http://127.0.0.1:9001"],
      ["s3://some-bucket/a"],
      ["s3://some-bucket/a/b"],
      ["s3://some-bucket/a-b"],
      ["file:./some-bucket"],
      ["file:/data"],
    ];
    expect(new Set(stores.map(([url, endpoint]) => open(url, endpoint).path)).size).toBe(stores.length);
    for (const [url, endpoint] of stores) expect(open(url, endpoint).path).toBe(open(url, endpoint).path);
  });

  it("is the same for one folder, however its address is written, and tells nothing secret of an endpoint", () => {
    expect(open("file:./data").path).toBe(open(`file:${process.cwd()}/data`).path);
    expect(open("file:///srv/data").path).toBe(open("file:/srv/data").path);
    expect(open("s3://some-bucket", "https://user:secret@host").path).not.toContain("secret");
  });

  it.each(["file:/", "file:/päth with spaces/数据", `file:/${"deep/".repeat(100)}`])("is a safe name for %s", (url) => {
    expect(open(url).path.slice(folder.length + 1)).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{0,80}$/);
  });
});

it.each([
  ["linux", {}, "/home/ann/.cache/asx-eod"],
  ["linux", { XDG_CACHE_HOME: "/var/cache/ann" }, "/var/cache/ann/asx-eod"],
  ["linux", { XDG_CACHE_HOME: "relative" }, "/home/ann/.cache/asx-eod"],
  ["linux", { XDG_CACHE_HOME: "" }, "/home/ann/.cache/asx-eod"],
  ["darwin", {}, "/home/ann/Library/Caches/asx-eod"],
  ["darwin", { XDG_CACHE_HOME: "/var/cache/ann" }, "/var/cache/ann/asx-eod"],
] as const)("the default folder of caches on %s with %j is %s", (platform, environment, expected) => {
  expect(defaultCacheDir(environment, "/home/ann", platform)).toBe(expected);
});

it.each([
  [{ LOCALAPPDATA: "D:\\Local" }, "D:\\Local\\asx-eod\\Cache"],
  [{}, "C:\\Users\\ann\\AppData\\Local\\asx-eod\\Cache"],
])("the default folder of caches on Windows with %j is %s", (environment, expected) => {
  expect(defaultCacheDir(environment, "C:\\Users\\ann", "win32")).toBe(expected);
});
