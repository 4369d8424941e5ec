import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { ACTION_KINDS } from "../../domain/corporate-action.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { encodeHistoryFile } from "../../lambdas/runtime/history-file-writer.ts";
import { ACTIONS_CSV_COLUMNS, encodeActionsCsv } from "../../stores/actions-csv.ts";
import { encodeSymbolsCsv } from "../../stores/symbols-csv.ts";
import { synthesiseStack } from "../support/synthesised-stack.ts";
import { plainBar } from "../support/test-fetcher.ts";

const stack = synthesiseStack();
const table = z.object({
  database_name: z.string(),
  table_type: z.string(),
  parameters: z.record(z.string(), z.string()),
  storage_descriptor: z.object({
    location: z.string(),
    ser_de_info: z.object({
      serialization_library: z.string(),
      parameters: z.record(z.string(), z.string()).optional(),
    }),
    columns: z.array(z.object({ name: z.string(), type: z.string(), comment: z.string().optional() })),
  }),
});
const bars = table.parse(stack.one("aws_glue_catalog_table", "query/bars"));
const history = table.parse(stack.one("aws_glue_catalog_table", "query/history"));
const actions = table.parse(stack.one("aws_glue_catalog_table", "query/actions"));
const symbols = table.parse(stack.one("aws_glue_catalog_table", "query/symbols"));

/** DuckDB's types of a Parquet file's columns, as Athena calls them. */
const ATHENA_TYPES: Record<string, string> = {
  VARCHAR: "string",
  DATE: "date",
  DOUBLE: "double",
  BIGINT: "bigint",
  INTEGER: "int",
  TIMESTAMP: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestamp",
};

/** The same for the columns of a CSV file. */
const DUCKDB_TYPES: Record<string, string> = { string: "VARCHAR", date: "DATE", double: "DOUBLE" };

/** A folder that is gone again after the test. */
async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "asx-eod-glue-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What DuckDB answers to the last of some statements. */
async function ask(...statements: string[]): Promise<unknown> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    for (const statement of statements.slice(0, -1)) await connection.run(statement);
    return (await connection.runAndReadAll(statements.at(-1) ?? "")).getRowObjectsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Name and type of every column of a Parquet file, as DuckDB reads them. */
function parquetColumns(bytes: Uint8Array): Promise<{ name: string; type: string }[]> {
  return withFolder(async (folder) => {
    const file = join(folder, "file.parquet");
    await writeFile(file, bytes);
    return z
      .array(z.object({ column_name: z.string(), column_type: z.string() }))
      .parse(await ask(`DESCRIBE SELECT * FROM read_parquet('${file}')`))
      .map(({ column_name, column_type }) => ({ name: column_name, type: ATHENA_TYPES[column_type] ?? column_type }));
  });
}

const BATCH_OF_BARS = { bars: [], reports: [], source: "stand-in" };

describe("the tables", () => {
  it.each([
    ["bars", bars, () => encodeBatchFile(BATCH_OF_BARS)],
    ["history", history, () => encodeHistoryFile(BATCH_OF_BARS)],
  ])("of %s has the columns of its files, name by name and type by type", async (_, of, encode) => {
    expect(of.storage_descriptor.columns.map(({ name, type }) => ({ name, type }))).toEqual(
      await parquetColumns(await encode()),
    );
    for (const { comment = "" } of of.storage_descriptor.columns) expect(comment.length).toBeGreaterThan(10);
  });

  it.each([
    ["bars", bars, "raw-data/"],
    ["history", history, "history/"],
  ])("of %s lies over the Parquet files as they are", (_, of, prefix) => {
    expect(of).toMatchObject({
      database_name: "<aws_glue_catalog_database query/database name>",
      table_type: "EXTERNAL_TABLE",
      parameters: { classification: "parquet" },
      storage_descriptor: {
        location: `s3://<aws_s3_bucket data/bucket bucket>/${prefix}`,
        ser_de_info: { serialization_library: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe" },
      },
    });
  });

  it("of symbols has the columns of the symbols CSV as text, its header skipped, its quotes understood", () => {
    const [header] = new TextDecoder().decode(encodeSymbolsCsv([])).split("\n");
    expect(symbols.storage_descriptor.columns.map(({ name }) => name)).toEqual(header?.split(","));
    expect(new Set(symbols.storage_descriptor.columns.map(({ type }) => type))).toEqual(new Set(["string"]));
    expect(symbols.parameters).toMatchObject({ "skip.header.line.count": "1" });
    expect(symbols.storage_descriptor).toMatchObject({
      location: "s3://<aws_s3_bucket data/bucket bucket>/symbols/",
      ser_de_info: {
        serialization_library: "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        parameters: { separatorChar: ",", quoteChar: '"' },
      },
    });
  });

  it("of actions has typed columns over CSV files without quotes, an empty field being null", () => {
    expect(actions.storage_descriptor.columns.map(({ name }) => name)).toEqual([...ACTIONS_CSV_COLUMNS]);
    expect(actions.parameters).toMatchObject({ "skip.header.line.count": "1" });
    expect(actions.storage_descriptor).toMatchObject({
      location: "s3://<aws_s3_bucket data/bucket bucket>/actions/",
      ser_de_info: {
        serialization_library: "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        parameters: { "field.delim": ",", "serialization.null.format": "" },
      },
    });
  });
});

/** Bars of two days that were fetched again later, the first by a daily run and the second by a backfill; and an action. */
async function storeFiles(folder: string): Promise<string[]> {
  const fetched = (date: string, at: string, close: number) => {
    const prices = { open: close, high: close, low: close, close };
    return plainBar("BHP", date, 0, { ...prices, fetchTimestamp: Date.parse(at), volume: close });
  };
  const bars = [fetched("2024-05-30", "2024-06-30T09:00:00Z", 41), fetched("2024-05-31", "2024-05-31T09:00:00Z", 42)];
  const past = [fetched("2024-05-30", "2024-06-29T09:00:00Z", 43), fetched("2024-05-31", "2024-06-29T09:00:00Z", 44)];
  const seen = { firstSeen: Date.parse("2024-03-07T09:00:00Z"), lastConfirmed: Date.parse("2024-03-08T09:00:00Z") };
  const dividend = { symbol: "BHP", exDate: "2024-03-07", kind: ACTION_KINDS.dividend, ...seen };
  const files = {
    "bars.parquet": await encodeBatchFile({ ...BATCH_OF_BARS, bars }),
    "history.parquet": await encodeHistoryFile({ ...BATCH_OF_BARS, bars: past }),
    "actions.csv": encodeActionsCsv([
      { ...dividend, value: 1.1, supersededAt: seen.lastConfirmed },
      { ...dividend, value: 1.125, firstSeen: seen.lastConfirmed, supersededAt: null },
    ]),
  };
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
  const columns = actions.storage_descriptor.columns.map(
    ({ name, type }) => `${name}: '${DUCKDB_TYPES[type] ?? type}'`,
  );
  const csv = `auto_detect = false, header = true, delim = ',', quote = '', nullstr = '', columns = {${columns.join(", ")}}`;
  return [
    ...["bars", "history"].map((name) => `CREATE VIEW ${name} AS FROM read_parquet('${join(folder, name)}.parquet')`),
    `CREATE VIEW actions AS FROM read_csv('${join(folder, "actions.csv")}', ${csv})`,
    // A function of Athena's under the name it has there.
    "CREATE MACRO from_iso8601_timestamp(text) AS text::TIMESTAMP",
  ];
}

/** The statements of the documentation, in its order. */
function documentedQueries(): string[] {
  const text = readFileSync(new URL("../../docs/deploy.md", import.meta.url), "utf8");
  return [...text.matchAll(/```sql\n(.*?)```/gs)].map(([, statement = ""]) => statement);
}

describe("the queries of the documentation", () => {
  it("unite bars and history with the newest fetch winning, as the query does that stands ready", async () => {
    const { query } = z
      .object({ query: z.string() })
      .parse(stack.one("aws_athena_named_query", "query/one-symbol-history"));
    const united = documentedQueries().find((statement) => statement.includes("UNION ALL")) ?? "";
    for (const statement of [query, united]) {
      expect(await withFolder(async (folder) => ask(...(await storeFiles(folder)), statement))).toEqual([
        { date: "2024-05-31", close: 44, volume: "44" },
        { date: "2024-05-30", close: 41, volume: "41" },
      ]);
    }
  });

  it("give the actions that hold, with their types", async () => {
    const holding = documentedQueries().find((statement) => statement.includes("FROM actions")) ?? "";
    expect(await withFolder(async (folder) => ask(...(await storeFiles(folder)), holding))).toEqual([
      { symbol: "BHP", ex_date: "2024-03-07", kind: "dividend", value: 1.125, first_seen: "2024-03-08 09:00:00" },
    ]);
  });

  it("can all be run", async () => {
    const queries = documentedQueries();
    expect(queries.length).toBeGreaterThanOrEqual(3);
    for (const statement of queries) {
      await withFolder(async (folder) => ask(...(await storeFiles(folder)), statement));
    }
  });
});

describe("the work group", () => {
  it("bounds what a query scans and keeps results in a bucket of their own, for a month", () => {
    expect(stack.one("aws_athena_workgroup", "query/workgroup")).toMatchObject({
      name: "asx-eod-prod-queries",
      configuration: {
        bytes_scanned_cutoff_per_query: 1_073_741_824,
        enforce_workgroup_configuration: true,
        result_configuration: {
          output_location: "s3://<aws_s3_bucket query/results/bucket bucket>/results/",
          encryption_configuration: { encryption_option: "SSE_S3" },
        },
      },
    });
    expect(stack.one("aws_s3_bucket_lifecycle_configuration", "query/results/lifecycle")["rule"]).toContainEqual(
      expect.objectContaining({ expiration: [{ days: 30 }] }),
    );
  });

  it("has queries ready to run that name tables which are there", () => {
    const queries = Object.values(stack.all("aws_athena_named_query"));
    expect(queries).toHaveLength(4);
    for (const { query, workgroup } of queries) {
      expect(query).toMatch(/FROM (bars|symbols|history)\b/);
      expect(workgroup).toBe("<aws_athena_workgroup query/workgroup name>");
    }
  });
});
