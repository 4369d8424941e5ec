import { Command, Option } from "commander";
import type { Aggregator } from "../aggregator/index.ts";
import { InvalidInputError } from "../domain/errors.ts";
import { printable } from "../domain/text.ts";
import { dateArgument, moreSymbolsArgument, wholeNumberArgument } from "./arguments.ts";
import { ROWS_SHOWN } from "./column-table.ts";
import { type LibraryOptions, libraryOptions, withAggregator } from "./open-aggregator.ts";
import { jsonPieces, printTable, writePieces } from "./table-output.ts";
import { type Terminal, writeLine } from "./terminal.ts";

interface ActionsCommandOptions extends LibraryOptions {
  readonly symbol?: string[];
  readonly from?: string;
  readonly to?: string;
  readonly all?: boolean;
  readonly limit?: number;
  readonly format: "table" | "csv" | "json";
  readonly json?: boolean;
  readonly rebuild?: boolean;
}

const HELP = `
Examples:
  asx actions --symbol BHP
  asx actions --from 2024-01-01 --all --format csv > actions.csv
  asx actions --rebuild

--rebuild writes the files under actions/ anew, from what they hold and what all stored bars and the records of their
changes say. Damaged files are told and replaced.

Exit codes: 0 done, 1 a file is damaged, 64 bad usage, 130 interrupted.`;

/** `asx actions`: dividends and splits. */
export function actionsCommand(terminal: Terminal): Command {
  const command = new Command("actions")
    .summary("show dividends and splits")
    .description(
      "Shows dividends (AUD a share, in the shares of last_confirmed) and splits (new shares for one old) by ex-date.",
    )
    .option("--symbol <code>", "only this ASX code; may be given several times", moreSymbolsArgument)
    .option("--from <date>", "first ex-date, inclusive", dateArgument)
    .option("--to <date>", "last ex-date, inclusive", dateArgument)
    .option("--all", "values too that were revised or withdrawn since")
    .option(
      "--limit <n>",
      `at most so many (default: ${ROWS_SHOWN} as a table, else all)`,
      wholeNumberArgument(1, 100_000),
    )
    .addOption(
      new Option("--format <format>", "how they are printed").choices(["table", "csv", "json"]).default("table"),
    )
    .addOption(new Option("--json", "the same as --format json").conflicts("format"))
    .addOption(
      new Option("--rebuild", "write the stored table anew").conflicts([
        "symbol",
        "from",
        "to",
        "all",
        "limit",
        "json",
      ]),
    );
  return libraryOptions(command)
    .addHelpText("after", HELP)
    .action((options: ActionsCommandOptions) =>
      withAggregator(options, terminal, (aggregator) =>
        options.rebuild === true ? rebuild(aggregator, terminal) : show(aggregator, options, terminal),
      ),
    );
}

async function show(aggregator: Aggregator, options: ActionsCommandOptions, terminal: Terminal): Promise<void> {
  const { symbol: symbols, from, to, all, limit, format, json } = options;
  if (from !== undefined && to !== undefined && from > to) {
    throw new InvalidInputError(`--from ${from} is after --to ${to}; give the earlier date first`);
  }
  const table = await aggregator.actions({ symbols, from, to, all });
  if (format !== "table" || json === true) {
    const limited = table.slice(0, limit);
    await writePieces(terminal.stdout, format === "csv" ? limited.toCSVPieces() : jsonPieces(limited));
    return;
  }
  if (table.length === 0) {
    writeLine(terminal.stderr, "There are no such dividends or splits.");
    return;
  }
  const rest = { noun: "actions", remedy: "--format csv has every column" };
  printTable(table, { rows: limit ?? ROWS_SHOWN, width: terminal.width, ...rest }, terminal);
}

async function rebuild(aggregator: Aggregator, { stdout, stderr }: Terminal): Promise<void> {
  const { actions, written, damaged } = await aggregator.rebuildActions();
  for (const message of damaged) writeLine(stderr, `asx: ${printable(message)}`);
  const files = written.length === 0 ? "nothing had to be written" : `written: ${written.join(", ")}`;
  writeLine(stdout, `${actions} ${actions === 1 ? "value" : "values"} of dividends and splits; ${files}`);
}
