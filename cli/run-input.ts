/** What a run is asked for, on this machine or by a state machine: the options and what becomes of them. */
import { Option } from "commander";
import * as z from "zod";
import type { SymbolUpdaterEvent } from "../domain/batch.ts";
import { InvalidInputError } from "../domain/errors.ts";
import { parseInput } from "../domain/parse.ts";
import { createTradingCalendar } from "../domain/trading-calendar.ts";
import { dateInSydney, describeSettling, settledInstant } from "../domain/trading-date.ts";
import { marketClosures } from "../lambdas/runtime/environment.ts";
import type { Environment } from "../lambdas/runtime/runtime.ts";
import { sessionsOf } from "../lambdas/symbol-updater/update-symbols.ts";
import { dateArgument, datesArgument, symbolsArgument } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";

/** The options that say what a run is to fetch. */
export interface RunInputOptions {
  readonly date?: string;
  readonly symbols?: string[];
  readonly closures?: string[];
  readonly acceptDirectory?: boolean;
  readonly catchUp?: boolean;
}

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

/** `--catch-up` */
export function catchUpOption(): Option {
  const about =
    "ask every symbol for the last five sessions again: fill what is unfinished, take over what has changed";
  return new Option("--catch-up", about);
}

/** The trading dates that a run asks for, its own last; a closed day for itself. */
export function datesOf(
  input: RunInput,
  { closures }: RunInputOptions,
  { environment }: Pick<Terminal, "environment">,
): string[] {
  const calendar = createTradingCalendar(closures ?? configuredClosures(environment));
  return calendar.isTradingDay(input.date) ? sessionsOf(input, input.date, calendar) : [input.date];
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
  { date: asked, symbols, closures, acceptDirectory, catchUp }: RunInputOptions,
  { clock, environment }: Pick<Terminal, "clock" | "environment">,
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
    ...(catchUp !== undefined && { catchUp }),
  };
}
