import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CacheFolder, openCacheFolder } from "../../aggregator/cache-folder.ts";
import type { DateRange } from "../../aggregator/catalog.ts";
import { LastLooks } from "../../aggregator/last-looks.ts";

const YEAR = { from: "2024-01-01", to: "2024-12-31" };
const MAY = { from: "2024-05-01", to: "2024-05-31" };
const FIFTH = { from: "2024-05-05", to: "2024-05-05" };

let parent: string;
let folder: CacheFolder;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "asx-eod-looks-"));
  folder = openCacheFolder({ folder: parent, storeUrl: "s3://bucket", warn: (message) => expect.fail(message) });
});
afterEach(() => rm(parent, { recursive: true, force: true }));

/** Keeps a look, as a process of its own, that found some objects of a name. */
function keep(range: DateRange, atMs: number, name: string, count = 1): Promise<void> {
  const object = { key: `raw-data/${name}`, bytes: 1, mark: "a" };
  const files = { objects: Array.from({ length: count }, () => object), absent: [`raw-data/no-${name}`] };
  return new LastLooks(folder).keep({ range, atMs, files, manifest: undefined });
}

/** When the look was that stands for a range, and the name of what it found. */
async function found(range: DateRange): Promise<string | undefined> {
  const look = await new LastLooks(folder).find(range);
  const { objects, absent } = look?.files ?? { objects: [], absent: [] };
  const name = objects[0]?.key.slice("raw-data/".length);
  expect(absent).toEqual(look === undefined ? [] : [`raw-data/no-${name}`]);
  return look === undefined ? undefined : `${look.atMs} ${name}`;
}

describe("the last look", () => {
  it("at a range stands for every range within it, and for no other", async () => {
    await keep(MAY, 1, "may");
    expect([await found(MAY), await found(FIFTH)]).toEqual(["1 may", "1 may"]);
    expect([await found(YEAR), await found(null)]).toEqual([undefined, undefined]);
    expect(await found({ from: "2024-05-31", to: "2024-06-01" })).toBeUndefined();
    await keep(null, 2, "all");
    expect([await found(YEAR), await found(null)]).toEqual(["2 all", "2 all"]);
  });

  it("is the latest of those that hold the range", async () => {
    await keep(YEAR, 1, "year");
    await keep(FIFTH, 2, "fifth");
    expect(await found(FIFTH)).toBe("2 fifth");
    expect(await found(MAY)).toBe("1 year");
  });

  it("takes the place of earlier ones within its range, and of their files", async () => {
    for (const [atMs, range] of [FIFTH, MAY, YEAR].entries()) await keep(range, atMs, `look-${atMs}`);
    expect(await readdir(join(folder.path, "looks"))).toHaveLength(1);
    expect(await found(FIFTH)).toBe("2 look-2");
  });

  it("that found nothing new shares the files of the one before", async () => {
    await keep(MAY, 1, "same");
    await keep(MAY, 2, "same");
    expect(await readdir(join(folder.path, "looks"))).toHaveLength(1);
    expect(await found(MAY)).toBe("2 same");
  });

  it("is passed over where it is damaged", async () => {
    await keep(YEAR, 1, "year");
    const [year = ""] = await readdir(join(folder.path, "looks"));
    await keep(FIFTH, 2, "fifth");
    for (const name of await readdir(join(folder.path, "looks"))) {
      if (name !== year) await writeFile(join(folder.path, "looks", name), "{}");
    }
    expect(await found(FIFTH)).toBe("1 year");
  });

  it("is one of 32, and of some 200,000 objects, at most", async () => {
    const day = (number: number): DateRange => {
      const date = new Date(Date.UTC(2024, 0, number)).toISOString().slice(0, 10);
      return { from: date, to: date };
    };
    for (let number = 1; number <= 40; number += 1) await keep(day(number), number, `day-${number}`);
    expect(await readdir(join(folder.path, "looks"))).toHaveLength(32);
    expect([await found(day(8)), await found(day(9))]).toEqual([undefined, "9 day-9"]);
    await keep(day(50), 50, "large", 199_990);
    expect(await readdir(join(folder.path, "looks"))).toHaveLength(11);
    expect(await found(day(40))).toBe("40 day-40");
  });
});
