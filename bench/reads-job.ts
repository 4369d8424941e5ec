/** What one process of the reading bench is asked for, and what it answers. It loads nothing: that would count in every cold start. */
import type { ReadChecksum } from "./reads-checksum.ts";

/** The ways to read that are compared. */
export const READ_ENGINES = ["asx-eod", "DuckDB", "nodejs-polars", "hyparquet"] as const;
export type ReadEngine = (typeof READ_ENGINES)[number];

/** The columns that are read, in their order. */
export const READ_COLUMNS = [
  "symbol",
  "date",
  "open",
  "high",
  "low",
  "close",
  "adjusted_close",
  "volume",
  "fetch_timestamp",
  "batch_number",
] as const;

/** Those that become a Float64Array: prices, counts, and instants in milliseconds since 1970. */
export const NUMBER_COLUMNS = READ_COLUMNS.slice(2);

/** A line of the report: which bars are read, both dates inclusive. */
export interface ReadLine {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** All symbols where null. */
  readonly symbols: readonly string[] | null;
  /** Whether the average close of each symbol is asked for instead of the bars. */
  readonly grouped: boolean;
}

export interface ReadJob {
  readonly engine: ReadEngine;
  readonly line: ReadLine;
  /** The store's folder. */
  readonly store: string;
  /** Paths of the Parquet files that hold the line's bars, and of what else must be looked through for them. */
  readonly files: readonly string[];
  /** A pattern that names the same files, where there is one. */
  readonly glob: string | null;
  /** Folder for what the library remembers of files from one process to the next. */
  readonly cacheDir: string;
  /** Folder in which packages are installed that are no dependency of this project. */
  readonly packages: string;
  /** How often the line is read again in the same process, and timed; 0 for none. */
  readonly warmRuns: number;
}

/** What one process prints. */
export interface ReadResult extends ReadChecksum {
  /** From the start of the process to the end of the first reading, imports and opening included. */
  readonly coldMs: number;
  /** Of the process after the first reading. */
  readonly peakMemoryMb: number;
  readonly warmMs: readonly number[];
}

/** Symbols as codes into a dictionary; the other columns as typed arrays, null as NaN, dates as days since 1970. */
export interface ReadBars {
  readonly codes: Int32Array | Float64Array;
  readonly dictionary: readonly string[];
  /** By the name of the column; `close` alone, the average, where the line is grouped. */
  readonly numbers: ReadonlyMap<string, Float64Array | Int32Array>;
}

/** Reads the bars of a job, again and again. */
export type ReadBarsAgain = () => Promise<ReadBars>;
