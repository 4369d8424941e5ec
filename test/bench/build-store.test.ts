import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findEodDays, planDays, storeEodDay } from "../../bench/eod-store.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import { decodeBatchFile } from "../../stores/batch-file-reader.ts";
import { sha256 } from "../../stores/sha256.ts";
import { decodeSymbolsCsv } from "../../stores/symbols-csv.ts";

const COMMAND = fileURLToPath(new URL("../../bench/build-store.ts", import.meta.url));
const run = promisify(execFile);

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  await mkdir(join(folder, "csv", "2024"), { recursive: true });
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** 101 companies, and what else such a file holds. */
async function writeCsv(date: string): Promise<void> {
  const compact = date.replaceAll("-", "");
  const codes = Array.from({ length: 101 }, (_, index) => `C${String(index).padStart(2, "0")}`.slice(-3));
  const rows = [
    ...codes.map((code) => `${code},${compact},1.5,2,1,1.75,1000`),
    `C07,${compact},9,9,9,9,9`, // the same code again
    `BHPOZ,${compact},1,1,1,1,0`,
    `XAO,${compact},5,4,3,3.5,0`, // open above high
    `B.D,${compact},1,1,1,1,1`,
  ];
  await writeFile(join(folder, "csv", "2024", `${compact}.csv`), `${rows.join("\r\n")}\r\n`);
}

async function stored(key: string): Promise<Uint8Array> {
  return readFile(join(folder, "store", key));
}

describe("a store built from CSVs", () => {
  it("is one that its readers accept: sealed files that the run summary names and vouches for", async () => {
    await writeCsv("2024-05-31");
    const [day] = planDays(await findEodDays(join(folder, "csv")), 1).slice(-1);
    if (day === undefined) throw new Error("no day is planned");
    const { files, rows } = await storeEodDay(
      { ...day, listKey: "symbols/2024-05-31-symbols.csv" },
      join(folder, "store"),
      500,
    );
    expect({ files, rows }).toEqual({ files: 2, rows: 102 });

    const summary = parseRunSummary("runs/2024-05-31.json", await stored("runs/2024-05-31.json"));
    expect(summary).toMatchObject({ date: "2024-05-31", status: "complete", rows: 102 });
    expect(summary.counts).toMatchObject({ fetched: 102, invalid: 1, failed: 0 });
    expect(summary.outcomes.filter(({ outcome }) => outcome === "invalid").map(({ symbol }) => symbol)).toEqual([
      "XAO",
    ]);
    let bars = 0;
    for (const { key, sha256: hash, rows: rowsOfFile, bytes } of summary.batches) {
      const file = await stored(key ?? "");
      expect([sha256(file), file.length]).toEqual([hash, bytes]);
      const contents = await decodeBatchFile(key ?? "", file);
      expect(contents.bars).toHaveLength(rowsOfFile);
      expect(contents.bars.find(({ symbol }) => symbol === "C07")?.close ?? 1.75).toBe(1.75);
      bars += contents.bars.length;
    }
    expect(bars).toBe(102);
    const listings = decodeSymbolsCsv("symbols/2024-05-31-symbols.csv", await stored("symbols/2024-05-31-symbols.csv"));
    expect(listings).toHaveLength(103);
  });

  it("takes three-character codes first where only so many symbols are wanted", async () => {
    await writeCsv("2024-05-31");
    const [day] = planDays(await findEodDays(join(folder, "csv")), 1).slice(-1);
    if (day === undefined) throw new Error("no day is planned");
    await storeEodDay(day, join(folder, "store"), 102);
    const { outcomes } = parseRunSummary("runs/2024-05-31.json", await stored("runs/2024-05-31.json"));
    expect(outcomes).toHaveLength(102);
    expect(outcomes.every(({ symbol }) => symbol.length === 3)).toBe(true);
  });
});

describe("the days of a store", () => {
  it("end with the last CSV, and those without one take the others' bars in turn", async () => {
    for (const date of ["2024-05-29", "2024-05-31"]) await writeCsv(date);
    const plan = planDays(await findEodDays(join(folder, "csv")), 1);
    const ends = plan.slice(-5).map(({ date, path }) => `${date} ${path.slice(-12, -4)}`);
    expect(ends).toEqual([
      "2024-05-27 20240531",
      "2024-05-28 20240529",
      "2024-05-29 20240529",
      "2024-05-30 20240531",
      "2024-05-31 20240531",
    ]);
    expect(plan.at(0)?.date).toBe("2023-06-01");
    expect(plan.at(-1)?.listKey).toBe("symbols/2024-05-01-symbols.csv");
  });

  it("are refused where the folder has no CSV", async () => {
    await expect(findEodDays(join(folder, "csv"))).rejects.toThrow(InvalidInputError);
  });
});

describe("the command that builds a store", () => {
  it("says what it wrote, and that days were used again", async () => {
    await writeCsv("2024-05-31");
    const args = [COMMAND, join(folder, "csv"), join(folder, "store"), "--years", "1", "--symbols", "2"];
    const { stdout } = await run(process.execPath, args);
    expect(stdout).toContain("2023-06-01 to 2024-05-31: 254 trading days, 254 batch files, 508 rows");
    expect(stdout).toContain("253 of the days have no CSV");
  });
});
