/** The report of the reading bench, in Markdown. */
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import type { StoredFiles } from "./reads-files.ts";
import type { ReadEngine } from "./reads-job.ts";
import { versionOf } from "./reads-packages.ts";

/** Medians of one engine on one line. */
interface Figures {
  readonly coldMs: number;
  readonly warmMs: number;
  readonly peakMemoryMb: number;
}

/** One line of the report. */
export interface Measured {
  readonly name: string;
  readonly layout: string;
  readonly rows: number;
  readonly engines: Map<ReadEngine, Figures>;
}

export interface ReadsReport {
  readonly small: StoredFiles;
  readonly compacted: StoredFiles;
  readonly engines: readonly ReadEngine[];
  /** Folder in which nodejs-polars is installed, where it is. */
  readonly packages: string | null;
  readonly runs: number;
  readonly measured: readonly Measured[];
}

const PROJECT = fileURLToPath(new URL("..", import.meta.url));

/** The middle value; of an even number of them the upper one of the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** What was measured on what, and three tables: warm, cold and memory. */
export function renderReads(report: ReadsReport): string {
  const { small, compacted, engines, packages, runs, measured } = report;
  const versions: Record<ReadEngine, () => string> = {
    "asx-eod": () => "asx-eod: the Aggregator of this checkout",
    DuckDB: () => `DuckDB: @duckdb/node-api ${versionOf("@duckdb/node-api", PROJECT)}`,
    "nodejs-polars": () => `nodejs-polars ${versionOf("nodejs-polars", packages ?? "")}`,
    hyparquet: () => `hyparquet ${versionOf("hyparquet", PROJECT)}`,
  };
  const processors = cpus();
  const memory = `${(totalmem() / 1e9).toFixed(0)} GB`;
  return [
    `${small.files.length} small files (${small.megabytes.toFixed(0)} MB), ${small.files.at(0)?.from} to ${small.files.at(-1)?.to}; ` +
      `${compacted.files.length} compacted files (${compacted.megabytes.toFixed(0)} MB) made by the library. ` +
      "Ten columns into typed arrays, symbols as codes and a dictionary; asx-eod's in order of symbol and date, the others' in any order. " +
      `Medians of ${runs}; every value of every row was the same from all engines. ` +
      `Node ${process.version}, ${processors.length} x ${processors[0]?.model ?? "unknown processor"}, ${memory}; ` +
      `${engines.map((engine) => versions[engine]()).join("; ")}.`,
    "Warm, ms: again in the same process, after two readings that are not counted.",
    table(measured, engines, ({ warmMs }) => warmMs, 1),
    "Cold, ms: a new process from its start, imports and opening included; the files are in the page cache.",
    table(measured, engines, ({ coldMs }) => coldMs, 0),
    "Peak memory of the new process, MB.",
    table(measured, engines, ({ peakMemoryMb }) => peakMemoryMb, 0),
  ].join("\n\n");
}

/** A line's figures, and each engine's by that of DuckDB's SQL. */
function table(
  measured: readonly Measured[],
  engines: readonly ReadEngine[],
  figure: (figures: Figures) => number,
  digits: number,
): string {
  const others = engines.includes("DuckDB") ? engines.filter((engine) => engine !== "DuckDB") : [];
  const rows = measured.map(({ name, layout, rows, engines: figures }) => {
    const of = (engine: ReadEngine) => {
      const found = figures.get(engine);
      return found === undefined ? Number.NaN : figure(found);
    };
    const cells = engines.map((engine) => of(engine).toFixed(of(engine) >= 100 ? 0 : digits));
    const ratios = others.map((engine) => (of(engine) / of("DuckDB")).toFixed(2));
    return [`${name}, ${layout}`, String(rows), ...cells, ...ratios];
  });
  const headings = ["", "rows", ...engines, ...others.map((engine) => `${engine} / DuckDB`)];
  const rule = headings.map((_heading, index) => (index === 0 ? "---" : "---:"));
  return [headings, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
