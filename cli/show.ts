import { Command, Option } from "commander";
import { describeReused } from "../aggregator/coverage.ts";
import type { Adjustment, BarColumnName, Bars } from "../aggregator/index.ts";
import { BAR_COLUMNS } from "../domain/bar-columns.ts";
import { InvalidInputError } from "../domain/errors.ts";
import { createTradingCalendar } from "../domain/trading-calendar.ts";
import { columnsArgument, dateArgument, moreListingsArgument, wholeNumberArgument } from "./arguments.ts";
import { ROWS_SHOWN } from "./column-table.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { type LibraryOptions, libraryOptions, withAggregator } from "./open-aggregator.ts";
import { configuredClosures } from "./run-input.ts";
import { storeOption } from "./run-report.ts";
import { jsonPieces, printTable, writePieces } from "./table-output.ts";
import { type Terminal, writeLine } from "./terminal.ts";

interface ShowOptions extends LibraryOptions {
  readonly date?: string;
  readonly from?: string;
  readonly to?: string;
  readonly symbol?: string[];
  readonly columns?: BarColumnName[];
  readonly adjust: Adjustment;
  readonly limit?: number;
  readonly format: "table" | "csv" | "json";
  readonly json?: boolean;
}

const HELP = `
Examples:
  asx show --date 2024-05-31
  asx show --date 2024-05-31 --symbol BHP --store s3://my-bucket
  asx show --from 2024-01-02 --to 2024-05-31 --symbol BHP --symbol CBA --columns close,volume
  asx show --from 2024-01-02 --symbol BHP --columns close --adjust all
  asx show --from 2024-05-01 --format csv > may.csv

What is lacking in the days that are shown is told on standard error.

Exit codes: 0 shown (also where the market was closed), 1 nothing is stored or a file is damaged, 64 bad usage,
130 interrupted.`;

/** `asx show`: the bars of a date or of a range of dates. */
export function showCommand(terminal: Terminal): Command {
  const command = new Command("show")
    .summary("show stored bars")
    .description(
      "Shows the bars of a trading date or a range, every batch merged, in order of symbol and date. Prices in AUD.",
    )
    .addOption(
      new Option("--date <date>", "trading date in Sydney, YYYY-MM-DD")
        .argParser(dateArgument)
        .conflicts(["from", "to"]),
    )
    .option("--from <date>", "first date of a range, inclusive", dateArgument)
    .option("--to <date>", "its last date, inclusive (default: the last finished trading day)", dateArgument)
    .option(
      "--symbol <code>",
      "only this ASX code; may be given several times; ABC#2: its second listing",
      moreListingsArgument,
    )
    .option("--columns <names>", "only these besides symbol and date, such as close,volume", columnsArgument)
    .addOption(
      new Option(
        "--adjust <for>",
        "adjust prices for later splits, or for splits and dividends: docs/adjusted-prices.md",
      )
        .choices(["none", "splits", "all"])
        .default("none"),
    )
    .option(
      "--limit <n>",
      `at most so many bars (default: ${ROWS_SHOWN} as a table, else all)`,
      wholeNumberArgument(1, 100_000),
    )
    .addOption(
      new Option("--format <format>", "how they are printed").choices(["table", "csv", "json"]).default("table"),
    )
    .addOption(new Option("--json", "the same as --format json").conflicts("format"));
  return libraryOptions(command)
    .addHelpText("after", HELP)
    .action((options: ShowOptions) => show(options, terminal));
}

async function show(options: ShowOptions, terminal: Terminal): Promise<void> {
  const range = rangeOf(options, terminal);
  await withAggregator(options, terminal, async (aggregator) => {
    const bars = await aggregator.loadDateRange(range.from, range.to, {
      symbols: options.symbol,
      adjust: options.adjust,
      columns: options.columns ?? (isTable(options) ? SHOWN_COLUMNS : undefined),
    });
    const isOneDay = range.from === range.to;
    const calendar = createTradingCalendar(configuredClosures(terminal.environment));
    if (bars.length === 0 && isOneDay && !calendar.isTradingDay(range.from)) {
      writeLine(terminal.stderr, `ASX ${range.from}: the market was closed.`);
      return;
    }
    // It tells a date that is not stored from one on which nothing traded.
    if (bars.length === 0 && isOneDay) await aggregator.loadDate(range.from);
    await print(bars, options, terminal);
    tellWhatLacks(bars, { range, options }, terminal);
  });
}

/** When a bar was fetched is no news to most who look at a table. */
const SHOWN_COLUMNS = BAR_COLUMNS.map(({ name }) => name).filter((name) => name !== "fetch_timestamp");

function isTable({ format, json }: ShowOptions): boolean {
  return format === "table" && json !== true;
}

function rangeOf({ date, from, to }: ShowOptions, { clock }: Terminal): { from: string; to: string } {
  if (date !== undefined) return { from: date, to: date };
  if (from === undefined) throw new InvalidInputError("say which days: --date DATE, or --from DATE and --to DATE");
  return { from, to: to ?? createTradingCalendar().lastFinishedTradingDay(clock.now()) };
}

type ShownBars = Bars<"symbol" | "date" | BarColumnName>;

async function print(bars: ShownBars, options: ShowOptions, terminal: Terminal): Promise<void> {
  if (!isTable(options)) {
    const limited = bars.slice(0, options.limit);
    await writePieces(terminal.stdout, options.format === "csv" ? limited.toCSVPieces() : jsonPieces(limited));
    return;
  }
  if (bars.length === 0) return;
  const rows = options.limit ?? ROWS_SHOWN;
  const rest = { noun: "bars", remedy: "--columns names those to show", grouped: new Set(["volume"]) };
  printTable(bars, { rows, width: terminal.width, ...rest }, terminal);
}

interface Shown {
  readonly range: { readonly from: string; readonly to: string };
  readonly options: ShowOptions;
}

/** Days that are not whole, files that nothing vouches for, and symbols without a bar. */
function tellWhatLacks(bars: ShownBars, { range, options }: Shown, { stderr, exit }: Terminal): void {
  const { coverage } = bars;
  const { from, to } = range;
  const where = storeOption({ url: options.store });
  const isOneDay = from === to;
  const see = isOneDay ? `npx asx status --date ${from}${where}` : `npx asx missing --from ${from} --to ${to}${where}`;
  const days = isOneDay ? `on ${from}` : `from ${from} to ${to}`;
  const isShort = coverage.days.some(({ status }) => status !== "complete") || coverage.unverified.length > 0;
  if (bars.length === 0 && options.symbol === undefined) writeLine(stderr, `There are no bars ${days}.`);
  const without = (options.symbol ?? []).filter((symbol) => !bars.symbols.includes(symbol.replace(/#.*$/, "")));
  if (without.length > 0) {
    const why = isOneDay ? `; npx asx status --date ${from}${where} --json says why` : "";
    writeLine(stderr, `${without.join(", ")} ${without.length === 1 ? "has" : "have"} no bar ${days}${why}.`);
  }
  for (const reused of coverage.reusedCodes)
    writeLine(stderr, `Several companies had the code: ${describeReused(reused)}.`);
  for (const left of coverage.notAdjusted) writeLine(stderr, `Not adjusted for a dividend: ${left}.`);
  if (isShort && isOneDay) writeLine(stderr, `${dayWarning(from, bars)}: see ${see}`);
  else if (isShort) writeLine(stderr, `${coverage}\nSee ${see}`);
  if (bars.length === 0 && coverage.days.length > 0) exit(EXIT_CODES.failed);
}

function dayWarning(date: string, { coverage }: ShownBars): string {
  const status = coverage.days.find((day) => day.date === date)?.status;
  if (status === "unrecorded") return `A run of ${date} is under way or broke off: bars may be missing`;
  if (status === undefined || status === "complete") return String(coverage);
  return `${date} is ${status}`;
}
