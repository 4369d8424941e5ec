import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { Bar } from "../domain/bar.ts";
import { BAR_COLUMNS, type BarColumn, type ColumnType } from "../domain/bar-columns.ts";
import { messageOf, StoredFileError } from "../domain/errors.ts";
import { barOfRow } from "../domain/stored-bar.ts";
import type { DayFile } from "./day-files.ts";

const SQL_TYPES: Record<ColumnType, string> = {
  UTF8: "VARCHAR",
  DATE: "DATE",
  DOUBLE: "DOUBLE",
  INT64: "BIGINT",
  INT32: "INTEGER",
  TIMESTAMP_MILLIS: "TIMESTAMP",
};

/** Reads Parquet with DuckDB. */
export class ParquetEngine {
  readonly #connection: DuckDBConnection;
  readonly #instance: DuckDBInstance;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  /** Opens an engine of its own, in memory. */
  static async open(): Promise<ParquetEngine> {
    const instance = await DuckDBInstance.create(":memory:");
    return new ParquetEngine(instance, await instance.connect());
  }

  /**
   * The bars in the files of one date, in order of symbol, each symbol once: as fetched last.
   * @throws StoredFileError that names the files, where one is damaged, of another form or of another date.
   */
  async readBars(files: readonly DayFile[], date: string): Promise<Bar[]> {
    if (files.length === 0) return [];
    const folder = await mkdtemp(join(tmpdir(), "asx-eod-"));
    try {
      const paths = await Promise.all(files.map((file) => writeTo(folder, file)));
      const reader = await this.#connection.runAndReadAll(selectBars(paths));
      return reader.getRowObjects().map((row) => barOfRow(row, date));
    } catch (cause) {
      const names = files.length === 1 ? files[0]?.key : `one of ${files[0]?.key} to ${files.at(-1)?.key}`;
      throw new StoredFileError(
        `${names} is damaged or not a batch file of ${date}: ${messageOf(cause)}; restore it, or delete it and run the date again`,
        { cause },
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Frees the engine. */
  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

async function writeTo(folder: string, { key, bytes }: DayFile): Promise<string> {
  const path = join(folder, basename(key));
  await writeFile(path, bytes);
  return path;
}

/** An empty relation with every column goes first, so that columns an older file lacks are null. */
function selectBars(paths: readonly string[]): string {
  const template = BAR_COLUMNS.map(({ name, type }) => `NULL::${SQL_TYPES[type]} AS ${name}`).join(", ");
  const files = paths.map((path) => `'${path.replaceAll("'", "''")}'`).join(", ");
  return `
    SELECT ${BAR_COLUMNS.map(selectColumn).join(", ")}
    FROM (
      SELECT * FROM (SELECT ${template}) WHERE false
      UNION ALL BY NAME
      SELECT * FROM read_parquet([${files}], union_by_name = true)
    )
    QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY fetch_timestamp DESC) = 1
    ORDER BY symbol`;
}

function selectColumn({ name, type }: BarColumn): string {
  if (type === "DATE") return `${name}::VARCHAR AS ${name}`;
  if (type === "TIMESTAMP_MILLIS") return `epoch_ms(${name}) AS ${name}`;
  return name;
}
