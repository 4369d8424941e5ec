import { stat } from "node:fs/promises";
import { DateNotStoredError, InvalidInputError, SymbolsMissingError } from "../domain/errors.ts";
import type { Listing } from "../domain/listing.ts";
import { parseBackfillKey, parseHistoryKey } from "../domain/object-keys.ts";
import { parseInput } from "../domain/parse.ts";
import { shellWord } from "../domain/text.ts";
import { tradingDate } from "../domain/trading-date.ts";
import { type ActionRow, type ActionsOptions, actionsTable } from "./actions.ts";
import { loadAdjusted } from "./adjust-load.ts";
import type { Seen } from "./bar-reader.ts";
import type { BarColumnName, Bars } from "./bars.ts";
import { type DateRange, isWithin } from "./catalog.ts";
import { type CompactOptions, type CompactResult, compact } from "./compact.ts";
import type { DayStatus, SkippedFile } from "./coverage.ts";
import { dayStandings } from "./history-coverage.ts";
import { barsOfListings, chooseListings } from "./listing-choice.ts";
import {
  type ChangeBounds,
  changeTable,
  type ListingChangeRow,
  type ListingRow,
  listingTable,
} from "./listing-tables.ts";
import {
  actionsOptions,
  changeOptions,
  checkedRange,
  checkedSymbol,
  type LoadOptions,
  loadOptions,
  questionOf,
  type RangeOptions,
} from "./load-options.ts";
import { type MergedDay, mergeDay } from "./merge-day.ts";
import { type AggregatorOptions, type AggregatorParts, openParts } from "./open-parts.ts";
import { type OutputOptions, writeOutputFile } from "./output-file.ts";
import type { QueryParameter } from "./reading-statement.ts";
import type { RebuiltActions } from "./rebuild-actions.ts";
import { sqlSources } from "./sql-sources.ts";
import { SqlTables } from "./sql-tables.ts";
import { Table } from "./table.ts";

/** The bars that a load gives: `symbol`, `date` and the columns that were asked for. */
type Loaded<Column extends BarColumnName> = Bars<"symbol" | "date" | Column>;

/** A stored date. */
export interface StoredDate {
  /** `YYYY-MM-DD`, the trading date in Sydney. */
  readonly date: string;
  readonly status: DayStatus;
  /** Bars stored, as the run summary and the records of backfills say; where these are of the same bars, each once. */
  readonly rows: number;
  /** Symbols listed on the date; null where no run tells. */
  readonly listed: number | null;
  /** Symbols to fetch again. */
  readonly unfinished: number;
  /** The share of the listed symbols whose outcome is final, 0 to 1; null where no run tells. */
  readonly completeness: number | null;
}

/** What is lacking in a range of dates, and so what to run again. */
export interface MissingDays {
  readonly from: string;
  readonly to: string;
  /** Trading days without a run, a backfill of the market or bars; without those of a backfill whose record cannot be read. */
  readonly days: readonly string[];
  /** Days of which their run, or the complete backfill of the market over them, has no bar, or whose bars as a whole cannot be right. */
  readonly failed: readonly string[];
  /** Days of which some symbols have to be fetched again. */
  readonly partial: readonly { readonly date: string; readonly symbols: readonly string[] }[];
  /** Days that have bars, and neither a run summary nor a backfill of the market: whether all are there is not known. */
  readonly unrecorded: readonly string[];
  /**
   * Files that are missing, damaged or foreign, with the date of each; null for one of many dates: a compacted file of a
   * year (compact again), what a backfill stored (run it again), and the actions of a year (rebuild them).
   */
  readonly unreadable: readonly (SkippedFile & { readonly date: string | null })[];
  /** Whether nothing is lacking. */
  readonly isNothing: boolean;
}

/** Finds the daily batches and backfills of a store, merges them and hands their bars back. */
export class Aggregator {
  readonly #parts: AggregatorParts;
  readonly #tables: SqlTables;

  private constructor(parts: AggregatorParts) {
    this.#parts = parts;
    this.#tables = new SqlTables(parts.engine, sqlSources(parts));
  }

  /**
   * Opens a store for reading. Nothing is read yet.
   * @param url `file:./data`, `s3://bucket` or `s3://bucket/folder`.
   * @throws InvalidInputError for another address, or an option that cannot be.
   */
  static async open(url: string, options: AggregatorOptions = {}): Promise<Aggregator> {
    return new Aggregator(await openParts(url, options));
  }

  get #open(): AggregatorParts {
    if (this.#parts.engine.isClosed) throw new InvalidInputError("the aggregator is closed; open another");
    return this.#parts;
  }

  /**
   * The bars of one trading date, every batch merged, in order of symbol; none where the market was closed.
   *
   * Where the date has a run summary, exactly the files it names are read, after their SHA-256 was checked; else those
   * that are there, the older form with all symbols in one file included. So are those of each backfill over the date that
   * its record names. A symbol that stands in several of them comes once, as fetched last.
   * @param date `YYYY-MM-DD`, the trading date in Sydney.
   * @throws InvalidInputError where the date does not exist.
   * @throws DateNotStoredError where nothing is stored for it.
   * @throws StoredFileError that names a missing, damaged or foreign file.
   */
  async loadDate<Column extends BarColumnName = BarColumnName>(
    date: string,
    options: RangeOptions<Column> = {},
  ): Promise<Loaded<Column>> {
    const { from, to } = checkedRange(date, date);
    const { bars, seen } = await this.#load({ from, to }, options);
    if (bars.length === 0 && seen.plan.rows.size === 0 && !seen.catalog.runs.has(date)) {
      throw new DateNotStoredError(
        `${this.#open.store.url} holds no bars of ${date}; in a clone of asx-eod: npx asx run --date ${date} --store ${shellWord(this.#open.store.url)}`,
      );
    }
    return bars;
  }

  /**
   * The bars of a range of dates, in order of symbol and date. `coverage` says which trading days are missing or partial.
   * @param from first date, `YYYY-MM-DD`, inclusive.
   * @param to last date, `YYYY-MM-DD`, inclusive.
   * @throws InvalidInputError where a date does not exist, the range is backward, or a symbol or column cannot be.
   * @throws StoredFileError that names a missing, damaged or foreign file, unless `onBadFile` is `skip`.
   */
  async loadDateRange<Column extends BarColumnName = BarColumnName>(
    from: string,
    to: string,
    options: RangeOptions<Column> = {},
  ): Promise<Loaded<Column>> {
    return (await this.#load(checkedRange(from, to), options)).bars;
  }

  /**
   * The bars of some symbols, all dates, in order of symbol and date. A code without bars is not an error: `bars.symbols`
   * lists those that have some.
   * @throws as {@link loadDateRange}.
   */
  async loadSymbols<Column extends BarColumnName = BarColumnName>(
    symbols: readonly string[],
    options: LoadOptions<Column> = {},
  ): Promise<Loaded<Column>> {
    return (await this.#load(null, { ...options, symbols })).bars;
  }

  /** Every bar that is stored, in order of symbol and date. Five years are some 300 MB. @throws as {@link loadDateRange}. */
  async loadAll<Column extends BarColumnName = BarColumnName>(
    options: RangeOptions<Column> = {},
  ): Promise<Loaded<Column>> {
    return (await this.#load(null, options)).bars;
  }

  /**
   * Dividends and splits by ex-date, in order of symbol and ex-date: of the files under `actions/`, united with what stored
   * bars say. A dividend counts in the shares of its `last_confirmed`.
   * @throws InvalidInputError where a symbol or date cannot be, or the range is backward.
   * @throws StoredFileError that names a file that cannot be read.
   */
  async actions(options: ActionsOptions = {}): Promise<Table<ActionRow>> {
    const { symbols, from, to, all } = parseInput(actionsOptions, options, "options");
    if (from !== undefined && to !== undefined) checkedRange(from, to);
    const { actions } = await this.#open.actions.known("error");
    return actionsTable(actions, { symbols: symbols?.map(checkedSymbol), from, to, all });
  }

  /**
   * Writes the files under `actions/` anew: what they hold, united with what all stored bars and the records of their
   * changes say. Damaged files are replaced. Safe beside runs.
   * @throws StoredFileError that names a file of bars that cannot be read; nothing is written then.
   */
  async rebuildActions(): Promise<RebuiltActions> {
    const { actions, store } = this.#open;
    const { rebuildActions } = await import("./rebuild-actions.ts");
    return rebuildActions(store, await actions.ofBars());
  }

  /** Every load comes through here. */
  async #load(range: DateRange, options: RangeOptions): Promise<{ readonly bars: Bars; readonly seen: Seen }> {
    const { reader, listed } = this.#open;
    const choice = await chooseListings(options.symbols, () => listed.history());
    const question = questionOf(range, { ...options, symbols: choice.symbols });
    const { adjust = "none" } = options;
    const online = listed.known(); // beside the reading: it takes a request of its own
    void online.catch(() => undefined); // nobody waits for it where the reading fails
    const { bars, seen } = await (adjust === "none"
      ? reader.bars(question)
      : loadAdjusted(this.#open, question, adjust));
    const isOffline = seen.offlineSince !== null;
    // Adjusting goes by all that is known of companies, and so has asked for it already.
    const state = await (adjust !== "none" ? listed.history(isOffline) : isOffline ? listed.known(true) : online);
    return { bars: barsOfListings(bars, choice, state), seen };
  }

  /**
   * The rows of a query in DuckDB's SQL over the tables `bars` (the columns of the files), `runs` (a row a date, with its
   * status and counts), `symbols` (the newest list), `calendar` (trading days, with the last of their week and month),
   * `actions`, `listings` and `listing_changes`, and over `adjusted_bars(kind)`, `weekly_bars(kind)`, `monthly_bars(kind)`
   * and `returns(kind)`, which adjust for `'none'`, `'splits'` or `'all'` as a load does. It reads; it cannot change anything.
   * @param parameters values for `$1`, `$2` …; dates as `YYYY-MM-DD` text.
   * @throws InvalidInputError where the query does not parse, names what is not there, or does not just read.
   * @throws QueryFailedError where it fails, QueryTimeoutError where it takes too long.
   */
  async sql(query: string, parameters: readonly QueryParameter[] = []): Promise<Table> {
    const { engine } = this.#open;
    const result = await this.#withTables(query, (schemas) => engine.userQuery(query, parameters, schemas));
    return new Table(result);
  }

  /**
   * Writes the rows of a query as a Parquet file (Zstandard) on this machine, whole or not at all. They do not pass
   * through the memory of the process, so that there may be more than fit in it.
   * @param query a SELECT, as of {@link sql}.
   * @param path the file; its folder has to be there.
   * @returns the rows and the bytes of the file.
   * @throws InvalidInputError, besides as {@link sql}, where the path is taken (unless `overwrite`) or cannot be written.
   */
  async exportParquet(
    query: string,
    parameters: readonly QueryParameter[],
    path: string,
    options: OutputOptions = {},
  ): Promise<{ readonly rows: number; readonly bytes: number }> {
    return writeOutputFile(path, options, async (temporaryPath) => {
      const { engine } = this.#open;
      const rows = await this.#withTables(query, (schemas) =>
        engine.userExport(query, parameters, temporaryPath, schemas),
      );
      return { rows, bytes: (await stat(temporaryPath)).size };
    });
  }

  /** Files of bars are looked at only for a query that may name them. */
  async #withTables<Result>(query: string, run: (schemas: readonly string[]) => Promise<Result>): Promise<Result> {
    const { engine, reader } = this.#open;
    await engine.checkReading(query);
    const use = (seen: Seen): Promise<Result> => this.#tables.use(query, seen, run);
    if (!this.#tables.readsBars(query)) return use(undamaged(await reader.overview(null)));
    return (await reader.atOneState(null, "error", use)).result;
  }

  /**
   * Every stored trading date, oldest first, with how it stands by its run summary and the backfills over it. Files are opened
   * of dates without either; once, too, of those that several have bars of.
   * @throws StoredFileError that names a damaged run summary, record of a backfill or manifest: what is stored is not known then.
   */
  async dates(): Promise<StoredDate[]> {
    const seen = undamaged(await this.#open.reader.overview(null));
    const { runs } = seen.catalog;
    const days = this.#open.reader.coverage(seen).days.filter(({ status }) => status !== "missing");
    return days.map(({ date, status, rows, unfinished }) => {
      const listed = runs.get(date)?.listed ?? null;
      const completeness = listed === null ? null : listed === 0 ? 1 : (listed - unfinished) / listed;
      return { date, status, rows, listed, unfinished, completeness };
    });
  }

  /** The first and the last date that have bars; null where none has. */
  async dateRange(): Promise<{ readonly from: string; readonly to: string } | null> {
    const dates = (await this.dates()).filter(({ rows }) => rows > 0).map(({ date }) => date);
    const [from, to] = [dates[0], dates.at(-1)];
    return from === undefined || to === undefined ? null : { from, to };
  }

  /** The latest date that has bars; null where none has. */
  async latestDate(): Promise<string | null> {
    return (await this.dateRange())?.to ?? null;
  }

  /** Every symbol that has a bar, in order. */
  async availableSymbols(): Promise<string[]> {
    const symbols = await this.sql("SELECT DISTINCT symbol FROM bars ORDER BY symbol");
    return symbols.toRows().map(({ symbol }) => String(symbol));
  }

  /**
   * The list of symbols that was the newest on a date: the market as it was then.
   * @throws SymbolsMissingError where none is stored on or before it; it says from when on lists are known.
   */
  async listings(date: string): Promise<Listing[]> {
    const { from } = checkedRange(date, date);
    const list = await this.#open.listed.newest(from);
    if (list === undefined) {
      const first = await this.#open.listed.firstDate();
      const known = first === undefined ? "" : `; lists are known from ${first} on`;
      throw new SymbolsMissingError(`${this.#open.store.url} holds no list of symbols of ${date} or before${known}`);
    }
    return [...list.listings];
  }

  /**
   * Every company that was on a stored list, under each code that it had, with its dates; in order of code and place. A code
   * that another company took over has two rows.
   * @throws InvalidInputError where a symbol cannot be.
   */
  async listingHistory(options: Pick<RangeOptions, "symbols"> = {}): Promise<Table<ListingRow>> {
    const { symbols } = parseInput(loadOptions.pick({ symbols: true }), options, "options");
    return listingTable(await this.#open.listed.history(), symbols?.map(checkedSymbol));
  }

  /**
   * The additions, removals, renames, recodings and reuses of each list against the one before it.
   * @throws InvalidInputError where a date does not exist, the range is backward, or a symbol cannot be.
   */
  async listingChanges(options: ChangeBounds = {}): Promise<Table<ListingChangeRow>> {
    const { from, to, symbols } = parseInput(changeOptions, options, "options");
    if (from !== undefined && to !== undefined) checkedRange(from, to);
    return changeTable(await this.#open.listed.history(), { from, to, symbols: symbols?.map(checkedSymbol) });
  }

  /**
   * What is lacking in a range of dates, both inclusive. Every file of the range is looked at, so that one that cannot be
   * read is told. Days whose prices have not settled yet are not missing.
   */
  async missing(from: string, to: string): Promise<MissingDays> {
    const range = checkedRange(from, to);
    const seen = await this.#open.reader.look(range, "skip");
    const coverage = this.#open.reader.coverage(seen);
    const standingOf = dayStandings(seen.catalog);
    const partial = coverage.partial.map((date) => ({
      date,
      symbols: standingOf(date, seen.plan.rows.get(date)).unfinished,
    }));
    const { failed, unrecorded } = coverage;
    const actions = await this.#open.actions.damaged(seen);
    const unreadable = [...coverage.skipped, ...actions].map((file) => ({ ...file, date: dateOfKey(file.key) }));
    // What a record that cannot be read is over may be there: it is told once, as that record.
    const unknown = unreadable.flatMap(({ key }) => parseBackfillKey(key) ?? []);
    const days = coverage.missing.filter((date) => !unknown.some((span) => isWithin(date, span)));
    const isNothing = [days, failed, partial, unrecorded, unreadable].every(({ length }) => length === 0);
    return { ...range, days, failed, partial, unrecorded, unreadable, isNothing };
  }

  /**
   * Turns history into few large files, one a calendar year (Parquet, Zstandard, sorted by symbol and date, each pair once): what
   * they hold is read from them from then on, the rest and days that were run or backfilled again since from the daily files
   * and those of backfills. These stay as they are. Only years in which something has changed are written.
   *
   * It is safe at any time: twice, beside another, beside runs and readers, and killed at any moment. Older files are
   * removed by the first compaction after an hour, when no reader can be at them.
   * @throws StoredFileError that names the dates that cannot be read, unless `onBadFile` is `skip`; nothing is published then.
   * @throws StoreUnavailableError where the store cannot be reached, or changes all the time; compact again.
   */
  async compact(options: CompactOptions = {}): Promise<CompactResult> {
    const { onBadFile = "error" } = parseInput(loadOptions.pick({ onBadFile: true }), options, "options");
    return compact(this.#open.publisher, onBadFile, this.#open.progress);
  }

  /**
   * Merges the batches of one date, and what backfills have of it, into one stored file: `curated/bars-2024-05-31-….parquet`, sorted by symbol. Another
   * call for the same batches gives the same file; after another run of the date it is replaced. Compaction leaves it.
   * @param date `YYYY-MM-DD`, the trading date in Sydney.
   * @returns where the file is, and how many bars and batches it holds.
   * @throws DateNotStoredError where the date has no bars to merge: nothing is stored, or the market was closed.
   * @throws StoredFileError that names a batch that cannot be read.
   */
  async mergeDailyBatches(date: string): Promise<MergedDay> {
    return mergeDay(this.#open.publisher, parseInput(tradingDate, date, "date"));
  }

  /** Frees the engine. The aggregator cannot be used afterwards. */
  async close(): Promise<void> {
    this.#parts.engine.close();
  }
}

/** A state of which no record is damaged. @throws StoredFileError that names one that is. */
function undamaged(seen: Seen): Seen {
  const [damaged] = seen.catalog.damaged;
  if (damaged !== undefined) throw damaged;
  return seen;
}

/** The date that the key of a file of one date names. */
function dateOfKey(key: string): string | null {
  const isOfSpan = parseHistoryKey(key) !== undefined || parseBackfillKey(key) !== undefined;
  return isOfSpan ? null : (/\d{4}-\d{2}-\d{2}/.exec(key)?.[0] ?? null);
}
