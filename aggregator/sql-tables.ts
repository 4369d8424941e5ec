import pLimit from "p-limit";
import { AsxEodError, InvalidInputError } from "../domain/errors.ts";
import type { Seen } from "./bar-reader.ts";
import { BAR_COLUMN_NAMES } from "./bars-relation.ts";
import { barsView } from "./bars-view.ts";
import type { Engine } from "./engine.ts";
import { factorTables, type SqlFactors } from "./sql-factors.ts";
import { createMacros, createPeriods, SQL_MACROS, UNKNOWN_KIND } from "./sql-macros.ts";
import type { SqlTable } from "./sql-table.ts";

/** States of each table that are kept. */
const STATES_KEPT = 2;

/** The mark of tables that only their columns are asked of: nothing is read for them. */
const COLUMNS_ALONE = "columns alone";
const NO_FILES = {
  raw: [],
  history: [],
  curated: [],
  mayRepeat: new Set<string>(),
  rows: new Map<string, number>(),
  bad: [],
};
const NO_FACTORS: SqlFactors = {
  mark: COLUMNS_ALONE,
  rows: async () => ({ splits: [], dividends: [], beginnings: new Map() }),
};

/** What tables are made of, besides the bars. */
export interface SqlSources {
  /** What a query can name, in the order in which messages do. */
  readonly tables: readonly SqlTable[];
  /** The trading days, which the macros need whether or not a query names them. */
  readonly calendar: SqlTable;
  readonly factorsAt: (seen: Seen) => SqlFactors | Promise<SqlFactors>;
}

/** A table, or some that go together, as of one state, in a schema of its own. */
interface Made {
  readonly what: string;
  readonly schema: string;
  /** Queries that are at it. */
  users: number;
}

/**
 * The tables and macros that a query can name, each made where one does, once for what it stands for. Two queries at once
 * may be of two states of the store: each sees the tables of its own.
 */
export class SqlTables {
  readonly #engine: Engine;
  readonly #sources: SqlSources;
  /** One at a time, so that no table is made twice at once. */
  readonly #turn = pLimit(1);
  /** By what it is and its mark; the last is the latest. */
  readonly #made = new Map<string, Made>();
  #count = 0;

  constructor(engine: Engine, sources: SqlSources) {
    this.#engine = engine;
    this.#sources = sources;
  }

  /** Whether a query may be about bars: else their files need not be looked at for it. */
  readsBars(query: string): boolean {
    return hasWord(query, "bars") || SQL_MACROS.some((name) => hasCall(query, name));
  }

  /**
   * Runs a user's query with the tables as of a state of the store.
   * @param run is given the schemas of the tables that the query may name.
   */
  async use<Result>(query: string, seen: Seen, run: (schemas: readonly string[]) => Promise<Result>): Promise<Result> {
    const used: Made[] = [];
    try {
      const schemas = await this.#turn(() => this.#makeNamed(query, seen, used));
      return await run(schemas);
    } catch (error) {
      throw this.#withNames(error);
    } finally {
      for (const made of used) made.users -= 1;
      await this.#turn(() => this.#dropUnused(used));
    }
  }

  /** Makes what a query names, and what that needs. @returns the schemas of what it names. */
  async #makeNamed(query: string, seen: Seen, used: Made[]): Promise<string[]> {
    const schemas: string[] = [];
    const needs = macroNeedOf(query);
    if (needs !== "nothing") schemas.push(await this.#makeMacros(seen, needs, used));
    const needsBars = needOf(query, "bars");
    if (needsBars !== "nothing") schemas.push(await this.#makeBars(seen, needsBars, used));
    for (const table of this.#sources.tables) {
      const needsTable = needOf(query, table.name);
      if (needsTable !== "nothing") schemas.push(await this.#makeTable(table, seen, needsTable, used));
    }
    return [...new Set(schemas)];
  }

  #makeBars({ catalog, plan }: Seen, need: "rows" | "columns", used: Made[]): Promise<string> {
    const [mark, shown] = need === "rows" ? [catalog.mark, plan] : [COLUMNS_ALONE, NO_FILES];
    return this.#make("bars", mark, used, (schema) => this.#engine.run(barsView(`${schema}.bars`, shown)));
  }

  async #makeTable(
    { name, columns, at }: SqlTable,
    seen: Seen,
    need: "rows" | "columns",
    used: Made[],
  ): Promise<string> {
    const { mark, rows } = need === "rows" ? await at(seen) : { mark: COLUMNS_ALONE, rows: () => [] };
    return this.#make(name, mark, used, async (schema) => {
      await this.#engine.createTable(schema, name, columns, await rows());
    });
  }

  async #makeMacros(seen: Seen, need: "rows" | "columns", used: Made[]): Promise<string> {
    const bars = await this.#makeBars(seen, need, used);
    const calendar = await this.#makeTable(this.#sources.calendar, seen, need, used);
    const given = need === "rows" ? await this.#sources.factorsAt(seen) : NO_FACTORS;
    const factors = await this.#make("factors", given.mark, used, async (schema) => {
      for (const { name, columns, rows } of await factorTables(given)) {
        await this.#engine.createTable(schema, name, columns, rows);
      }
    });
    const periods = await this.#make("periods", `${calendar} ${factors}`, used, async (schema) => {
      for (const statement of createPeriods(schema, { calendar, factors })) await this.#engine.run(statement);
    });
    return this.#make("macros", `${bars} ${factors} ${periods}`, used, async (schema) => {
      for (const statement of createMacros(schema, { bars, factors, periods })) await this.#engine.run(statement);
    });
  }

  /** The schema that something of a mark is in, made where it is not there. */
  async #make(what: string, mark: string, used: Made[], fill: (schema: string) => Promise<void>): Promise<string> {
    const key = `${what} ${mark}`;
    const made = this.#made.get(key) ?? (await this.#filled(what, fill));
    this.#made.delete(key);
    this.#made.set(key, made);
    made.users += 1;
    used.push(made);
    return made.schema;
  }

  async #filled(what: string, fill: (schema: string) => Promise<void>): Promise<Made> {
    this.#count += 1;
    const schema = `${what}_${this.#count}`;
    await this.#engine.run(`CREATE SCHEMA ${schema}`);
    try {
      await fill(schema);
    } catch (error) {
      await this.#drop(schema);
      throw error;
    }
    return { what, schema, users: 0 };
  }

  /** Keeps of everything the states that were asked for last. */
  async #dropUnused(latest: readonly Made[]): Promise<void> {
    for (const { what } of latest) {
      const states = [...this.#made].filter(([, made]) => made.what === what);
      const unused = states.slice(0, -STATES_KEPT).filter(([, { users }]) => users === 0);
      for (const [key, { schema }] of unused) {
        this.#made.delete(key);
        await this.#drop(schema);
      }
    }
  }

  async #drop(schema: string): Promise<void> {
    if (!this.#engine.isClosed) await this.#engine.run(`DROP SCHEMA ${schema} CASCADE`);
  }

  /** Adds to the error of a query that names what is not there which tables, macros and columns are. */
  #withNames(error: unknown): unknown {
    const unknownKind = error instanceof AsxEodError ? unknownKindIn(error.message) : undefined;
    if (unknownKind !== undefined) return new InvalidInputError(unknownKind, { cause: error });
    if (!(error instanceof InvalidInputError)) return error;
    const { message } = error;
    if (/Table (?:Function )?with name .* does not exist/.test(message)) {
      const tables = ["bars", ...this.#sources.tables.map(({ name }) => name)];
      const macros = SQL_MACROS.map((name) => `${name}(kind)`);
      const all = `The tables are ${enumerated(tables)}; ${enumerated(macros)} are called like tables, with the kind 'none', 'splits' or 'all'`;
      return new InvalidInputError(`${message}. ${all}`, { cause: error });
    }
    if (/Table function (?:cannot contain subqueries|"repeat" does not support)/.test(message)) {
      return new InvalidInputError(`${message}. The kind of adjusting is a text or a parameter`, { cause: error });
    }
    if (/column .* not found|does not have a column|Candidate bindings/i.test(message)) {
      return new InvalidInputError(`${message}. ${this.#columnNames()}`, { cause: error });
    }
    return error;
  }

  #columnNames(): string {
    const others = this.#sources.tables.map(({ name, columns }) => `${name} ${columns.map(([of]) => of).join(", ")}`);
    return `The columns: bars has ${BAR_COLUMN_NAMES.join(", ")}; ${others.join("; ")}`;
  }
}

/** What a query may need: what is in tables, or only which columns they have. */
type Need = "rows" | "columns" | "nothing";

/** Of a table: what is in it where the query has its name somewhere, and its columns where it asks what there is. */
function needOf(query: string, name: string): Need {
  if (hasWord(query, name)) return "rows";
  return /\b(?:show|information_schema|duckdb_\w+)\b/i.test(query) ? "columns" : "nothing";
}

/** Of the macros. One of their names by itself is a column, or a table of the query's own. */
function macroNeedOf(query: string): Need {
  if (SQL_MACROS.some((name) => hasCall(query, name))) return "rows";
  return hasWord(query, "duckdb_functions") ? "columns" : "nothing";
}

function hasWord(query: string, word: string): boolean {
  return new RegExp(String.raw`\b${word}\b`, "i").test(query);
}

/** Whether a name is followed by a bracket, be there blanks or comments between. */
function hasCall(query: string, name: string): boolean {
  return new RegExp(String.raw`\b${name}"?(?:\s|/\*[\s\S]*?\*/|--[^\n]*)*\(`, "i").test(query);
}

/** What an unknown kind of adjusting is told, without the engine's words around it. */
function unknownKindIn(message: string): string | undefined {
  const at = message.indexOf(UNKNOWN_KIND);
  return at < 0 ? undefined : message.slice(at).replace(/\s+LINE \d+:[\s\S]*$/, "");
}

/** `a, b and c`. */
function enumerated(texts: readonly string[]): string {
  return `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`;
}
