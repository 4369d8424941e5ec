import { Command } from "commander";
import { Aggregator } from "../aggregator/index.ts";
import type { Bar } from "../domain/bar.ts";
import { BAR_COLUMNS } from "../domain/bar-columns.ts";
import { readRunSummary } from "../lambdas/runtime/earlier-sessions.ts";
import { endpointOf, openStore } from "../stores/open-store.ts";
import { dateArgument, storeArgument, symbolArgument, wholeNumberArgument } from "./arguments.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { whole } from "./numbers.ts";
import { storeOption } from "./run-report.ts";
import { renderTable } from "./table.ts";
import { type Terminal, writeLine } from "./terminal.ts";

interface ShowOptions {
  readonly date: string;
  readonly symbol?: string;
  readonly store: string;
  readonly limit?: number;
  readonly json?: boolean;
}

/** Rows of a table where no limit is named. */
const ROWS_SHOWN = 20;

const HELP = `
Examples:
  asx show --date 2024-05-31
  asx show --date 2024-05-31 --symbol BHP --store s3://my-bucket
  asx show --date 2024-05-31 --limit 2000 --json

Exit codes: 0 shown (also where the market was closed), 1 nothing is stored or a file is damaged, 64 bad usage.`;

/** `asx show`: the bars of a date. */
export function showCommand(terminal: Terminal): Command {
  return new Command("show")
    .summary("show stored bars")
    .description("Shows the bars of a trading date, every batch merged, in order of symbol. Prices in AUD.")
    .requiredOption("--date <date>", "trading date in Sydney, YYYY-MM-DD", dateArgument)
    .option("--symbol <code>", "only this ASX code", symbolArgument)
    .option("--store <url>", "file:FOLDER or s3://BUCKET[/FOLDER]", storeArgument, "file:./data")
    .option(
      "--limit <n>",
      "at most so many bars (default: 20 as a table, all with --json)",
      wholeNumberArgument(1, 100_000),
    )
    .option("--json", "print the bars as a JSON array")
    .addHelpText("after", HELP)
    .action((options: ShowOptions) => show(options, terminal));
}

async function show(
  { date, symbol, store, limit, json }: ShowOptions,
  { stdout, stderr, environment, exit }: Terminal,
): Promise<void> {
  const opened = openStore(store, { endpoint: endpointOf(environment) });
  const aggregator = await Aggregator.open(store, { endpoint: endpointOf(environment) });
  try {
    const all = await aggregator.loadDate(date);
    const bars = symbol === undefined ? all : all.filter((bar) => bar.symbol === symbol);
    if (json === true) {
      writeLine(stdout, JSON.stringify(bars.slice(0, limit ?? bars.length)));
    } else if (bars.length > 0) {
      const rows = limit ?? ROWS_SHOWN;
      writeLine(stdout, barTable(bars.slice(0, rows)));
      if (bars.length > rows) writeLine(stdout, `(${whole(rows)} of ${whole(bars.length)} bars; --limit shows more)`);
    }
    const status = `npx asx status --date ${date}${storeOption(opened)}`;
    const summary = await readRunSummary(opened, date);
    if (summary === undefined)
      writeLine(stderr, `A run of ${date} is under way or broke off: bars may be missing. See ${status}`);
    else if (summary.status === "partial" || summary.status === "failed")
      writeLine(stderr, `${date} is ${summary.status}: see ${status}`);
    if (all.length === 0) writeLine(stderr, `There are no bars of ${date}: see ${status}`);
    else if (bars.length === 0) {
      writeLine(stderr, `${symbol} has no bar on ${date}; ${status} --json says why.`);
      exit(EXIT_CODES.failed);
    }
  } finally {
    aggregator.close();
  }
}

function barTable(bars: readonly Bar[]): string {
  const columns = BAR_COLUMNS.filter(({ field }) => field !== "fetchTimestamp");
  return renderTable(
    columns.map(({ name, type }) => ({ heading: name, align: type === "UTF8" || type === "DATE" ? "left" : "right" })),
    bars.map((bar) => columns.map(({ field }) => (field === "volume" ? whole(bar.volume) : cell(bar[field])))),
  );
}

function cell(value: string | number | null): string {
  return value === null ? "" : String(value);
}
