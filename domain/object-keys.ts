/**
 * Every object key of the system, built and parsed here only, as inverse pairs: `parse(build(x))`
 * is `x`, and `parse` is undefined for every text that `build` cannot give.
 */
import type { DateSpan } from "./date-span.ts";
import { InvalidInputError } from "./errors.ts";
import { toSymbol } from "./symbol.ts";
import { quote } from "./text.ts";
import { isTradingDate } from "./trading-date.ts";

const SYMBOLS_PREFIX = "symbols/";
const RAW_DATA_PREFIX = "raw-data/";
const RUNS_PREFIX = "runs/";
const REVISIONS_PREFIX = "revisions/";
const CURATED_PREFIX = "curated/";
const HISTORY_PREFIX = "history/";
const BACKFILLS_PREFIX = "backfills/";
const PENDING_PREFIX = "pending/";
const ACTIONS_PREFIX = "actions/";

const SYMBOLS_KEY = /^symbols\/(\d{4}-\d{2}-\d{2})-symbols\.csv$/;
const RAW_DATA_KEY = /^raw-data\/(\d{4}-\d{2}-\d{2})(?:-batch-(0|[1-9]\d{0,5}))?\.parquet$/;
const RUN_KEY = /^runs\/(\d{4}-\d{2}-\d{2})\.json$/;
const RUN_LOCK_KEY = /^runs\/(\d{4}-\d{2}-\d{2})\.lock$/;

const CURATED_KEY = /^curated\/bars-(\d{4}(?:-\d{2}-\d{2})?)-([0-9a-f]{16})\.parquet$/;
const REVISIONS_KEY = /^revisions\/(\d{4}-\d{2}-\d{2})(?:-batch-(0|[1-9]\d{0,5}))?\.json$/;
const HISTORY_KEY = /^history\/(\d{4}-\d{2}-\d{2})_(\d{4}-\d{2}-\d{2})-batch-(0|[1-9]\d{0,5})\.parquet$/;
const BACKFILL_KEY = /^backfills\/(\d{4}-\d{2}-\d{2})_(\d{4}-\d{2}-\d{2})\.json$/;
const BACKFILL_LOCK_KEY = /^backfills\/(\d{4}-\d{2}-\d{2})_(\d{4}-\d{2}-\d{2})\.lock$/;
const PENDING_KEY = /^pending\/(\d{4}-\d{2}-\d{2})_(\d{4}-\d{2}-\d{2})\/([A-Z0-9]{3,6})\.json\.gz$/;
const ACTIONS_KEY = /^actions\/(\d{4})\.csv$/;

/** What a key under `raw-data/` names: a batch of a trading date, or (batch number null) all of its symbols. */
export interface RawDataName {
  readonly date: string;
  readonly batchNumber: number | null;
}

/** Prefix under which the symbol lists lie. */
export const symbolsPrefix = SYMBOLS_PREFIX;
/** Prefix under which the Parquet files of all dates lie. */
export const rawDataFolder = RAW_DATA_PREFIX;
/** Prefix under which the run summaries lie. */
export const runsPrefix = RUNS_PREFIX;

/** Prefix under which the compacted files lie. */
export const curatedPrefix = CURATED_PREFIX;

/** Prefix under which the records of changed bars lie. */
export const revisionsPrefix = REVISIONS_PREFIX;

/** Key of the symbols listed on a date. */
export function symbolsKey(date: string): string {
  return `${SYMBOLS_PREFIX}${checkedDate(date)}-symbols.csv`;
}

/** The date of a symbols key. */
export function parseSymbolsKey(key: string): string | undefined {
  return checkedMatch(SYMBOLS_KEY.exec(key));
}

/** Prefix that all Parquet files of a date share. Other keys may share it too: parse what a listing gives. */
export function rawDataPrefix(date: string): string {
  return `${RAW_DATA_PREFIX}${checkedDate(date)}`;
}

/** Key of a batch's bars, or of the older form with all symbols in one file where the batch number is null. */
export function rawDataKey({ date, batchNumber }: RawDataName): string {
  return `${rawDataPrefix(date)}${batchSuffix(batchNumber)}.parquet`;
}

/** What a raw-data key names. */
export function parseRawDataKey(key: string): RawDataName | undefined {
  return checkedName(RAW_DATA_KEY.exec(key));
}

/** What ends the part of a raw-data key that all batches of its date share, for a listing in short. */
export const RAW_DATA_DELIMITER = "b";

/** The date of a line of such a listing. */
export function parseRawDataGroup(group: string): string | undefined {
  const match = /^raw-data\/(\d{4}-\d{2}-\d{2})(?:-|\.parquet)$/.exec(group);
  return checkedMatch(match);
}

/** Key of what has changed in the bars of the raw-data file of the same name after they were stored. */
export function revisionsKey({ date, batchNumber }: RawDataName): string {
  return `${REVISIONS_PREFIX}${checkedDate(date)}${batchSuffix(batchNumber)}.json`;
}

/** What a revisions key names. */
export function parseRevisionsKey(key: string): RawDataName | undefined {
  return checkedName(REVISIONS_KEY.exec(key));
}

/** Key of the manifest of the compacted files. */
export const curatedManifestKey = `${CURATED_PREFIX}manifest.json`;

/** What a compacted file's key names: the year or the date that it holds, and the beginning of its SHA-256. */
export interface CuratedName {
  /** `YYYY` or `YYYY-MM-DD`. */
  readonly period: string;
  /** 16 hexadecimal digits: files of other bytes have other keys, and a file is never changed. */
  readonly hash: string;
}

/** Key of a compacted file. */
export function curatedKey({ period, hash }: CuratedName): string {
  const key = `${CURATED_PREFIX}bars-${period}-${hash}.parquet`;
  if (parseCuratedKey(key) !== undefined) return key;
  throw new InvalidInputError(`a compacted file of ${quote(period, 40)} with the hash ${quote(hash, 40)} has no key`);
}

/** What a compacted file's key names. */
export function parseCuratedKey(key: string): CuratedName | undefined {
  const match = CURATED_KEY.exec(key);
  const [, period, hash] = match ?? [];
  if (period === undefined || hash === undefined) return undefined;
  return period.length === 4 || isTradingDate(period) ? { period, hash } : undefined;
}

/** Key of a date's run summary. */
export function runKey(date: string): string {
  return `${RUNS_PREFIX}${checkedDate(date)}.json`;
}

/** The date of a run summary's key. */
export function parseRunKey(key: string): string | undefined {
  return checkedMatch(RUN_KEY.exec(key));
}

/** Key of the lock that a run of a date holds. */
export function runLockKey(date: string): string {
  return `${RUNS_PREFIX}${checkedDate(date)}.lock`;
}

/** The date of a run lock's key. */
export function parseRunLockKey(key: string): string | undefined {
  return checkedMatch(RUN_LOCK_KEY.exec(key));
}

/** What a key under `history/` names: a batch of a backfill. */
export interface HistoryName extends DateSpan {
  readonly batchNumber: number;
}

/** What a key under `pending/` names: the history of one symbol, fetched and not yet in a batch's file. */
export interface PendingName extends DateSpan {
  readonly symbol: string;
}

/** Prefix under which the Parquet files of all backfills lie, and nothing else. */
export const historyPrefix = HISTORY_PREFIX;
/** Prefix under which the records of backfills lie. */
export const backfillsPrefix = BACKFILLS_PREFIX;
/** Prefix under which lies what backfills have fetched and not yet put into a file. */
export const pendingPrefix = PENDING_PREFIX;
/** Prefix under which the corporate actions lie, a file a year of ex-dates. */
export const actionsPrefix = ACTIONS_PREFIX;
/** Key of the listings over time, and the watermarks of their symbols. */
export const listingsKey = "listings/listings.json";

/** Prefix that all files of a backfill share. */
export function historyFilesPrefix(span: DateSpan): string {
  return `${HISTORY_PREFIX}${spanText(span)}-batch-`;
}

/** Key of the lock on a trading date, or on a backfill by the name of its span, `FROM_TO`. */
export function lockKey(subject: string): string {
  const [from = "", to] = subject.split("_");
  return to === undefined ? runLockKey(from) : backfillLockKey({ from, to });
}

/** Key of a batch of a backfill. */
export function historyKey({ batchNumber, ...span }: HistoryName): string {
  return `${HISTORY_PREFIX}${spanText(span)}${batchSuffix(batchNumber)}.parquet`;
}

/** What a history key names. */
export function parseHistoryKey(key: string): HistoryName | undefined {
  const match = HISTORY_KEY.exec(key);
  const span = checkedSpan(match);
  return span === undefined ? undefined : { ...span, batchNumber: Number(match?.[3]) };
}

/** Key of a backfill's record. */
export function backfillKey(span: DateSpan): string {
  return `${BACKFILLS_PREFIX}${spanText(span)}.json`;
}

/** The dates of a backfill's record, by its key. */
export function parseBackfillKey(key: string): DateSpan | undefined {
  return checkedSpan(BACKFILL_KEY.exec(key));
}

/** Key of the lock that a backfill holds. */
export function backfillLockKey(span: DateSpan): string {
  return `${BACKFILLS_PREFIX}${spanText(span)}.lock`;
}

/** The dates of a backfill's lock, by its key. */
export function parseBackfillLockKey(key: string): DateSpan | undefined {
  return checkedSpan(BACKFILL_LOCK_KEY.exec(key));
}

/** Prefix of what a backfill has fetched and not yet put into a batch's file. */
export function pendingFolder(span: DateSpan): string {
  return `${PENDING_PREFIX}${spanText(span)}/`;
}

/** Key of one symbol's pending history. */
export function pendingKey({ symbol, ...span }: PendingName): string {
  if (toSymbol(symbol) !== symbol) throw new InvalidInputError(`${quote(symbol, 40)} is no ASX code`);
  return `${pendingFolder(span)}${symbol}.json.gz`;
}

/** What a pending key names. */
export function parsePendingKey(key: string): PendingName | undefined {
  const match = PENDING_KEY.exec(key);
  const span = checkedSpan(match);
  const symbol = match?.[3];
  return span === undefined || symbol === undefined ? undefined : { ...span, symbol };
}

/** Key of the corporate actions whose ex-dates lie in a year, `YYYY`. */
export function actionsKey(year: string): string {
  const key = `${ACTIONS_PREFIX}${year}.csv`;
  if (parseActionsKey(key) !== undefined) return key;
  throw new InvalidInputError(`${quote(year, 40)} is no year, as YYYY`);
}

/** The year of a file of corporate actions. */
export function parseActionsKey(key: string): string | undefined {
  return ACTIONS_KEY.exec(key)?.[1];
}

/**
 * Refuses a key that could leave its store: parent or empty folders, a leading slash, characters a
 * file system or a URL reads differently.
 * @throws InvalidInputError
 */
export function assertSafeKey(key: string): void {
  const parts = key.split("/");
  const safe = parts.every((part) => /^[A-Za-z0-9_=-][A-Za-z0-9._=-]*$/.test(part) && part.length <= 200);
  if (!safe || key.length > 900) {
    throw new InvalidInputError(
      `key ${quote(key)} is not a safe object key: use letters, digits, . _ = - and single slashes`,
    );
  }
}

function spanText({ from, to }: DateSpan): string {
  if (checkedDate(from) > checkedDate(to)) throw new InvalidInputError(`the span from ${from} to ${to} is backward`);
  return `${from}_${to}`;
}

function checkedSpan(match: RegExpExecArray | null): DateSpan | undefined {
  const [, from, to] = match ?? [];
  if (from === undefined || to === undefined || !isTradingDate(from) || !isTradingDate(to)) return undefined;
  return from <= to ? { from, to } : undefined;
}

function batchSuffix(batchNumber: number | null): string {
  if (batchNumber === null) return "";
  if (!Number.isInteger(batchNumber) || batchNumber < 0 || batchNumber > 999_999) {
    throw new InvalidInputError(`batch number ${batchNumber} is not a whole number from 0 to 999999`);
  }
  return `-batch-${batchNumber}`;
}

function checkedName(match: RegExpExecArray | null): RawDataName | undefined {
  const date = checkedMatch(match);
  if (date === undefined) return undefined;
  const batch = match?.[2];
  return { date, batchNumber: batch === undefined ? null : Number(batch) };
}

function checkedDate(date: string): string {
  if (!isTradingDate(date)) {
    throw new InvalidInputError(`date ${quote(date, 40)} does not exist or is not YYYY-MM-DD`);
  }
  return date;
}

function checkedMatch(match: RegExpExecArray | null): string | undefined {
  const date = match?.[1];
  return date !== undefined && isTradingDate(date) ? date : undefined;
}
