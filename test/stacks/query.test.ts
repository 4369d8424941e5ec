import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { encodeSymbolsCsv } from "../../stores/symbols-csv.ts";
import { synthesiseStack } from "../support/synthesised-stack.ts";

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

/** Name and type of every column of a batch file, as DuckDB reads them. */
async function parquetColumns(): Promise<{ name: string; type: string }[]> {
  const folder = await mkdtemp(join(tmpdir(), "asx-eod-glue-"));
  try {
    const file = join(folder, "2024-05-31-batch-0.parquet");
    await writeFile(file, await encodeBatchFile({ bars: [], reports: [] }));
    const connection = await (await DuckDBInstance.create()).connect();
    const reader = await connection.runAndReadAll(`DESCRIBE SELECT * FROM read_parquet('${file}')`);
    const described = z
      .array(z.object({ column_name: z.string(), column_type: z.string() }))
      .parse(reader.getRowObjects());
    connection.closeSync();
    return described.map(({ column_name, column_type }) => ({
      name: column_name,
      type: ATHENA_TYPES[column_type] ?? column_type,
    }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe("the tables", () => {
  it("of bars has the columns of a batch file, name by name and type by type", async () => {
    expect(bars.storage_descriptor.columns.map(({ name, type }) => ({ name, type }))).toEqual(await parquetColumns());
    for (const { comment = "" } of bars.storage_descriptor.columns) expect(comment.length).toBeGreaterThan(10);
  });

  it("of bars lies over the batch files as they are", () => {
    expect(bars).toMatchObject({
      database_name: "<aws_glue_catalog_database query/database name>",
      table_type: "EXTERNAL_TABLE",
      parameters: { classification: "parquet" },
      storage_descriptor: {
        location: "s3://<aws_s3_bucket data/bucket bucket>/raw-data/",
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
    expect(queries).toHaveLength(3);
    for (const { query, workgroup } of queries) {
      expect(query).toMatch(/FROM (bars|symbols)\b/);
      expect(workgroup).toBe("<aws_athena_workgroup query/workgroup name>");
    }
  });
});
