import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InvalidInputError } from "../../domain/errors.ts";
import { openStore } from "../../stores/open-store.ts";

const BYTES = Uint8Array.of(1, 2, 3);

describe("the address of a bucket", () => {
  it.each([
    ["s3://bucket", "s3://bucket", "s3://bucket/runs/a"],
    ["s3://bucket/", "s3://bucket", "s3://bucket/runs/a"],
    ["s3://bucket/folder", "s3://bucket/folder", "s3://bucket/folder/runs/a"],
    ["s3://bucket/folder/", "s3://bucket/folder", "s3://bucket/folder/runs/a"],
    [
      "s3://my.bucket-2/some/folder_1/x=y",
      "s3://my.bucket-2/some/folder_1/x=y",
      "s3://my.bucket-2/some/folder_1/x=y/runs/a",
    ],
    ["s3://abc", "s3://abc", "s3://abc/runs/a"],
    [`s3://${"b".repeat(63)}`, `s3://${"b".repeat(63)}`, `s3://${"b".repeat(63)}/runs/a`],
  ])("%s opens it", async (address, url, object) => {
    const store = await openStore(address);
    expect(store.url).toBe(url);
    expect(store.locate("runs/a")).toBe(object);
  });
});

describe("the address of a folder", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "asx-eod open-"));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  it.each<[string, (path: string) => string]>([
    ["relative to the working directory", (path) => `file:${relative(process.cwd(), path)}`],
    ["relative with a dot before it", (path) => `file:./${relative(process.cwd(), path)}`],
    ["absolute", (path) => `file:${path}`],
    ["a URL of three slashes, with its spaces encoded", (path) => pathToFileURL(path).href],
    ["with a slash at its end", (path) => `file:${path}/`],
  ])("opens it: %s", async (_, addressOf) => {
    const store = await openStore(addressOf(folder));
    await store.put("runs/a", BYTES);
    expect(await readFile(join(folder, "runs", "a"))).toEqual(Buffer.from(BYTES));
  });

  it("touches nothing before the first put", async () => {
    const store = await openStore(`file:${join(folder, "store")}`);
    expect(await store.list("")).toEqual([]);
    await expect(readFile(join(folder, "store"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("is given back as a user would type it", async () => {
    expect((await openStore("file:./data")).url).toBe("file:./data");
  });
});

describe("any other address", () => {
  it.each([
    ["empty", ""],
    ["a path without a scheme", "./data"],
    ["an absolute path without a scheme", "/srv/data"],
    ["a word", "data"],
    ["a folder without a name", "file:"],
    ["a folder of another host", "file://host/share"],
    ["a relative folder behind two slashes", "file://./data"],
    ["a folder with a null character", "file:a\0b"],
    ["a folder URL with a null character", "file:///srv/a%00b"],
    ["a folder URL with an encoded slash", "file:///srv/a%2fb"],
    ["a folder URL that is badly encoded", "file:///srv/%zz"],
    ["file in capitals", "FILE:./data"],
    ["http", "http://127.0.0.1/bucket"],
    ["the web address of a bucket", "https://bucket.s3.amazonaws.com/folder"],
    ["s3 in capitals", "S3://bucket"],
    ["s3 without slashes", "s3:bucket"],
    ["no bucket", "s3://"],
    ["a folder and no bucket", "s3:///folder"],
    ["a bucket of two characters", "s3://ab"],
    ["a bucket of 64 characters", `s3://${"b".repeat(64)}`],
    ["a bucket with capitals", "s3://Bucket"],
    ["a bucket with an underscore", "s3://my_bucket"],
    ["a bucket that begins with a hyphen", "s3://-bucket"],
    ["a bucket that ends in a dot", "s3://bucket."],
    ["a bucket with credentials", "s3://key:secret@bucket"],
    ["a bucket with a query", "s3://bucket?region=x"],
    ["the parent folder", "s3://bucket/.."],
    ["a way up", "s3://bucket/a/../b"],
    ["a hidden folder", "s3://bucket/.hidden"],
    ["an empty folder inside", "s3://bucket/a//b"],
    ["two slashes after a folder", "s3://bucket/a//"],
    ["a tilde, which no shell has resolved", "file:~/data"],
    ["the root of the file system", "file:///"],
    ["no folder after file://", "file://"],
    ["two slashes after the bucket", "s3://bucket//"],
    ["a space in a folder", "s3://bucket/a b"],
    ["a line break at its end", "s3://bucket/a\n"],
  ])("is refused with what is allowed: %s", async (_, address) => {
    await expect(openStore(address)).rejects.toThrow(InvalidInputError);
    await expect(openStore(address)).rejects.toThrow(/file:FOLDER .*s3:\/\/BUCKET\[\/FOLDER\]/);
    await expect(openStore(address)).rejects.toThrow(JSON.stringify(address));
  });

  it("is quoted at its start only where it is very long", async () => {
    await expect(openStore("x".repeat(100_000))).rejects.toThrow(/^.{1,300}$/);
  });
});
