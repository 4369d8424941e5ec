import { Command, Option } from "commander";
import type { Aggregator, Table } from "../aggregator/index.ts";
import { directoryTable } from "../aggregator/listing-tables.ts";
import { InvalidInputError, SymbolsMissingError } from "../domain/errors.ts";
import { listingsKey } from "../domain/object-keys.ts";
import { printable } from "../domain/text.ts";
import { createTradingCalendar } from "../domain/trading-calendar.ts";
import { buildListings } from "../stores/build-listings.ts";
import { encodeListings } from "../stores/listings-file.ts";
import { endpointOf, openStore } from "../stores/open-store.ts";
import { dateArgument, moreSymbolsArgument, wholeNumberArgument } from "./arguments.ts";
import { ROWS_SHOWN } from "./column-table.ts";
import { counted } from "./numbers.ts";
import { type LibraryOptions, libraryOptions, withAggregator } from "./open-aggregator.ts";
import { configuredClosures } from "./run-input.ts";
import { jsonPieces, printTable, writePieces } from "./table-output.ts";
import { type Terminal, writeLine } from "./terminal.ts";

interface ListingsOptions extends LibraryOptions {
  readonly date?: string;
  readonly changes?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly symbol?: string[];
  readonly limit?: number;
  readonly format: "table" | "csv" | "json";
  readonly json?: boolean;
  readonly rebuild?: boolean;
}

const HELP = `
Examples:
  asx listings                                 every company that was ever on a stored list, with its dates
  asx listings --symbol ABC                    who had the code ABC: its listings 1, 2 ...
  asx listings --date 2024-05-31 --format csv  the market as it was on that day
  asx listings --changes --from 2024-05-01     who came, went, or took another name or code
  asx listings --rebuild                       make ${listingsKey} anew from what is stored

Kinds of changes: added, removed, renamed, recoded (a company with another code), reused (a code of another company).
Runs keep ${listingsKey} up to date; it is derived from the stored lists, run summaries and backfills.

Exit codes: 0 done, 1 no list is stored or the store cannot be read, 64 bad usage, 130 interrupted.`;

/** `asx listings`: which companies were listed when, and under which codes and names. */
export function listingsCommand(terminal: Terminal): Command {
  const command = new Command("listings")
    .summary("show listed companies over time")
    .description(
      "Shows the companies of the stored lists over time, those of one day, or what changed from list to list.",
    )
    .addOption(
      new Option("--date <date>", "only the list that was the newest on this date, YYYY-MM-DD")
        .argParser(dateArgument)
        .conflicts(["changes", "from", "to", "rebuild"]),
    )
    .addOption(new Option("--changes", "the differences between each list and the one before it").conflicts("rebuild"))
    .option("--from <date>", "first date of the changes, inclusive", dateArgument)
    .option("--to <date>", "their last date, inclusive", dateArgument)
    .option("--symbol <code>", "only this ASX code; may be given several times", moreSymbolsArgument)
    .option(
      "--limit <n>",
      `at most so many rows (default: ${ROWS_SHOWN} as a table, else all)`,
      wholeNumberArgument(1, 100_000),
    )
    .addOption(
      new Option("--format <format>", "how they are printed").choices(["table", "csv", "json"]).default("table"),
    )
    .addOption(new Option("--json", "the same as --format json").conflicts("format"))
    .option("--rebuild", "make the file of listings anew from what is stored, and show nothing");
  return libraryOptions(command)
    .addHelpText("after", HELP)
    .action((options: ListingsOptions) => listings(options, terminal));
}

async function listings(options: ListingsOptions, terminal: Terminal): Promise<void> {
  const { from, to, changes } = options;
  if (changes !== true && (from !== undefined || to !== undefined)) {
    throw new InvalidInputError("--from and --to go with --changes; --date shows the list of one day");
  }
  if (options.rebuild === true) return rebuild(options, terminal);
  await withAggregator(options, terminal, async (aggregator) => {
    const table = await wanted(aggregator, options);
    await print(table, options, terminal);
    const known: unknown[] = table.values("symbol");
    const without = options.changes === true ? [] : (options.symbol ?? []).filter((symbol) => !known.includes(symbol));
    if (without.length > 0) {
      const where = options.date === undefined ? "on any stored list" : `on the newest list of ${options.date}`;
      writeLine(terminal.stderr, `${without.join(", ")} ${without.length === 1 ? "is" : "are"} not ${where}.`);
    }
  });
}

async function wanted(aggregator: Aggregator, options: ListingsOptions): Promise<Table<object>> {
  const { date, from, to, symbol } = options;
  if (options.changes === true) return aggregator.listingChanges({ from, to, symbols: symbol });
  if (date === undefined) return aggregator.listingHistory({ symbols: symbol });
  const listed = await aggregator.listings(date);
  return directoryTable(listed.filter((listing) => symbol?.includes(listing.symbol) !== false));
}

async function print(table: Table<object>, options: ListingsOptions, terminal: Terminal): Promise<void> {
  if (options.format !== "table" || options.json === true) {
    const limited = table.slice(0, options.limit);
    await writePieces(terminal.stdout, options.format === "csv" ? limited.toCSVPieces() : jsonPieces(limited));
    return;
  }
  const noun = options.changes === true ? "changes" : "listings";
  if (table.length === 0) {
    writeLine(terminal.stderr, `There are no ${noun}.`);
    return;
  }
  const rest = { noun, remedy: "--format csv has them all", grouped: new Set(["market_cap"]) };
  printTable(table, { rows: options.limit ?? ROWS_SHOWN, width: terminal.width, ...rest }, terminal);
}

async function rebuild({ store: url }: ListingsOptions, { stdout, stderr, environment }: Terminal): Promise<void> {
  const store = await openStore(url, { endpoint: endpointOf(environment) });
  const stored = await store.read(listingsKey);
  const calendar = createTradingCalendar(configuredClosures(environment));
  const warn = (message: string): void => writeLine(stderr, `asx: ${printable(message)}`);
  const state = await buildListings({ store, calendar, warn });
  if (state.history.lists.length === 0) {
    throw new SymbolsMissingError(
      `${store.url} holds no list of symbols, and nothing was written; is it the right store?`,
    );
  }
  await store.replace(listingsKey, encodeListings(state), stored?.version);
  const { lists, bySymbol } = state.history;
  const count = [...bySymbol.values()].reduce((sum, { length }) => sum + length, 0);
  writeLine(
    stdout,
    `${store.locate(listingsKey)}: ${counted(count, "listing")} under ${counted(bySymbol.size, "code")} from ${counted(lists.length, "list")}, watermarks of ${counted(state.watermarks.size, "symbol")}`,
  );
}
