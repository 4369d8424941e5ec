import { type DuckDBConnection, type DuckDBDataChunk, DuckDBInstance } from "@duckdb/node-api";
import pLimit from "p-limit";
import { InvalidInputError, messageOf, QueryFailedError, QueryTimeoutError } from "../domain/errors.ts";
import type { Columns } from "./column.ts";
import { bindParameters, extractReading, prepareReading, type QueryParameter } from "./reading-statement.ts";
import { resultColumns } from "./result-columns.ts";
import { appendRows, columnDefinitions, type SqlColumns, type SqlRow } from "./sql-table.ts";
import { sqlText } from "./sql-text.ts";

/** How the engine runs. */
export interface EngineOptions {
  /** Memory that it may take, beside what results take: `1GB`. What does not fit goes to the temporary folder. */
  readonly memoryLimit: string;
  readonly temporaryFolder: string;
  /** Time that one query may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** What the engine may read ahead of what is taken. With its own 1 MB, one of its threads waits most of the time. */
const STREAMED_AHEAD = "256MB";

const INTERRUPT_EVERY_MS = 20;
/** Time after a query was interrupted by which it must have ended, in milliseconds. */
const INTERRUPT_GRACE_MS = 5_000;

/** Runs queries with DuckDB, in memory. Several may run at once: each has a connection of its own. */
export class Engine {
  readonly #instance: DuckDBInstance;
  /** Time that one query may take, in milliseconds. */
  readonly timeoutMs: number;
  /** For settings alone: a statement ends what its connection still streams. */
  readonly #settings: DuckDBConnection;
  readonly #planning = pLimit(1);
  readonly #connections = new Set<DuckDBConnection>();
  #isClosed = false;

  private constructor(instance: DuckDBInstance, settings: DuckDBConnection, timeoutMs: number) {
    this.#instance = instance;
    this.#settings = settings;
    this.timeoutMs = timeoutMs;
  }

  /**
   * Opens an engine of its own. Nothing is downloaded, ever: extensions are not installed on demand. For thousands of small
   * files three settings matter: rows may come in any order, files are not cached a second time, and each is read at once.
   */
  static async open({ memoryLimit, temporaryFolder, timeoutMs }: EngineOptions): Promise<Engine> {
    try {
      const instance = await DuckDBInstance.create(":memory:", {
        memory_limit: memoryLimit,
        temp_directory: temporaryFolder,
        preserve_insertion_order: "false",
        enable_external_file_cache: "false",
        autoinstall_known_extensions: "false",
        autoload_known_extensions: "false",
        allow_community_extensions: "false",
      });
      const settings = await instance.connect();
      await settings.run("SET GLOBAL TimeZone = 'UTC'"); // else dates would follow the host's zone
      await settings.run("SET GLOBAL prefetch_all_parquet_files = true");
      return new Engine(instance, settings, timeoutMs);
    } catch (cause) {
      throw new InvalidInputError(`the engine does not start: ${messageOf(cause)}; check memoryLimit (such as 2GB)`, {
        cause,
      });
    }
  }

  /** The columns that a query of the library gives. */
  query(sql: string): Promise<Columns> {
    return this.#connected(async (connection) => resultColumns(await connection.run(sql)));
  }

  /**
   * Hands over the rows of a query of the library chunk by chunk, in the order of the files it reads and of the rows in
   * them: two queries over the same files with the same conditions give the same order.
   */
  chunksInOrder(sql: string, take: (chunk: DuckDBDataChunk) => void): Promise<void> {
    return this.#connected(async (connection) => {
      await connection.run(`SET streaming_buffer_size = '${STREAMED_AHEAD}'`);
      const result = await this.#planInOrder(() => connection.stream(sql));
      let coming = result.fetchChunk();
      for (;;) {
        const chunk = await coming;
        if (chunk === null || chunk.rowCount === 0) return;
        coming = result.fetchChunk(); // the engine reads on while this one is copied
        coming.catch(() => {}); // thrown when it is awaited
        take(chunk);
      }
    });
  }

  /** Whether rows keep their order is decided when a query is planned, by a setting of the whole engine. */
  #planInOrder<Value>(plan: () => Promise<Value>): Promise<Value> {
    return this.#planning(async () => {
      await this.#settings.run("SET GLOBAL preserve_insertion_order = true");
      try {
        return await plan();
      } finally {
        await this.#settings.run("SET GLOBAL preserve_insertion_order = false");
      }
    });
  }

  /** Runs a statement that gives no rows. */
  async run(sql: string): Promise<void> {
    await this.#connected((connection) => connection.run(sql));
  }

  /** Makes a table of rows in a schema that is there. */
  async createTable(schema: string, name: string, columns: SqlColumns, rows: readonly SqlRow[]): Promise<void> {
    await this.#connected(async (connection) => {
      await connection.run(`CREATE TABLE ${schema}.${name} (${columnDefinitions(columns)})`);
      const appender = await connection.createAppender(name, schema);
      try {
        appendRows(appender, columns, rows);
        appender.flushSync();
      } finally {
        appender.closeSync();
      }
    });
  }

  /** Refuses a user's statement that does not parse or does not just read, before any file is looked at. */
  async checkReading(sql: string): Promise<void> {
    await this.#connected((connection) => extractReading(connection, sql));
  }

  /**
   * The columns that a user's query gives.
   * @param schemas whose tables it may name.
   * @throws InvalidInputError where it does not parse, is more than one statement, or would change something.
   */
  userQuery(sql: string, parameters: readonly QueryParameter[], schemas: readonly string[] = []): Promise<Columns> {
    return this.#connected(async (connection) => {
      await nameTables(connection, schemas);
      const prepared = await prepareReading(connection, sql, parameters);
      try {
        return resultColumns(await prepared.run());
      } finally {
        prepared.destroySync();
      }
    });
  }

  /**
   * Writes the rows that a user's query gives as a Parquet file (Zstandard), over what stands there.
   * @param schemas whose tables it may name.
   * @returns how many rows there are.
   * @throws InvalidInputError as {@link userQuery}, and where it is no SELECT.
   */
  userExport(
    sql: string,
    parameters: readonly QueryParameter[],
    path: string,
    schemas: readonly string[] = [],
  ): Promise<number> {
    return this.#connected(async (connection) => {
      await nameTables(connection, schemas);
      // Checked by itself first: what reads and is one statement cannot end the brackets that are put around it.
      (await prepareReading(connection, sql, parameters)).destroySync();
      const query = sql.replace(/[\s;]+$/, "");
      const copy = `COPY (${query}\n) TO ${sqlText(path)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`;
      const prepared = await connection.prepare(copy).catch((cause: unknown) => {
        throw new InvalidInputError(
          `the query cannot be written as Parquet: ${messageOf(cause)}; give a SELECT, with nothing after its end`,
          { cause },
        );
      });
      try {
        bindParameters(prepared, parameters);
        const [[rows] = []] = await (await prepared.run()).getRows();
        return Number(rows);
      } finally {
        prepared.destroySync();
      }
    });
  }

  async #connected<Value>(use: (connection: DuckDBConnection) => Promise<Value>): Promise<Value> {
    if (this.#isClosed) throw new InvalidInputError("the aggregator is closed; open another");
    const connection = await this.#instance.connect();
    this.#connections.add(connection);
    const running = use(connection);
    try {
      return await this.#withinTime(running, connection);
    } finally {
      const close = (): void => {
        this.#connections.delete(connection);
        connection.closeSync();
      };
      running.then(close, close); // a query that cannot be ended keeps its connection
    }
  }

  /** Ends a query that takes too long, and gives up on one that cannot be ended. */
  async #withinTime<Value>(running: Promise<Value>, connection: DuckDBConnection): Promise<Value> {
    let timer: NodeJS.Timeout | undefined;
    let isLate = false;
    const late = (cause?: unknown): QueryTimeoutError =>
      new QueryTimeoutError(`the query did not end within ${this.timeoutMs} ms; ask for less, or set timeoutMs`, {
        cause,
      });
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        isLate = true;
        const givenUpAt = performance.now() + INTERRUPT_GRACE_MS;
        connection.interrupt();
        // A query that is only being planned does not notice: it is told again.
        timer = setInterval(() => {
          if (performance.now() < givenUpAt) connection.interrupt();
          else reject(late());
        }, INTERRUPT_EVERY_MS);
      }, this.timeoutMs);
    });
    try {
      return await Promise.race([running, deadline]);
    } catch (cause) {
      if (isLate) throw late(cause);
      if (cause instanceof InvalidInputError) throw cause;
      throw new QueryFailedError(messageOf(cause), { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Frees the engine. What is under way ends in an error. */
  close(): void {
    if (this.#isClosed) return;
    for (const connection of this.#connections) connection.interrupt();
    this.#isClosed = true;
    this.#settings.closeSync();
    this.#instance.closeSync();
  }
}

async function nameTables(connection: DuckDBConnection, schemas: readonly string[]): Promise<void> {
  if (schemas.length > 0) await connection.run(`SET search_path = '${schemas.join(",")}'`);
}
