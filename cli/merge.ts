import { Command } from "commander";
import { dateArgument } from "./arguments.ts";
import { size, whole } from "./numbers.ts";
import { type LibraryOptions, libraryOptions, withAggregator } from "./open-aggregator.ts";
import { type Terminal, writeLine } from "./terminal.ts";

interface MergeOptions extends LibraryOptions {
  readonly date: string;
  readonly json?: boolean;
}

const HELP = `
Examples:
  asx merge --date 2024-05-31
  asx merge --date 2024-05-31 --store s3://my-bucket --json | jq -r .url

Merging a date again gives the same file; after another run of the date it is replaced. The batches stay as
they are.

Exit codes: 0 merged, 1 nothing is stored, a file is damaged, or the store cannot be read or written,
64 bad usage, 130 interrupted.`;

/** `asx merge`: a date's batches into one stored file. */
export function mergeCommand(terminal: Terminal): Command {
  const command = new Command("merge")
    .summary("merge a date's batches into one file")
    .description("Merges the batches of a trading date into one stored file, sorted by symbol, and says where it is.")
    .requiredOption("--date <date>", "trading date in Sydney, YYYY-MM-DD", dateArgument)
    .option("--json", "print where and how many as JSON");
  return libraryOptions(command)
    .addHelpText("after", HELP)
    .action((options: MergeOptions) => merge(options, terminal));
}

async function merge({ date, json, ...options }: MergeOptions, terminal: Terminal): Promise<void> {
  await withAggregator(
    options,
    terminal,
    async (aggregator) => {
      const merged = await aggregator.mergeDailyBatches(date);
      const { url, rows, batches, backfills, bytes } = merged;
      const text = `ASX ${date}: ${whole(rows)} bars of ${sourcesOf(batches, backfills)} in one (${size(bytes)})\nFile: ${url}`;
      writeLine(terminal.stdout, json === true ? JSON.stringify(merged) : text);
    },
    "interrupted; the batches are as they were, and merging the date again is safe",
  );
}

/** `4 files and 1 backfill`; of what there is none is not told. */
function sourcesOf(batches: number, backfills: number): string {
  const files = `${whole(batches)} ${batches === 1 ? "file" : "files"}`;
  if (backfills === 0) return files;
  const others = `${whole(backfills)} ${backfills === 1 ? "backfill" : "backfills"}`;
  return batches === 0 ? others : `${files} and ${others}`;
}
