import { Command, Option } from "commander";
import { createTradingCalendar } from "../domain/trading-calendar.ts";
import { dateArgument } from "./arguments.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { describeMissing, lackingDates } from "./missing-report.ts";
import { type LibraryOptions, libraryOptions, withAggregator } from "./open-aggregator.ts";
import { configuredClosures } from "./run-input.ts";
import { storeOption } from "./run-report.ts";
import { sourceOption } from "./store-source.ts";
import { type Terminal, writeLine } from "./terminal.ts";

interface MissingOptions extends LibraryOptions {
  readonly from?: string;
  readonly to?: string;
  readonly json?: boolean;
  readonly dates?: boolean;
}

const HELP = `
Examples:
  asx missing                                  from the first stored day on
  asx missing --from 2024-01-02 --to 2024-05-31 --store s3://my-bucket
  asx missing --json | jq '.partial[].symbols[]'
  asx missing --dates                          the dates alone, one a line

States: no run (neither a run nor bars), partial (symbols failed or were not tried), failed (no bar, or the
day as a whole cannot be right), unrecorded (bars without a run or a backfill of the whole market: whether
all are there is not known). Days whose prices have not settled yet are not missing, nor are those on which
the exchange was closed, or that a whole backfill covers.

Exit codes: 0 nothing is missing, 2 something is, 1 nothing is stored (--from lists the days to fetch all the same)
or the store cannot be read, 64 bad usage, 130 interrupted.`;

/** `asx missing`: what is lacking in a range of dates, and the commands that mend it. */
export function missingCommand(terminal: Terminal): Command {
  const command = new Command("missing")
    .summary("list days that are not whole")
    .description(
      "Lists the trading days that have no run, are partial, failed or unrecorded, and says how to mend them.",
    )
    .option("--from <date>", "first date, inclusive (default: the first that is stored)", dateArgument)
    .option("--to <date>", "last date, inclusive (default: the last finished trading day)", dateArgument)
    .addOption(new Option("--json", "print it as JSON, with every symbol").conflicts("dates"))
    .option("--dates", "print only the dates to run again, one a line");
  return libraryOptions(command)
    .addHelpText("after", HELP)
    .action((options: MissingOptions) => missing(options, terminal));
}

async function missing(options: MissingOptions, terminal: Terminal): Promise<void> {
  const { stdout, stderr, clock, environment, exit } = terminal;
  const calendar = createTradingCalendar(configuredClosures(environment));
  const where = storeOption({ url: options.store });
  const last = calendar.lastFinishedTradingDay(clock.now());
  await withAggregator(options, terminal, async (aggregator) => {
    const from = options.from ?? (await aggregator.dates())[0]?.date;
    if (from === undefined) {
      writeLine(stderr, `asx: ${options.store} holds no day; begin with npx asx run${where}, or list days with --from`);
      exit(EXIT_CODES.failed);
      return;
    }
    const to = options.to ?? latest(from, last);
    const lacking = await aggregator.missing(from, to);
    if (options.json === true) writeLine(stdout, JSON.stringify(lacking));
    else if (options.dates === true) for (const date of lackingDates(lacking)) writeLine(stdout, date);
    else {
      const source = lacking.isNothing ? "" : await sourceOption(options.store, environment);
      writeLine(stdout, describeMissing(lacking, { where, source, calendar, last }));
    }
    const finished = calendar.tradingDays(from, to).filter((date) => date <= last);
    // Only a range without anything leaves open whether the store has any day: looking at all of it takes longer.
    const hasNone = lacking.days.length >= finished.length && lacking.unreadable.length === 0;
    const isEmpty = hasNone && (await aggregator.dates()).length === 0;
    if (isEmpty) {
      writeLine(stderr, `asx: ${options.store} holds no day; is it the right store?`);
      exit(EXIT_CODES.failed);
    } else if (!lacking.isNothing) exit(EXIT_CODES.partial);
  });
}

function latest(date: string, other: string): string {
  return date > other ? date : other;
}
