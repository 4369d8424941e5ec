/** What a backfill is asked for, on this machine or by a state machine: the options and what becomes of them. */
import { Option } from "commander";
import type { BackfillEvent } from "../domain/backfill.ts";
import { createTradingCalendar, type TradingCalendar } from "../domain/trading-calendar.ts";
import { sessionsOfSpan } from "../lambdas/runtime/backfill-span.ts";
import { dateArgument } from "./arguments.ts";
import { configuredClosures } from "./run-input.ts";
import type { Terminal } from "./terminal.ts";

/** The options that say what a backfill is to fetch. */
export interface BackfillInputOptions {
  readonly from: string;
  readonly to?: string;
  readonly symbols?: string[];
  readonly closures?: string[];
  readonly acceptDirectory?: boolean;
}

/** `--from` */
export function fromOption(): Option {
  return new Option("--from <date>", "first trading date in Sydney, YYYY-MM-DD").argParser(dateArgument);
}

/** `--to` */
export function toOption(): Option {
  const about = "last trading date (default: the last finished trading day)";
  return new Option("--to <date>", about).argParser(dateArgument);
}

/** The calendar that a command goes by. @throws InvalidInputError for bad closures in the environment. */
export function commandCalendar(
  closures: readonly string[] | undefined,
  { environment }: Pick<Terminal, "environment">,
): TradingCalendar {
  return createTradingCalendar(closures ?? configuredClosures(environment));
}

/**
 * The input of a backfill.
 * @throws InvalidInputError for a span that is backward, without a session, too early or not finished yet.
 */
export function backfillInput(
  { from, to: asked, symbols, closures, acceptDirectory }: BackfillInputOptions,
  terminal: Pick<Terminal, "clock" | "environment">,
): BackfillEvent {
  const calendar = commandCalendar(closures, terminal);
  const now = terminal.clock.now();
  const to = asked ?? calendar.lastFinishedTradingDay(now);
  sessionsOfSpan({ from, to }, calendar, now);
  return {
    backfill: { from, to },
    ...(symbols !== undefined && { symbols }),
    ...(acceptDirectory !== undefined && { acceptDirectory }),
  };
}
