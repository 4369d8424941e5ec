/** Adds what the provider said of dividends and splits to the table of corporate actions. */
import {
  type ActionsAnswer,
  type CorporateAction,
  compareActions,
  isActionValue,
  isSameValue,
  observeActions,
} from "../../domain/corporate-action.ts";
import type { DateSpan } from "../../domain/date-span.ts";
import { AsxEodError, messageOf, StoreConflictError } from "../../domain/errors.ts";
import { dateInSydney } from "../../domain/trading-date.ts";
import { encodeActionsCsv, readStoredActions, type StoredActions, yearOf } from "../../stores/actions-csv.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { SymbolHistory } from "./history-bars.ts";
import type { TimedAnswer } from "./price-source.ts";
import { reasonOfCurrency, reasonOfTicker, reasonOfZone } from "./session-bar.ts";

/** Tries to add to the table beside other writers of it, and the longest wait between two, in milliseconds. */
const WRITES = 24;
const LONGEST_WAIT_MS = 2_000;
const FIRST_WAIT_MS = 200;

/** How long before the end of a batch no try begins, in milliseconds: one is then over, and the batch can say what it did. */
const LAST_TRY_MS = 15_000;

/** A value that is seen again is not written again for so long: the next day's run confirms it. */
const CONFIRMED_FOR_MS = 20 * 3_600_000;

/** The symbol and the dates that an answer was asked for. */
export interface ActionsQuestion {
  readonly symbol: string;
  /** The provider's name of the symbol. */
  readonly ticker: string;
  /** First and last date, inclusive. */
  readonly from: string;
  readonly to: string;
}

/**
 * What an answer says of a symbol's actions; undefined where it says nothing: none was there, it is of another symbol,
 * currency or zone, or has neither rows nor actions. Values that are no amount or ratio are logged, and count for nothing.
 */
export function actionsSeen(
  { answer, answeredAt }: TimedAnswer,
  { symbol, ticker, from, to }: ActionsQuestion,
  { logger }: Pick<Runtime, "logger">,
): ActionsAnswer | undefined {
  if (answer.kind !== "chart" || answer.zone === undefined) return undefined;
  if (reasonOfTicker(answer, ticker) ?? reasonOfCurrency(answer) ?? reasonOfZone(answer)) return undefined;
  if (answer.rows.length + answer.dividends.size + answer.splits.size === 0) return undefined;
  return readableActions({ symbol, span: { from, to }, answeredAt, ...answer }, logger);
}

/**
 * The same of a symbol's history in a backfill, fresh or pending; undefined where it says nothing, as it has neither rows nor
 * actions.
 */
export function historyActionsSeen(
  { report, dividends, splits, answeredAt }: SymbolHistory,
  span: DateSpan,
  { logger }: Pick<Runtime, "logger">,
): ActionsAnswer | undefined {
  const { symbol, bars, leftOut } = report;
  if (answeredAt === undefined || bars + leftOut + dividends.size + splits.size === 0) return undefined;
  return readableActions({ symbol, span, answeredAt, dividends, splits }, logger);
}

/** Actions as a provider gave them. */
interface GivenActions extends Pick<ActionsAnswer, "symbol" | "span" | "answeredAt"> {
  readonly dividends: ReadonlyMap<string, unknown>;
  readonly splits: ReadonlyMap<string, unknown>;
}

function readableActions(
  { symbol, span, answeredAt, dividends, splits }: GivenActions,
  logger: Runtime["logger"],
): ActionsAnswer {
  const readable = (kind: string, events: ReadonlyMap<string, unknown>): Map<string, number | undefined> => {
    const values = new Map<string, number | undefined>();
    for (const [exDate, value] of events) {
      if (exDate < span.from || exDate > span.to) continue;
      const isValid = isActionValue(value);
      if (!isValid) logger.warn(`${symbol}: the ${kind} of ${exDate} is no number above 0`, { symbol, exDate });
      values.set(exDate, isValid ? value : undefined);
    }
    return values;
  };
  return {
    ...{ symbol, span, answeredAt },
    dividends: readable("dividend", dividends),
    splits: readable("split ratio", splits),
  };
}

/**
 * Adds what answers say to `actions/YYYY.csv`, beside other writers of it. Nothing is written where it is known, and was
 * confirmed in the last twenty hours.
 * @param until when no further try begins, in milliseconds since 1970.
 * @throws StoredFileError that names a damaged file; StoreConflictError where others kept changing one.
 */
export async function recordActions(
  answers: readonly ActionsAnswer[],
  { store, clock, random }: Pick<Runtime, "store" | "clock" | "random">,
  until = Number.POSITIVE_INFINITY,
): Promise<void> {
  const years = yearsConcerned(answers);
  if (years.length === 0) return;
  const symbols = new Set(answers.map(({ symbol }) => symbol));
  for (let writes = 1; ; writes += 1) {
    const files = await Promise.all(years.map((year) => readStoredActions(store, year)));
    const known = files.flatMap(({ actions }) => actions.filter(({ symbol }) => symbols.has(symbol)));
    const now = Map.groupBy(observeActions(known, answers), yearOf);
    try {
      for (const [index, file] of files.entries()) {
        const year = years[index] ?? "";
        await storeYear(file, symbols, now.get(year) ?? [], store);
      }
      return;
    } catch (error) {
      if (!(error instanceof StoreConflictError) || writes === WRITES) throw error;
      const waitMs = Math.ceil(random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * writes));
      if (clock.now() + waitMs > until) throw error;
      await clock.sleep(waitMs);
    }
  }
}

/**
 * The same for a batch, whose bars are not to be lost for it: what cannot be recorded, be it for a damaged file, because of
 * others or of the store, is logged. Answers of later runs, or `asx actions --rebuild`, make up for it.
 * @param endsAt when the batch is ended from outside, in milliseconds since 1970: shortly before it nothing is tried.
 */
export async function recordBatchActions(
  answers: readonly ActionsAnswer[],
  runtime: Pick<Runtime, "store" | "clock" | "random" | "logger">,
  endsAt = Number.POSITIVE_INFINITY,
): Promise<void> {
  if (answers.length === 0) return;
  const until = endsAt - LAST_TRY_MS;
  if (runtime.clock.now() > until) {
    runtime.logger.error("corporate actions are not recorded: the batch has no time left; the next answers bring them");
    return;
  }
  try {
    await recordActions(answers, runtime, until);
  } catch (error) {
    if (!(error instanceof AsxEodError)) throw error;
    runtime.logger.error(`corporate actions are not recorded: ${messageOf(error)}`, { error });
  }
}

/**
 * Years of the answers' dates, and those after them up to the newest answer: they have the splits that rescaled older
 * dividends. Without answers, none.
 */
function yearsConcerned(answers: readonly ActionsAnswer[]): string[] {
  if (answers.length === 0) return [];
  const first = Math.min(...answers.map(({ span }) => Number(yearOf({ exDate: span.from }))));
  const newest = Math.max(...answers.map(({ answeredAt }) => answeredAt));
  const ends = [dateInSydney(newest), ...answers.map(({ span }) => span.to)];
  const last = Math.max(...ends.map((exDate) => Number(yearOf({ exDate }))));
  return Array.from({ length: last - first + 1 }, (_, index) => String(first + index));
}

async function storeYear(
  { key, version, actions }: StoredActions,
  symbols: ReadonlySet<string>,
  now: readonly CorporateAction[],
  store: Runtime["store"],
): Promise<void> {
  const before = actions.filter(({ symbol }) => symbols.has(symbol));
  if (!isNews(before, now)) return;
  const others = actions.filter(({ symbol }) => !symbols.has(symbol));
  const all = [...others, ...now].sort(compareActions);
  await store.replace(key, encodeActionsCsv(all), version);
}

/** Whether what is known now is worth writing: more than confirmations of what was confirmed lately. */
function isNews(before: readonly CorporateAction[], now: readonly CorporateAction[]): boolean {
  if (before.length !== now.length) return true;
  return now.some((action, index) => {
    const old = before[index];
    if (old === undefined || old.symbol !== action.symbol || old.exDate !== action.exDate) return true;
    if (old.kind !== action.kind || old.firstSeen !== action.firstSeen) return true;
    if (!isSameValue(old.value, action.value)) return true;
    if (action.lastConfirmed - old.lastConfirmed > CONFIRMED_FOR_MS) return true;
    if (old.supersededAt === null || action.supersededAt === null) return old.supersededAt !== action.supersededAt;
    return Math.abs(action.supersededAt - old.supersededAt) > CONFIRMED_FOR_MS;
  });
}
