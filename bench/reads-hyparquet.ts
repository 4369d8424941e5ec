/** Reads with hyparquet: row groups are skipped by their statistics, and values go straight into typed arrays. */
import { readFileSync } from "node:fs";
import { zstdDecompressSync } from "node:zlib";
import { parquetScan } from "hyparquet";
import { READ_COLUMNS, type ReadBars, type ReadBarsAgain, type ReadJob, type ReadLine } from "./reads-job.ts";

type Scan = Awaited<ReturnType<typeof parquetScan>>;

/** Numbers as they are stored, rather than a Date of each. */
const PARSERS = {
  dateFromDays: (days: number) => days,
  timestampFromMilliseconds: Number,
  timestampFromMicroseconds: toMs,
};
const COMPRESSORS = { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) };

export async function openHyparquet({ line, files }: ReadJob): Promise<ReadBarsAgain> {
  return async () => {
    const scans: Scan[] = [];
    for (const path of files) scans.push(await scanOf(path, line));
    return line.grouped ? averageCloses(scans, line) : readBars(scans, line);
  };
}

async function scanOf(path: string, { from, to, symbols, grouped }: ReadLine): Promise<Scan> {
  const bytes = readFileSync(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const dates = { date: { $gte: toEpochDays(from), $lte: toEpochDays(to) } };
  return parquetScan({
    file,
    columns: grouped ? ["symbol", "date", "close"] : [...READ_COLUMNS],
    pruningFilter: symbols === null ? dates : { ...dates, symbol: { $in: [...symbols] } },
    parsers: PARSERS,
    compressors: COMPRESSORS,
  });
}

async function readBars(scans: readonly Scan[], line: ReadLine): Promise<ReadBars> {
  const most = scans.flatMap(({ ranges }) => ranges).reduce((sum, { rowStart, rowEnd }) => sum + rowEnd - rowStart, 0);
  const codes = new Int32Array(most);
  const dictionary: string[] = [];
  const codeOf = new Map<unknown, number>();
  const arrays = READ_COLUMNS.slice(1).map((name) => ({
    name,
    values: name === "date" ? new Int32Array(most) : new Float64Array(most),
  }));
  let at = 0;
  for (const scan of scans) {
    for (const range of scan.ranges) {
      const symbols = await scan.readColumn({ column: "symbol", ...range });
      const kept = keptRows(symbols, await scan.readColumn({ column: "date", ...range }), line);
      for (const [index, row] of kept.entries()) {
        const symbol: unknown = symbols[row];
        let code = codeOf.get(symbol);
        if (code === undefined) {
          code = dictionary.push(String(symbol)) - 1;
          codeOf.set(symbol, code);
        }
        codes[at + index] = code;
      }
      for (const { name, values } of arrays) {
        const column: ArrayLike<unknown> = kept.length === 0 ? [] : await scan.readColumn({ column: name, ...range });
        for (let index = 0; index < kept.length; index += 1) {
          const value = column[kept[index] ?? -1];
          values[at + index] = typeof value === "number" ? value : value === null ? Number.NaN : Number(value);
        }
      }
      at += kept.length;
    }
  }
  return {
    codes: codes.subarray(0, at),
    dictionary,
    numbers: new Map(arrays.map(({ name, values }) => [name, values.subarray(0, at)])),
  };
}

async function averageCloses(scans: readonly Scan[], line: ReadLine): Promise<ReadBars> {
  const sums = new Map<string, { sum: number; count: number }>();
  for (const scan of scans) {
    for (const range of scan.ranges) {
      const symbols = await scan.readColumn({ column: "symbol", ...range });
      const closes = await scan.readColumn({ column: "close", ...range });
      for (const row of keptRows(symbols, await scan.readColumn({ column: "date", ...range }), line)) {
        const symbol = String(symbols[row]);
        const entry = sums.get(symbol) ?? { sum: 0, count: 0 };
        if (entry.count === 0) sums.set(symbol, entry);
        entry.sum += Number(closes[row]);
        entry.count += 1;
      }
    }
  }
  const averages = Float64Array.from(sums.values(), ({ sum, count }) => sum / count);
  const dictionary = [...sums.keys()];
  return { codes: Int32Array.from(dictionary.keys()), dictionary, numbers: new Map([["close", averages]]) };
}

/** The rows that the line asks for, by their place in the range. */
function keptRows(symbols: ArrayLike<unknown>, dates: ArrayLike<unknown>, line: ReadLine): Uint32Array {
  const [first, last] = [toEpochDays(line.from), toEpochDays(line.to)];
  const wanted = line.symbols === null ? null : new Set<unknown>(line.symbols);
  const kept = new Uint32Array(dates.length);
  let count = 0;
  for (let row = 0; row < dates.length; row += 1) {
    const date = Number(dates[row]);
    if (date >= first && date <= last && (wanted === null || wanted.has(symbols[row]))) kept[count++] = row;
  }
  return kept.subarray(0, count);
}

function toMs(micros: bigint): number {
  return Number(micros) / 1000;
}

/** As `domain/trading-date.ts` has it, without its calendar, which would count in the cold start. */
function toEpochDays(date: string): number {
  return Date.parse(date) / 86_400_000;
}
