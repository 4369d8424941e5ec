import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { storeEodDay } from "../../bench/eod-store.ts";
import { checksumOf, isSameRead } from "../../bench/reads-checksum.ts";
import { compactedFiles, findStoredFiles, linesOf, type StoredFiles } from "../../bench/reads-files.ts";
import { median } from "../../bench/reads-report.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import { symbolsKey } from "../../domain/object-keys.ts";

const COMMAND = fileURLToPath(new URL("../../bench/notebook-reads.ts", import.meta.url));
const DATES = ["2023-12-28", "2023-12-29", "2024-01-02", "2024-05-31"];
const run = promisify(execFile);

let folder = "";
let store = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  store = join(folder, "store");
  for (const [index, date] of DATES.entries()) {
    const path = join(folder, `${date}.csv`);
    const rows = ["ANZ", "BHP", "CBA"].map((code) => `${code},-,1.5,2,1,${1.25 + index / 10},${1000 + index}`);
    await writeFile(path, rows.join("\n"));
    await storeEodDay({ date, path, listKey: symbolsKey(date) }, store, 100);
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function bars(codes: readonly number[], dictionary: readonly string[], close: readonly number[]) {
  return { codes: Int32Array.from(codes), dictionary, numbers: new Map([["close", Float64Array.from(close)]]) };
}

describe("the checksum of what an engine read", () => {
  const read = checksumOf(bars([0, 1], ["BHP", "CBA"], [1.5, 2.5]), true);

  it("is the same in any order of rows and symbols", () => {
    expect(isSameRead(read, checksumOf(bars([0, 1], ["CBA", "BHP"], [2.5, 1.5]), true))).toBe(true);
  });

  it.each([
    ["a value", bars([0, 1], ["BHP", "CBA"], [1.5, 2.5000001])],
    ["the row of a value", bars([0, 1], ["BHP", "CBA"], [2.5, 1.5])],
    ["a symbol", bars([0, 1], ["BHP", "CBB"], [1.5, 2.5])],
    ["the number of rows", bars([0], ["BHP"], [1.5])],
  ])("is another where %s differs", (_what, other) => {
    expect(isSameRead(read, checksumOf(other, true))).toBe(false);
  });

  it("takes averages as the same that differ by the order of adding up, and no others", () => {
    const [left, right, other] = [[0.1 + 0.2], [0.3], [0.301]].map((close) =>
      checksumOf(bars([0], ["BHP"], close), false),
    );
    if (left === undefined || right === undefined || other === undefined) throw new Error("no checksum");
    expect([isSameRead(left, right), isSameRead(left, other)]).toEqual([true, false]);
  });
});

describe("what the reading bench reads", () => {
  const pathsOf = (files: StoredFiles, name: string) => {
    const line = linesOf(files).find((found) => found.name.startsWith(name));
    return line === undefined ? [] : files.of(line).files.map((path) => path.slice(folder.length));
  };

  it("is the last day, the last whole year and all days of the store", async () => {
    const small = await findStoredFiles(store);
    expect(linesOf(small).map(({ from, to }) => `${from} ${to}`)).toEqual([
      "2024-05-31 2024-05-31",
      "2023-12-28 2023-12-29",
      "2023-12-28 2024-05-31",
      "2023-12-28 2024-05-31",
      "2023-12-28 2023-12-29",
    ]);
    expect(pathsOf(small, "one day")).toEqual(["/store/raw-data/2024-05-31-batch-0.parquet"]);
    expect(pathsOf(small, "one year")).toHaveLength(2);
  });

  it("is of the compacted files those that hold a line's dates, and leaves the store as it is", async () => {
    const work = join(folder, "bench");
    await mkdir(work);
    const compacted = await compactedFiles(await findStoredFiles(store), work, join(folder, "cache"));
    expect(pathsOf(compacted, "one day").length).toBeGreaterThan(0);
    expect(pathsOf(compacted, "one day").every((path) => path.startsWith("/bench/compacted/curated/"))).toBe(true);
    expect((await findStoredFiles(store)).files).toHaveLength(DATES.length);
  });

  it("is refused where the folder holds no batch file", async () => {
    await mkdir(join(folder, "empty", "raw-data"), { recursive: true });
    await expect(findStoredFiles(join(folder, "empty"))).rejects.toThrow(InvalidInputError);
  });
});

describe("the reading bench", () => {
  it("prints the lines asked for with what every engine took, after they have read the same", async () => {
    const args = [
      COMMAND,
      store,
      "--runs",
      "1",
      "--engines",
      "asx-eod,DuckDB,hyparquet",
      "--line",
      "one year",
      "--line",
      "two symbols, all days",
    ];
    const { stdout } = await run(process.execPath, args);
    expect(stdout).toContain("4 small files");
    const cell = String.raw`\d+(\.\d+)?`;
    for (const [line, rows] of [
      ["one year", 6],
      ["two symbols, all days", 8],
    ]) {
      for (const layout of ["small files", "compacted"]) {
        const found = stdout.match(new RegExp(String.raw`\| ${line}, ${layout} \| ${rows} (\| ${cell} ){5}\|`, "g"));
        expect(found).toHaveLength(3);
      }
    }
  });
});

it("the median of an even number of values is the upper one of the middle", () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2])]).toEqual([2, 3]);
});
