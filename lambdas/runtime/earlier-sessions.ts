import { SYMBOL_SOURCES } from "../../domain/batch.ts";
import { messageOf, StoredFileError } from "../../domain/errors.ts";
import { runKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import { RUN_STATUSES, type RunSummary } from "../../domain/run-summary.ts";
import type { TradingCalendar } from "../../domain/trading-calendar.ts";
import type { Runtime } from "./runtime.ts";

/** Sessions before a date that are looked at for the newest stored one, or a symbol's last bar. */
export const SESSIONS_LOOKED_AT = 5;

/** The run summary of a date; undefined where it has none. Throws a StoredFileError where it is damaged. */
export async function readRunSummary(store: ObjectStore, date: string): Promise<RunSummary | undefined> {
  const key = runKey(date);
  const bytes = await store.get(key);
  return bytes === undefined ? undefined : parseRunSummary(key, bytes);
}

/** Whether a summary knows the list of its day: one of symbols that were named by hand does not, nor one of a closed day. */
export function knowsListing({ status, symbols }: RunSummary): boolean {
  return status !== RUN_STATUSES.marketClosed && symbols.source !== SYMBOL_SOURCES.event;
}

/**
 * The run summary of a date, where another date's is only compared with it: one that is damaged is logged and passed over,
 * as it says nothing of the date in hand.
 */
export async function readForComparison(
  date: string,
  { store, logger }: Pick<Runtime, "store" | "logger">,
): Promise<RunSummary | undefined> {
  try {
    return await readRunSummary(store, date);
  } catch (error) {
    if (!(error instanceof StoredFileError)) throw error;
    logger.warn(messageOf(error), { date });
    return undefined;
  }
}

/** The newest run summary of the last five sessions before a date that has any bar; undefined where none has. */
export async function previousSession(
  date: string,
  calendar: TradingCalendar,
  runtime: Pick<Runtime, "store" | "logger">,
): Promise<RunSummary | undefined> {
  let session = date;
  for (let looked = 0; looked < SESSIONS_LOOKED_AT; looked += 1) {
    session = calendar.previousTradingDay(session);
    const summary = await readForComparison(session, runtime);
    if (summary !== undefined && summary.rows > 0) return summary;
  }
  return undefined;
}
