import { Command } from "commander";
import type { CompactResult } from "../aggregator/index.ts";
import { printable } from "../domain/text.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { counted, size, whole } from "./numbers.ts";
import { type LibraryOptions, libraryOptions, withAggregator } from "./open-aggregator.ts";
import { storeOption } from "./run-report.ts";
import { sourceOption } from "./store-source.ts";
import { renderTable } from "./table.ts";
import { type Terminal, writeLine } from "./terminal.ts";

interface CompactOptions extends LibraryOptions {
  readonly skipBadFiles?: boolean;
  readonly json?: boolean;
}

/** Files left out that the text names. */
const SKIPPED_NAMED = 10;

const HELP = `
Examples:
  asx compact --store s3://my-bucket
  asx compact --skip-bad-files                 leave dates out that cannot be read
  asx compact --json | jq '.written'

It is safe at any time: beside runs and readers, twice, and killed. The daily files stay as they are; readers
take compacted days from the large files, and days that were run again since from the daily ones.

Exit codes: 0 compacted or nothing to do, 2 dates were left out, 1 a date cannot be read, or the store cannot be
read or written, 64 bad usage, 130 interrupted.`;

/** `asx compact`: history into few large files. */
export function compactCommand(terminal: Terminal): Command {
  const command = new Command("compact")
    .summary("turn history into few large files")
    .description("Turns history into one file a year, sorted by symbol and date, which reads many times as fast.")
    .option("--skip-bad-files", "leave dates out that cannot be read, and name them")
    .option("--json", "print what was done as JSON");
  return libraryOptions(command)
    .addHelpText("after", HELP)
    .action((options: CompactOptions) => compact(options, terminal));
}

async function compact(options: CompactOptions, terminal: Terminal): Promise<void> {
  const { stdout, exit } = terminal;
  await withAggregator(
    options,
    terminal,
    async (aggregator) => {
      const done = await aggregator.compact({ onBadFile: options.skipBadFiles === true ? "skip" : "error" });
      const source = done.skipped.length === 0 ? "" : await sourceOption(options.store, terminal.environment);
      const text = options.json === true ? JSON.stringify(done) : describeCompaction(done, { ...options, source });
      writeLine(stdout, text);
      if (done.skipped.length > 0) exit(EXIT_CODES.partial);
    },
    "interrupted; nothing is lost, and compacting again begins anew",
  );
}

/** What a compaction has done, for people. */
export function describeCompaction(
  { files, written, removed, skipped, rows }: CompactResult,
  { store, source = "" }: Pick<LibraryOptions, "store"> & { readonly source?: string },
): string {
  const opened = { url: store };
  const news = files.filter(({ key }) => written.includes(key));
  const table = renderTable(
    [
      { heading: "written", align: "left" },
      { heading: "days", align: "right" },
      { heading: "bars", align: "right" },
      { heading: "size", align: "right" },
    ],
    news.map((file) => [file.key, whole(file.days), whole(file.rows), size(file.bytes)]),
  );
  const bytes = files.reduce((total, file) => total + file.bytes, 0);
  const inAll =
    files.length === 0
      ? `no bars in ${opened.url} to compact.`
      : `${whole(rows)} bars of history in ${opened.url}; ${counted(files.length, "compacted file")}, ${size(bytes)}.`;
  return [
    ...(news.length === 0 ? [`Nothing to do: ${inAll}`] : [table, "", inAll]),
    ...(removed.length > 0 ? [`${counted(removed.length, "older file")} removed.`] : []),
    ...describeSkipped(skipped, `${storeOption(opened)}${source}`),
  ].join("\n");
}

function describeSkipped(skipped: CompactResult["skipped"], where: string): string[] {
  if (skipped.length === 0) return [];
  const shown = skipped.slice(0, SKIPPED_NAMED).map(({ key, reason }) => `  ${printable(`${key}: ${reason}`)}`);
  const more = skipped.length - shown.length;
  return [
    `Left out, as ${counted(skipped.length, "file")} cannot be read:`,
    ...shown,
    ...(more > 0 ? [`  and ${whole(more)} more; --json names all`] : []),
    `Run their dates again, such as npx asx run --date DATE${where}`,
  ];
}
