/** What a run is asked for, on this machine or by a state machine: the options and what becomes of them. */
import { Option } from "commander";
import * as z from "zod";
import { MOST_FILL_DAYS, type SymbolUpdaterEvent } from "../domain/batch.ts";
import { InvalidInputError } from "../domain/errors.ts";
import { parseInput } from "../domain/parse.ts";
import { createTradingCalendar } from "../domain/trading-calendar.ts";
import { dateInSydney, describeSettling, settledInstant } from "../domain/trading-date.ts";
import { marketClosures } from "../lambdas/runtime/environment.ts";
import type { Environment } from "../lambdas/runtime/runtime.ts";
import { sessionsOf } from "../lambdas/symbol-updater/update-symbols.ts";
import { dateArgument, datesArgument, symbolsArgument, wholeNumberArgument } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";

/** The options that say what a run is to fetch. */
export interface RunInputOptions {
  readonly date?: string;
  readonly symbols?: string[];
  readonly closures?: string[];
  readonly acceptDirectory?: boolean;
}

/** How a run catches up. */
export interface CatchUp {
  /** Calendar days up to the date, the date included, that are filled where they are not whole. */
  readonly days: number;
  /** Whether the last five sessions are read again besides, for every symbol. */
  readonly reread: boolean;
}

/** Calendar days that are filled where nothing else is said. */
export const USUAL_FILL_DAYS = 30;

/** What starts the workflow, with the date always in it. */
export type RunInput = SymbolUpdaterEvent & { readonly date: string };

const closuresEnvironment = z.object({ MARKET_CLOSURES: marketClosures });

/** `--date` */
export function dateOption(): Option {
  const about = "trading date in Sydney, YYYY-MM-DD (default: the last finished trading day)";
  return new Option("--date <date>", about).argParser(dateArgument);
}

/** `--symbols` */
export function symbolsOption(): Option {
  return new Option("--symbols <codes>", "only these ASX codes, separated by commas").argParser(symbolsArgument);
}

/** `--closures` */
export function closuresOption(): Option {
  const about = "closed dates that the exchange's rules do not know (default: MARKET_CLOSURES)";
  return new Option("--closures <dates>", about).argParser(datesArgument);
}

/** `--accept-directory` */
export function acceptDirectoryOption(): Option {
  const about = "take a directory even though it is over 5 % smaller than the stored list";
  return new Option("--accept-directory", about);
}

/** `--days` of a run that catches up. */
export function daysOption(): Option {
  const about = `calendar days up to the date that are made whole, 1 to ${MOST_FILL_DAYS} (default: ${USUAL_FILL_DAYS})`;
  return new Option("--days <n>", about).argParser(wholeNumberArgument(1, MOST_FILL_DAYS));
}

/** `--reread` of a run that catches up. */
export function rereadOption(): Option {
  const about = "ask every symbol for the last five sessions again besides, and take over what has changed";
  return new Option("--reread", about);
}

/**
 * The trading dates that a run asks for, its own last; a closed day for itself.
 * @param gaps dates before it that are to be filled.
 */
export function datesOf(
  input: RunInput,
  { closures }: RunInputOptions,
  { environment }: Pick<Terminal, "environment">,
  gaps: readonly string[] = [],
): string[] {
  const calendar = createTradingCalendar(closures ?? configuredClosures(environment));
  return calendar.isTradingDay(input.date) ? sessionsOf(input, input.date, calendar, gaps) : [input.date];
}

/** The closed dates that the environment names besides the rules'. @throws InvalidInputError for what is no date. */
export function configuredClosures(environment: Environment): string[] {
  return parseInput(closuresEnvironment, environment, "environment").MARKET_CLOSURES;
}

/**
 * The input of a run. The date is the one asked for, else the last finished trading day.
 * @throws InvalidInputError for a date to come or whose prices have not settled, or bad closures in the environment.
 */
export function runInput(
  { date: asked, symbols, closures, acceptDirectory }: RunInputOptions,
  { clock, environment }: Pick<Terminal, "clock" | "environment">,
  catchUp?: CatchUp,
): RunInput {
  const closed = closures ?? configuredClosures(environment);
  const calendar = createTradingCalendar(closed);
  const date = asked ?? calendar.lastFinishedTradingDay(clock.now());
  const today = dateInSydney(clock.now());
  if (date > today) throw new InvalidInputError(`${date} is still to come: today is ${today} in Sydney`);
  if (calendar.isTradingDay(date) && clock.now() < settledInstant(date)) {
    throw new InvalidInputError(describeSettling(date));
  }
  return {
    date,
    ...(symbols !== undefined && { symbols }),
    ...(acceptDirectory !== undefined && { acceptDirectory }),
    ...(catchUp !== undefined && { fillDays: catchUp.days, ...(catchUp.reread && { catchUp: true }) }),
  };
}
