import { QueryFailedError, StoredFileError, StoreUnavailableError } from "../domain/errors.ts";
import { curatedManifestKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import type { TradingCalendar } from "../domain/trading-calendar.ts";
import { fileObjects } from "../stores/file-objects.ts";
import { orderBars } from "./bar-order.ts";
import { type BarColumnName, Bars } from "./bars.ts";
import { selectBars } from "./bars-relation.ts";
import type { Catalog, CatalogReader, DateRange } from "./catalog.ts";
import type { Columns } from "./column.ts";
import { Coverage, type SkippedFile } from "./coverage.ts";
import { coverageBounds, coverageDays, unsettledDays } from "./day-coverage.ts";
import { DECIDING_COLUMNS } from "./deciding-columns.ts";
import type { Engine } from "./engine.ts";
import { readPlaced } from "./placed-read.ts";
import type { Planner } from "./planner.ts";
import { curatedParts, filesOf, type ReadPlan, type ReadSources, readParts } from "./read-plan.ts";

/** What to do about a file that is missing, damaged or foreign: end with an error that names it, or leave it out and tell. */
export type OnBadFile = "error" | "skip";

/** Which bars are read. */
export interface BarQuestion {
  readonly range: DateRange;
  /** Only these ASX codes; undefined for all. */
  readonly symbols: readonly string[] | undefined;
  /** `symbol` and `date` come besides. */
  readonly columns: readonly BarColumnName[];
  readonly onBadFile: OnBadFile;
}

/** A state of the store, and how it is read. */
export interface Seen {
  readonly catalog: Catalog;
  readonly plan: ReadPlan;
  /** When the store was seen so, where it cannot be reached now. */
  readonly offlineSince: Date | null;
}

/** States kept from one question to the next: a plan for years of small files takes some 20 MB. */
const STATES_KEPT = 4;
/** From so many rows of compacted files on, knowing their places first saves more than reading twice costs. */
const MANY_ROWS = 50_000;
/** Times that the store may change while it is read before that is an error. */
const MOST_READS = 5;

/** What the reader is made of. */
export interface BarReaderParts {
  readonly store: ObjectStore;
  readonly engine: Engine;
  readonly catalogs: CatalogReader;
  readonly planner: Planner;
  readonly calendar: TradingCalendar;
  /** The latest trading date whose prices have settled by now. */
  readonly lastSettled: () => string;
  /** Where the store is one as it was: when. */
  readonly offlineSince: Date | null;
}

/**
 * Reads bars as of one state of the store. Where a state was seen before, the query runs while the store is looked at
 * again; it counts where nothing had changed, and is asked again where something had.
 */
export class BarReader {
  readonly #parts: BarReaderParts;
  readonly #seen = new Map<string, Seen>();

  constructor(parts: BarReaderParts) {
    this.#parts = parts;
  }

  /**
   * The bars asked for, in order of symbol and date, each pair once.
   * @throws StoredFileError that names a file that cannot be read, unless such are left out.
   * @throws StoreUnavailableError where the store cannot be reached or changes all the time.
   */
  async bars(question: BarQuestion): Promise<{ readonly bars: Bars; readonly seen: Seen }> {
    const { symbols, range } = question;
    const columns: readonly BarColumnName[] = ["symbol", "date", ...question.columns];
    const { result, seen } = await this.atOneState(range, question.onBadFile, ({ plan }) =>
      this.#ordered(plan, columns, symbols),
    );
    const found = result.get("symbol");
    const present = new Set(found?.kind === "text" ? found.dictionary : []);
    const withoutBars = [...new Set(symbols)].filter((symbol) => !present.has(symbol));
    return { bars: new Bars(result, this.coverage(seen, withoutBars)), seen };
  }

  async #ordered(
    plan: ReadPlan,
    columns: readonly BarColumnName[],
    symbols: readonly string[] | undefined,
  ): Promise<Columns> {
    const rows = compactedRows(plan);
    if (symbols !== undefined || rows < MANY_ROWS) return this.#mixed(plan, columns, symbols);
    const raw = await this.#mixed({ ...plan, curated: [] }, columns, symbols);
    const placed = await readPlaced(this.#parts.engine, curatedParts(plan.curated), columns, rows, raw);
    if (placed !== undefined) return placed;
    throw new StoredFileError(
      `${this.#parts.store.locate(curatedManifestKey)} names other bars than its files hold; delete it and compact again: the daily files are untouched`,
    );
  }

  /** Rows of any files, in whatever order they come. What decides between bars that stand twice is asked for where some do. */
  async #mixed(
    plan: ReadPlan,
    columns: readonly BarColumnName[],
    symbols: readonly string[] | undefined,
  ): Promise<Columns> {
    const { engine } = this.#parts;
    const parts = readParts(plan);
    const read = async (names: readonly BarColumnName[]): Promise<Columns | "undecided"> =>
      orderBars(await engine.query(selectBars(parts, names, symbols)));
    const deciding = [...columns, ...DECIDING_COLUMNS];
    const ordered = await read(overlapsHistory(plan) ? deciding : columns);
    const decided = ordered === "undecided" ? await read(deciding) : ordered;
    if (decided === "undecided") throw new TypeError("bars that stand twice were read without what decides");
    return new Map([...decided].filter(([name]) => columns.some((column) => column === name)));
  }

  /** What is known of the days of a state. */
  coverage({ catalog, plan, offlineSince }: Seen, withoutBars: readonly string[] = []): Coverage {
    const { calendar } = this.#parts;
    const question = { catalog, plan, calendar, lastSettled: this.#parts.lastSettled() };
    const bounds = coverageBounds(catalog, plan);
    return new Coverage({
      from: bounds?.from ?? null,
      to: bounds?.to ?? null,
      days: coverageDays(question),
      notSettled: unsettledDays(question),
      withoutBars,
      skipped: [...catalog.damaged.map(skippedOf), ...plan.bad.map(({ key, reason }) => ({ key, reason }))],
      unverified: plan.raw.filter(({ isNamed, isSealed }) => !isNamed && !isSealed).map(({ key }) => key),
      offlineSince,
    });
  }

  /**
   * What is stored of a range by its run summaries and records of backfills: their files are neither fetched nor opened.
   * Only dates without either are looked into, and once those of which bars stand twice.
   */
  async overview(range: DateRange): Promise<Seen> {
    const { catalogs, planner, offlineSince } = this.#parts;
    const catalog = await catalogs.look(range);
    return { catalog, plan: await planner.overview(catalog), offlineSince };
  }

  /** The state of a range as it is now, whatever was seen before. */
  async look(range: DateRange, onBadFile: OnBadFile): Promise<Seen> {
    return (await this.atOneState(range, onBadFile, async () => undefined)).seen;
  }

  /** Runs a query at a state of the store that holds from its beginning to its end. */
  async atOneState<Result>(
    range: DateRange,
    onBadFile: OnBadFile,
    query: (seen: Seen) => Promise<Result>,
  ): Promise<{ readonly result: Result; readonly seen: Seen }> {
    const { catalogs, planner, offlineSince } = this.#parts;
    const name = range === null ? "" : `${range.from} ${range.to}`;
    let seen = this.#seen.get(name);
    let catalog = seen?.catalog ?? (await catalogs.look(range));
    for (let read = 1; read <= MOST_READS; read += 1) {
      const isFirstSight = seen === undefined;
      seen ??= { catalog, plan: await planner.plan(catalog), offlineSince };
      const current = seen;
      const [outcome, fresh, areThere] = await Promise.all([
        settled(() => query(this.#allowed(current, onBadFile))),
        isFirstSight && current.plan.bad.length === 0 ? catalog : catalogs.look(range),
        isFirstSight || this.#areListed(current.plan),
      ]);
      if (fresh.mark === current.catalog.mark && areThere && (await areUnchanged(current.plan))) {
        this.#keep(name, current);
        if ("error" in outcome) throw this.#explained(outcome.error, current.plan);
        return { result: outcome.value, seen: current };
      }
      this.#seen.delete(name);
      seen = undefined;
      catalog = fresh;
    }
    throw new StoreUnavailableError(
      `${this.#parts.store.url} changed while it was read, ${MOST_READS} times; try again`,
    );
  }

  /** Whether a bucket still has the objects that the cache has copies of. Files of this machine are looked at themselves. */
  async #areListed(plan: ReadPlan): Promise<boolean> {
    const { store } = this.#parts;
    const files = filesOf(plan);
    const [first] = files;
    if (first === undefined || store.localPath(first.key) !== undefined) return true;
    const now = await store.stat(files.map(({ key }) => key));
    return files.every(({ mark }, index) => now[index]?.mark === mark);
  }

  #allowed(seen: Seen, onBadFile: OnBadFile): Seen {
    const { catalog, plan } = seen;
    if (onBadFile === "skip") return seen;
    const [damaged] = catalog.damaged;
    if (damaged !== undefined) throw damaged;
    const [first] = plan.bad;
    if (first === undefined) return seen;
    const others = plan.bad.length === 1 ? "" : ` (and ${plan.bad.length - 1} other files cannot be read either)`;
    const what = this.#parts.store.locate(first.key);
    throw new StoredFileError(`${what} ${first.reason.replace(/^it /, "")}${others}`);
  }

  /** Each file was found right before: a query that fails at one all the same met what the engine cannot read. */
  #explained(error: unknown, plan: ReadPlan): unknown {
    if (!(error instanceof QueryFailedError)) return error;
    const file = filesOf(plan).find(({ path }) => error.message.includes(path));
    if (file === undefined) return error;
    return new StoredFileError(
      `${this.#parts.store.locate(file.key)} cannot be read: ${error.message}; restore it, or delete it and run its date or backfill again`,
      { cause: error },
    );
  }

  #keep(name: string, seen: Seen): void {
    this.#seen.delete(name);
    if (seen.plan.bad.length > 0) return; // it may have been put right by the next question
    this.#seen.set(name, seen);
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= STATES_KEPT) break;
      this.#seen.delete(oldest);
    }
  }
}

/** Whether bars of backfills stand beside others of their dates: then some stand twice, as a rule. */
function overlapsHistory({ history, mayRepeat }: ReadPlan): boolean {
  return history.some(({ wanted }) => wanted.some((date) => mayRepeat.has(date)));
}

/** Bars that are read from compacted files. */
function compactedRows({ curated, rows }: ReadPlan): number {
  return curated.reduce((sum, { wanted }) => wanted.reduce((fileSum, date) => fileSum + (rows.get(date) ?? 0), sum), 0);
}

/** Whether all files of a plan still are those that were found right: a run may replace one while it is read. */
export async function areUnchanged(sources: ReadSources): Promise<boolean> {
  const files = filesOf(sources);
  const now = await fileObjects(files);
  return files.every(({ localMark }, index) => now[index]?.mark === localMark);
}

type Outcome<Value> = { readonly value: Value } | { readonly error: unknown };

async function settled<Value>(call: () => Promise<Value>): Promise<Outcome<Value>> {
  try {
    return { value: await call() };
  } catch (error) {
    return { error };
  }
}

/** The file that an error names, and what is wrong with it. */
export function skippedOf({ message }: StoredFileError): SkippedFile {
  const [key = ""] = message.split(" ");
  return { key, reason: message.slice(key.length + 1) };
}
