import {
  type AdjustmentFactors,
  adjustmentFactors,
  type CodeBeginnings,
  type PreviousClose,
} from "../domain/adjustment.ts";
import {
  ACTION_KINDS,
  type ActionKind,
  type ActionsAnswer,
  actionsThatHold,
  type CorporateAction,
  observeActions,
} from "../domain/corporate-action.ts";
import { codeBeginnings } from "../domain/listing-window.ts";
import { fromEpochDays, toEpochDays } from "../domain/trading-date.ts";
import type { ActionFiles } from "./action-files.ts";
import { type OnBadFile, type Seen, skippedOf } from "./bar-reader.ts";
import { barsView } from "./bars-view.ts";
import { type Column, columnsOf } from "./column.ts";
import type { SkippedFile } from "./coverage.ts";
import type { Engine } from "./engine.ts";
import type { ListedSymbols } from "./listed-symbols.ts";
import { numberColumn, textColumn } from "./make-column.ts";
import type { Reader } from "./offline-reader.ts";
import { isUnreached } from "./outage.ts";
import type { ReadPlan } from "./read-plan.ts";
import { sqlText } from "./sql-text.ts";
import { Table } from "./table.ts";

/** One value of a corporate action as a row. */
export type ActionRow = {
  symbol: string;
  /** `YYYY-MM-DD`, Sydney. */
  ex_date: string;
  kind: ActionKind;
  /** AUD a share, in the shares of `last_confirmed`, or new shares for one old. */
  value: number;
  /** The oldest and the newest answer of the provider that had this value. */
  first_seen: Date;
  last_confirmed: Date;
  /** Null while it holds. */
  superseded_at: Date | null;
};

/** Which actions are asked for. */
export interface ActionsOptions {
  /** ASX codes; every symbol unless given. */
  readonly symbols?: readonly string[] | undefined;
  /** First and last ex-date, `YYYY-MM-DD`, inclusive. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Those too that were revised or withdrawn; unless given, only those that hold. */
  readonly all?: boolean | undefined;
}

/** What is known of corporate actions in a state of the store, and what follows for prices. */
export interface KnownActions {
  /** Of the files, united with what all stored bars say; in order of symbol and ex-date. */
  readonly actions: readonly CorporateAction[];
  readonly factors: AdjustmentFactors;
  /** When the companies began that took codes of others over. */
  readonly beginnings: CodeBeginnings;
  /** Files of the whole store that cannot be read, of bars and of actions: what they would say is not known. */
  readonly skipped: readonly SkippedFile[];
}

/** Days before an ex-date among which almost every symbol has a bar. */
const DAYS_BEFORE = 14;

/** What actions are read with. */
export interface ActionsReaderParts {
  readonly engine: Engine;
  readonly reader: Reader;
  readonly files: ActionFiles;
  readonly listed: Pick<ListedSymbols, "history">;
}

/**
 * Finds what is known of corporate actions: in their files, and in the dividends and split ratios of all stored bars, which
 * are all that an older store has. The last state is remembered: to be asked again costs a listing.
 */
export class ActionsReader {
  readonly #parts: ActionsReaderParts;
  #last: { readonly mark: string; readonly known: KnownActions } | undefined;
  #views = 0;

  constructor(parts: ActionsReaderParts) {
    this.#parts = parts;
  }

  /** What all stored bars say, whatever the files of actions hold. @throws StoredFileError that names a file of bars that cannot be read. */
  async ofBars(): Promise<readonly CorporateAction[]> {
    const { result } = await this.#parts.reader.atOneState(null, "error", ({ plan }) =>
      this.#withBars(plan, (bars) => this.#events(bars)),
    );
    return observeActions([], result);
  }

  /**
   * What is known now, of the whole store: a dividend after a range adjusts it, and the close before an ex-date may lie before it.
   * @throws StoredFileError that names a file of bars or actions that cannot be read, unless such are left out.
   */
  async known(onBadFile: OnBadFile): Promise<KnownActions> {
    const { reader } = this.#parts;
    return (await reader.atOneState(null, onBadFile, (seen) => this.at(seen, onBadFile))).result;
  }

  /** Files of actions that cannot be read, at a state of the store; none is known of one that is out of reach and was not kept. */
  async damaged({ offlineSince }: Pick<Seen, "offlineSince">): Promise<SkippedFile[]> {
    try {
      return (await this.#parts.files.read(offlineSince !== null)).damaged.map(skippedOf);
    } catch (error) {
      if (offlineSince === null || !isUnreached(error)) throw error;
      return [];
    }
  }

  /** The same at a state of the whole store that was looked at already, files of bars and all. */
  async at(seen: Seen, onBadFile: OnBadFile): Promise<KnownActions> {
    const { files, listed } = this.#parts;
    const filed = await files.read(seen.offlineSince !== null);
    const [damaged] = filed.damaged;
    if (damaged !== undefined && onBadFile === "error") throw damaged;
    const beginnings = codeBeginnings((await listed.history(seen.offlineSince !== null)).history);
    const mark = `${seen.catalog.mark} ${filed.mark} ${JSON.stringify([...beginnings])}`;
    if (this.#last?.mark === mark) return this.#last.known;
    const damagedFiles = [...filed.damaged, ...seen.catalog.damaged].map(skippedOf);
    const skipped = [...damagedFiles, ...seen.plan.bad.map(({ key, reason }) => ({ key, reason }))];
    const known = { ...(await this.#read(seen, filed.actions, beginnings)), beginnings, skipped };
    this.#last = seen.plan.bad.length + seen.catalog.damaged.length === 0 ? { mark, known } : undefined;
    return known;
  }

  #read(
    { plan }: Seen,
    filed: readonly CorporateAction[],
    beginnings: CodeBeginnings,
  ): Promise<Pick<KnownActions, "actions" | "factors">> {
    return this.#withBars(plan, async (bars) => {
      const actions = observeActions(filed, await this.#events(bars));
      const dividends = actionsThatHold(actions).filter(({ kind }) => kind === ACTION_KINDS.dividend);
      return { actions, factors: adjustmentFactors(actions, await this.#closesBefore(bars, dividends), beginnings) };
    });
  }

  /** Lends a view of all bars of a plan. */
  async #withBars<Result>(plan: ReadPlan, use: (view: string) => Promise<Result>): Promise<Result> {
    const { engine } = this.#parts;
    this.#views += 1;
    const bars = `bars_of_actions_${this.#views}`;
    await engine.run(barsView(bars, plan));
    try {
      return await use(bars);
    } finally {
      if (!engine.isClosed) await engine.run(`DROP VIEW ${bars}`);
    }
  }

  /** What bars say of their own dates. A bar without a dividend withdraws none: what was recorded knows better. */
  async #events(bars: string): Promise<ActionsAnswer[]> {
    const table = new Table(
      await this.#parts.engine.query(
        `SELECT symbol, date, fetch_timestamp, dividend, split_ratio FROM ${bars}
         WHERE dividend IS NOT NULL OR split_ratio IS NOT NULL`,
      ),
    );
    const [dates, fetchedAt] = [textsOf(table, "date"), table.numbers("fetch_timestamp")];
    const [dividends, ratios] = [table.numbers("dividend"), table.numbers("split_ratio")];
    return textsOf(table, "symbol").map((symbol, row) => {
      const date = dates[row] ?? "";
      return {
        ...{ symbol, span: { from: date, to: date }, answeredAt: fetchedAt[row] ?? 0 },
        dividends: new Map([[date, dividends[row]]]),
        splits: new Map([[date, ratios[row]]]),
      };
    });
  }

  /**
   * The last bars before ex-dates: among the days right before them, which joins by equality, and further back for the few
   * that have none there, which joins by order and takes three times as long.
   */
  async #closesBefore(bars: string, dividends: readonly CorporateAction[]): Promise<PreviousClose[]> {
    if (dividends.length === 0) return [];
    const near = await this.#withDates(dividends, (wanted) =>
      this.#closes(
        `WITH days AS (SELECT symbol, ex_date, unnest(range(1, ${DAYS_BEFORE + 1}))::INTEGER AS back FROM ${wanted})
         SELECT days.symbol AS symbol, ex_date, max(date) AS date, arg_max(close, date) AS close,
           arg_max(fetch_timestamp, date) AS fetch_timestamp
         FROM days JOIN ${bars} AS bars ON bars.symbol = days.symbol AND bars.date = days.ex_date - days.back
         GROUP BY days.symbol, ex_date`,
      ),
    );
    const found = new Set(near.map(({ symbol, exDate }) => `${symbol} ${exDate}`));
    const rest = dividends.filter(({ symbol, exDate }) => !found.has(`${symbol} ${exDate}`));
    if (rest.length === 0) return near;
    const far = await this.#withDates(rest, (wanted) =>
      this.#closes(
        `SELECT wanted.symbol AS symbol, ex_date, date, close, fetch_timestamp
         FROM ${wanted} AS wanted ASOF JOIN
           (SELECT symbol, date, close, fetch_timestamp FROM ${bars} WHERE symbol IN (SELECT symbol FROM ${wanted})) AS bars
           ON wanted.symbol = bars.symbol AND wanted.ex_date > bars.date`,
      ),
    );
    return [...near, ...far];
  }

  /** Lends a table of symbols and ex-dates. The engine plans a join by how many rows a table has, which it cannot see of a list. */
  async #withDates<Result>(
    dividends: readonly CorporateAction[],
    use: (table: string) => Promise<Result>,
  ): Promise<Result> {
    const { engine } = this.#parts;
    this.#views += 1;
    const table = `dates_of_actions_${this.#views}`;
    const list = sqlText(dividends.map(({ symbol, exDate }) => `${symbol} ${exDate}`).join(";"));
    await engine.run(
      `CREATE TABLE ${table} AS SELECT split_part(pair, ' ', 1) AS symbol, split_part(pair, ' ', 2)::DATE AS ex_date
       FROM (SELECT unnest(string_split(${list}, ';')) AS pair)`,
    );
    try {
      return await use(table);
    } finally {
      if (!engine.isClosed) await engine.run(`DROP TABLE ${table}`);
    }
  }

  async #closes(query: string): Promise<PreviousClose[]> {
    const table = new Table(await this.#parts.engine.query(query));
    const [exDates, dates] = [textsOf(table, "ex_date"), textsOf(table, "date")];
    const [closes, fetchedAt] = [table.numbers("close"), table.numbers("fetch_timestamp")];
    return textsOf(table, "symbol").map((symbol, row) => ({
      ...{ symbol, exDate: exDates[row] ?? "", date: dates[row] ?? "" },
      ...{ close: closes[row] ?? Number.NaN, fetchedAt: fetchedAt[row] ?? 0 },
    }));
  }
}

/** Those of the symbols and ex-dates asked for, as a table. */
export function actionsTable(
  actions: readonly CorporateAction[],
  { symbols, from = "", to = "9999-12-31", all = false }: ActionsOptions,
): Table<ActionRow> {
  const wanted = symbols === undefined ? undefined : new Set(symbols);
  const shown = actions.filter(
    ({ symbol, exDate, supersededAt }) =>
      exDate >= from && exDate <= to && (all || supersededAt === null) && (wanted === undefined || wanted.has(symbol)),
  );
  return new Table<ActionRow>(
    columnsOf([
      ["symbol", textColumn(shown.map(({ symbol }) => symbol))],
      ["ex_date", { kind: "date", values: Int32Array.from(shown, ({ exDate }) => toEpochDays(exDate)) }],
      ["kind", textColumn(shown.map(({ kind }) => kind))],
      ["value", numberColumn(shown.map(({ value }) => value))],
      ["first_seen", instantColumn(shown.map(({ firstSeen }) => firstSeen))],
      ["last_confirmed", instantColumn(shown.map(({ lastConfirmed }) => lastConfirmed))],
      ["superseded_at", instantColumn(shown.map(({ supersededAt }) => supersededAt))],
    ]),
  );
}

function instantColumn(instants: readonly (number | null)[]): Column {
  const column = numberColumn(instants);
  return column.kind === "number" ? { ...column, kind: "instant" } : column;
}

/** The texts of a column of texts or dates; without nulls. */
function textsOf(table: Table, name: string): string[] {
  const column = table.column(name);
  if (column.kind === "date") return Array.from(column.values, (days) => fromEpochDays(days));
  return table.values(name).map(String);
}
