import { Command } from "commander";
import { createTradingCalendar, type TradingCalendar } from "../domain/trading-calendar.ts";
import { addDays } from "../domain/trading-date.ts";
import { datesToFill, findGaps, type Gap } from "../lambdas/symbol-updater/find-gaps.ts";
import { endpointOf, openStore } from "../stores/open-store.ts";
import { EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import { counted, duration, whole } from "./numbers.ts";
import { type EndedRun, type LocalRunOptions, localRunOptions, runHere } from "./run.ts";
import { configuredClosures, datesOf, daysOption, rereadOption, runInput, USUAL_FILL_DAYS } from "./run-input.ts";
import { storeOption } from "./run-report.ts";
import { refuseMixedSources } from "./store-source.ts";
import { type Terminal, writeLine } from "./terminal.ts";

interface CatchUpOptions extends LocalRunOptions {
  readonly days?: number;
  readonly reread?: boolean;
}

const HELP = `
Examples:
  asx catch-up                                 what the last 30 days lack, after an outage or a bad evening
  asx catch-up --days 90 --store s3://my-bucket
  asx catch-up --reread                        besides, the last five sessions again, for what was corrected
  asx catch-up --json | jq '.left[].date'

A trading day is not whole where it has no run summary, some symbols failed or were not tried, or a file that
the summary names is missing or changed. Each symbol is asked for only where it lacks something, in one
request over all of that. The date itself is run where it is not whole.

Exit codes: 0 all days are whole, 2 something is left, 1 failed, 64 bad usage, 130 interrupted.`;

/** `asx catch-up`: what the last days lack, fetched on this machine. */
export function catchUpCommand(terminal: Terminal): Command {
  const command = new Command("catch-up")
    .summary("fill what the last days lack")
    .description("Finds the trading days that are not whole and the symbols that they lack, and fetches just those.");
  return localRunOptions(command)
    .addOption(daysOption())
    .addOption(rereadOption())
    .option("--json", "print what was not whole and what is left as JSON and nothing else on standard output")
    .addHelpText("after", HELP)
    .action((options: CatchUpOptions) => catchUp(options, terminal));
}

async function catchUp(options: CatchUpOptions, terminal: Terminal): Promise<void> {
  const { stdout, stderr, environment } = terminal;
  const { days = USUAL_FILL_DAYS, reread = false, closures, json = false } = options;
  const store = await openStore(options.store, { endpoint: endpointOf(environment) });
  const calendar = createTradingCalendar(closures ?? configuredClosures(environment));
  const asked = runInput(options, terminal, { days, reread });
  const input = { ...asked, date: lastTradingDay(asked.date, calendar) };
  const looked = datesToFill(input.date, days, calendar);
  const { gaps, warnings } = await findGaps(looked, store, options.symbols);
  if (gaps.length === 0 && !reread) {
    for (const warning of warnings) writeLine(stderr, `asx: ${warning}`);
    const nothing = `ASX ${input.date}: all ${counted(looked.length, "trading day")} of the last ${counted(days, "day")} are whole; nothing was fetched.`;
    writeLine(stdout, json ? JSON.stringify(asJson(input.date, looked, [], [])) : nothing);
    return;
  }
  const gapDates = gaps.map(({ date }) => date);
  const dates = datesOf(input, options, terminal, gapDates);
  // Each batch refuses bars of another source in the days that it fills, of which a file may be damaged.
  await refuseMixedSources(store, { dates: [], source: options.source, environment });
  if (!json) for (const gap of gaps) writeLine(stderr, `${gap.date} is not whole: ${gap.why}`);
  await runHere({ store, input, dates, options }, terminal, (ended) => {
    const left = leftOf(ended, gapDates);
    if (json) writeLine(stdout, JSON.stringify(asJson(input.date, looked, gaps, left)));
    else writeLine(stdout, describe({ date: input.date, looked, gaps, left, ended, where: storeOption(store) }));
    const code = exitCodeOf(ended.digest.status);
    terminal.exit(code === EXIT_CODES.done && left.length > 0 ? EXIT_CODES.partial : code);
  });
}

/** The last trading day up to a date: there is nothing to fill on a closed one. */
function lastTradingDay(date: string, calendar: TradingCalendar): string {
  return calendar.previousTradingDay(addDays(date, 1));
}

/** A day that is still not whole, and how it stands. */
interface Left {
  readonly date: string;
  readonly status: string;
}

/** Of the run's sessions and the days that were not whole, those that are not complete now. */
function leftOf({ digest, summary }: EndedRun, gaps: readonly string[]): Left[] {
  const statuses = new Map<string, string>(digest.earlier.map(({ date, status }) => [date, status]));
  statuses.set(summary.date, summary.status);
  return [...new Set([...gaps, ...statuses.keys()])]
    .sort()
    .map((date) => ({ date, status: statuses.get(date) ?? "not run" }))
    .filter(({ status }) => status !== "complete");
}

function asJson(date: string, looked: readonly string[], gaps: readonly Gap[], left: readonly Left[]): object {
  const isLeft = new Set(left.map((session) => session.date));
  return {
    date,
    tradingDays: looked.length,
    notWhole: gaps.map((gap) => ({ date: gap.date, why: gap.why, symbols: gap.lacking.size })),
    filled: gaps.map((gap) => gap.date).filter((gap) => !isLeft.has(gap)),
    left,
  };
}

interface Report {
  readonly date: string;
  readonly looked: readonly string[];
  readonly gaps: readonly Gap[];
  readonly left: readonly Left[];
  readonly ended: EndedRun;
  /** The option that names the store in a command. */
  readonly where: string;
}

/** What was not whole, what was filled and what is left, a line each. */
function describe({ date, looked, gaps, left, ended, where }: Report): string {
  const isLeft = new Set(left.map((session) => session.date));
  const filled = gaps.map((gap) => gap.date).filter((gap) => !isLeft.has(gap));
  const { requests } = ended.summary.upstream;
  return [
    `ASX ${date}: ${left.length === 0 ? "whole" : "not whole"} in ${duration(ended.tookMs)}. ` +
      `${gaps.length} of ${counted(looked.length, "trading day")} were not whole; ${counted(requests, "request")}.`,
    ...gaps.map((gap) => `Gap:    ${gap.date}: ${gap.why}${symbolsOf(gap)}`),
    ...(filled.length > 0 ? [`Filled: ${filled.join(", ")}`] : []),
    ...left.map((day) => `Left:   ${day.date} is ${day.status}: npx asx status --date ${day.date}${where}`),
  ].join("\n");
}

function symbolsOf({ lacking }: Gap): string {
  return lacking.size === 0 ? "" : `; ${whole(lacking.size)} symbols known to be lacking`;
}
