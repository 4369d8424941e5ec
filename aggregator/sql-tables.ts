import pLimit from "p-limit";
import type { OutcomeCounts } from "../domain/batch.ts";
import { InvalidInputError } from "../domain/errors.ts";
import type { Listing } from "../domain/listing.ts";
import type { Seen } from "./bar-reader.ts";
import { BAR_COLUMN_NAMES } from "./bars-relation.ts";
import { barsView } from "./bars-view.ts";
import type { Engine } from "./engine.ts";
import type { RunRecord } from "./run-record.ts";
import { sqlText } from "./sql-text.ts";

/** States whose tables are kept. */
const SCHEMAS_KEPT = 2;

const COUNTS: Readonly<Record<keyof OutcomeCounts, string>> = {
  fetched: "fetched",
  noTrade: "no_trade",
  notFound: "not_found",
  invalid: "invalid",
  failed: "failed",
  deferred: "deferred",
};

const RUN_COLUMNS = [
  ["date", "DATE"],
  ["status", "VARCHAR"],
  ["started_at", "TIMESTAMP"],
  ["finished_at", "TIMESTAMP"],
  ["listed", "BIGINT"],
  ["rows", "BIGINT"],
  ...Object.values(COUNTS).map((name) => [name, "BIGINT"] as const),
  ["unfinished", "VARCHAR[]"],
] as const;

const SYMBOL_COLUMNS = [
  ["symbol", "VARCHAR"],
  ["name", "VARCHAR"],
  ["industry_group", "VARCHAR"],
  ["listing_date", "DATE"],
  ["market_cap", "DOUBLE"],
] as const;

/** Tables as they stood in one state of the store, in a schema of their own. */
interface MadeSchema {
  readonly name: string;
  readonly tables: Set<string>;
  /** Queries that are at them. */
  users: number;
}

/**
 * The tables that a query can name: `bars`, `runs` and `symbols`, each made once for what it stands for. Two queries at once
 * may be of two states of the store: each sees the tables of its own.
 */
export class SqlTables {
  readonly #engine: Engine;
  /** One at a time, so that no table is made twice at once. */
  readonly #turn = pLimit(1);
  /** By the state of the store, or by the list of symbols. */
  readonly #made = new Map<string, MadeSchema>();
  #count = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Runs a user's query with the tables as of a state of the store.
   * @param run is given the schemas of the tables that the query may name.
   */
  async use<Result>(
    query: string,
    { catalog, plan }: Seen,
    newestListings: () => Promise<readonly Listing[]>,
    run: (schemas: readonly string[]) => Promise<Result>,
  ): Promise<Result> {
    const used: MadeSchema[] = [];
    try {
      await this.#turn(async () => {
        const state = await this.#schema(`store ${catalog.mark}`, used);
        if (names(query, "bars")) await this.#once(state, "bars", () => barsView(`${state.name}.bars`, plan));
        if (names(query, "runs")) await this.#once(state, "runs", () => runsTable(`${state.name}.runs`, catalog.runs));
        if (names(query, "symbols")) {
          const listings = await newestListings();
          const list = await this.#schema(`list ${JSON.stringify(listings)}`, used);
          await this.#once(list, "symbols", () => symbolsTable(`${list.name}.symbols`, listings));
        }
      });
      return await run(used.map(({ name }) => name));
    } catch (error) {
      throw withNames(error);
    } finally {
      for (const schema of used) schema.users -= 1;
      await this.#turn(() => this.#dropUnused(used));
    }
  }

  async #schema(state: string, used: MadeSchema[]): Promise<MadeSchema> {
    let schema = this.#made.get(state);
    if (schema === undefined) {
      this.#count += 1;
      schema = { name: `state_${this.#count}`, tables: new Set(), users: 0 };
      await this.#engine.run(`CREATE SCHEMA ${schema.name}`);
    }
    this.#made.delete(state);
    this.#made.set(state, schema); // the last is the latest
    schema.users += 1;
    used.push(schema);
    return schema;
  }

  async #once({ tables }: MadeSchema, table: string, statement: () => string): Promise<void> {
    if (tables.has(table)) return;
    await this.#engine.run(statement());
    tables.add(table);
  }

  /** Keeps the tables of the states that were asked for last. */
  async #dropUnused(latest: readonly MadeSchema[]): Promise<void> {
    if (this.#made.size <= SCHEMAS_KEPT || this.#engine.isClosed) return;
    const unused = [...this.#made].filter(([, schema]) => schema.users === 0 && !latest.includes(schema));
    for (const [state, { name }] of unused.slice(0, this.#made.size - SCHEMAS_KEPT)) {
      this.#made.delete(state);
      await this.#engine.run(`DROP SCHEMA ${name} CASCADE`);
    }
  }
}

/** Whether a query may be about a table: it has its name somewhere, or asks which tables there are. */
function names(query: string, table: string): boolean {
  return new RegExp(String.raw`\b(?:${table}|show|information_schema|duckdb_\w+)\b`, "i").test(query);
}

/** Adds to the error of a query that names what is not there which tables and columns are. */
function withNames(error: unknown): unknown {
  if (!(error instanceof InvalidInputError)) return error;
  const { message } = error;
  if (/Table with name .* does not exist/.test(message)) {
    return new InvalidInputError(`${message}. The tables are bars, runs and symbols`, { cause: error });
  }
  if (/column .* not found|does not have a column|Candidate bindings/i.test(message)) {
    return new InvalidInputError(`${message}. ${columnNames()}`, { cause: error });
  }
  return error;
}

function columnNames(): string {
  const listed = (columns: readonly (readonly [string, string])[]): string => columns.map(([name]) => name).join(", ");
  return `The columns: bars has ${BAR_COLUMN_NAMES.join(", ")}; runs ${listed(RUN_COLUMNS)}; symbols ${listed(SYMBOL_COLUMNS)}`;
}

function runsTable(name: string, runs: ReadonlyMap<string, RunRecord>): string {
  const rows = [...runs].map(([date, run]) => [
    sqlText(date),
    sqlText(run.status),
    sqlText(run.startedAt),
    sqlText(run.finishedAt),
    String(run.listed),
    String(run.rows),
    ...Object.keys(COUNTS).map((outcome) => String(countOf(run.counts, outcome))),
    `[${run.unfinished.map(sqlText).join(", ")}]`,
  ]);
  return valuesTable(name, RUN_COLUMNS, rows);
}

function countOf(counts: OutcomeCounts, outcome: string): number {
  return Object.entries(counts).find(([name]) => name === outcome)?.[1] ?? 0;
}

function symbolsTable(table: string, listings: readonly Listing[]): string {
  const rows = listings.map(({ symbol, name, industryGroup, listingDate, marketCap }) => [
    sqlText(symbol),
    sqlText(name),
    sqlText(industryGroup),
    listingDate === null ? "NULL" : sqlText(listingDate),
    marketCap === null ? "NULL" : String(marketCap),
  ]);
  return valuesTable(table, SYMBOL_COLUMNS, rows);
}

function valuesTable(
  table: string,
  columns: readonly (readonly [string, string])[],
  rows: readonly (readonly string[])[],
): string {
  const cells = columns.map(([name, type]) => `"${name}"::${type} AS "${name}"`).join(", ");
  const names = columns.map(([name]) => `"${name}"`).join(", ");
  const empty = columns.map(() => "NULL").join(", ");
  const values = rows.length === 0 ? `(${empty})` : rows.map((row) => `(${row.join(", ")})`).join(",\n");
  const where = rows.length === 0 ? " WHERE false" : "";
  return `CREATE TABLE ${table} AS SELECT ${cells} FROM (VALUES ${values}) AS given(${names})${where}`;
}
