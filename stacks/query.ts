import { AthenaNamedQuery } from "@cdktf/provider-aws/lib/athena-named-query/index.js";
import { AthenaWorkgroup } from "@cdktf/provider-aws/lib/athena-workgroup/index.js";
import { GlueCatalogDatabase } from "@cdktf/provider-aws/lib/glue-catalog-database/index.js";
import { GlueCatalogTable } from "@cdktf/provider-aws/lib/glue-catalog-table/index.js";
import { Construct } from "constructs";
import { BAR_COLUMNS, type ColumnType } from "../domain/bar-columns.ts";
import { rawDataFolder, symbolsPrefix } from "../domain/object-keys.ts";
import { SYMBOLS_CSV_COLUMNS } from "../stores/symbols-csv.ts";
import type { Deployment } from "./deployment.ts";
import { PrivateBucket } from "./private-bucket.ts";

/** Days that the results of queries are kept. */
const RESULT_DAYS = 30;

/** What one query may scan, in bytes, before it is stopped: 1 GiB, half a US cent. */
const LARGEST_SCAN_BYTES = 1024 ** 3;

/** The types of bar columns as Athena reads them. */
const GLUE_TYPES: Record<ColumnType, string> = {
  UTF8: "string",
  DATE: "date",
  DOUBLE: "double",
  INT64: "bigint",
  INT32: "int",
  TIMESTAMP_MILLIS: "timestamp",
};

/** A place to query what is stored, with SQL and no crawler: tables over the files as they lie. */
export class Query extends Construct {
  readonly workgroup: string;
  readonly database: string;

  constructor(scope: Construct, id: string, deployment: Deployment, data: PrivateBucket) {
    super(scope, id);
    const { stage } = deployment.config;
    const results = new PrivateBucket(this, "results", deployment, {
      name: "athena",
      protected: false, // results can be had again
      lifecycle: [
        {
          id: "expire-results",
          status: "Enabled",
          filter: [{ prefix: "" }],
          expiration: [{ days: RESULT_DAYS }],
          noncurrentVersionExpiration: [{ noncurrentDays: 1 }],
        },
      ],
    });
    const workgroup = new AthenaWorkgroup(this, "workgroup", {
      name: deployment.name("queries"),
      description: "Queries of the stored bars, bounded in what they scan",
      forceDestroy: true, // the history of queries is nothing to keep
      configuration: {
        bytesScannedCutoffPerQuery: LARGEST_SCAN_BYTES,
        enforceWorkgroupConfiguration: true,
        publishCloudwatchMetricsEnabled: false,
        resultConfiguration: {
          outputLocation: `s3://${results.bucket}/results/`,
          encryptionConfiguration: { encryptionOption: "SSE_S3" },
        },
      },
    });
    const database = new GlueCatalogDatabase(this, "database", {
      // Athena knows letters, digits and underscores only.
      name: `asx_eod_${stage.replaceAll("-", "_")}`,
      description: "Daily bars of ASX-listed stocks",
    });
    const tables = [
      new GlueCatalogTable(this, "bars", {
        databaseName: database.name,
        name: "bars",
        description: "One row a symbol and trading date",
        tableType: "EXTERNAL_TABLE",
        parameters: { EXTERNAL: "TRUE", classification: "parquet" },
        storageDescriptor: {
          location: `s3://${data.bucket}/${rawDataFolder}`,
          inputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
          outputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
          serDeInfo: { serializationLibrary: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe" },
          columns: BAR_COLUMNS.map(({ name, type, description }) => ({
            name,
            type: GLUE_TYPES[type],
            comment: description,
          })),
        },
      }),
      new GlueCatalogTable(this, "symbols", {
        databaseName: database.name,
        name: "symbols",
        description: "The symbols listed on each day, every field as text; the day is in the file's name",
        tableType: "EXTERNAL_TABLE",
        parameters: { EXTERNAL: "TRUE", classification: "csv", "skip.header.line.count": "1" },
        storageDescriptor: {
          location: `s3://${data.bucket}/${symbolsPrefix}`,
          inputFormat: "org.apache.hadoop.mapred.TextInputFormat",
          outputFormat: "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
          serDeInfo: {
            // Names hold commas and quotes: this one reads quoted fields.
            serializationLibrary: "org.apache.hadoop.hive.serde2.OpenCSVSerde",
            parameters: { separatorChar: ",", quoteChar: '"', escapeChar: '"' },
          },
          columns: SYMBOLS_CSV_COLUMNS.map((name) => ({ name, type: "string" })),
        },
      }),
    ];
    for (const { id: queryId, name, query } of EXAMPLES) {
      new AthenaNamedQuery(this, queryId, {
        name,
        workgroup: workgroup.name,
        database: database.name,
        query,
        dependsOn: tables,
      });
    }
    this.workgroup = workgroup.name;
    this.database = database.name;
  }
}

/** Queries that stand ready in Athena's console. */
const EXAMPLES = [
  {
    id: "one-symbol",
    name: "Bars of one symbol",
    query: "SELECT * FROM bars WHERE symbol = 'BHP' ORDER BY date DESC LIMIT 250",
  },
  {
    id: "bars-a-day",
    name: "Bars a day",
    query: "SELECT date, count(*) AS bars, sum(close * volume) AS turnover FROM bars GROUP BY date ORDER BY date DESC",
  },
  {
    id: "bars-by-industry",
    name: "Bars of the newest day by industry group",
    query:
      "SELECT s.industry_group, count(*) AS bars FROM bars b JOIN symbols s ON s.symbol = b.symbol " +
      "AND s.\"$path\" LIKE '%/' || cast(b.date AS varchar) || '-symbols.csv' " +
      "WHERE b.date = (SELECT max(date) FROM bars) GROUP BY s.industry_group ORDER BY bars DESC",
  },
] as const;
