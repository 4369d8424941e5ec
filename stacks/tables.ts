/** The tables over the stored files as they lie: no crawler, no copy. */
import {
  GlueCatalogTable,
  type GlueCatalogTableConfig,
  type GlueCatalogTableStorageDescriptorSerDeInfo,
} from "@cdktf/provider-aws/lib/glue-catalog-table/index.js";
import type { Construct } from "constructs";
import { BAR_COLUMNS, type ColumnType } from "../domain/bar-columns.ts";
import { actionsPrefix, historyPrefix, rawDataFolder, symbolsPrefix } from "../domain/object-keys.ts";
import { ACTIONS_CSV_COLUMNS } from "../stores/actions-csv.ts";
import { SYMBOLS_CSV_COLUMNS } from "../stores/symbols-csv.ts";

/** What makes a table of a folder. */
type TableForm = Pick<GlueCatalogTableConfig, "tableType" | "parameters" | "storageDescriptor">;

interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly comment?: string;
}

/** The types of bar columns as Athena reads them. */
const GLUE_TYPES: Record<ColumnType, string> = {
  UTF8: "string",
  DATE: "date",
  DOUBLE: "double",
  INT64: "bigint",
  INT32: "int",
  TIMESTAMP_MILLIS: "timestamp",
};

/** Instants are text: Athena reads no ISO 8601 as a timestamp from a CSV, and text in UTC sorts as time does. */
const ACTION_TYPES: Record<(typeof ACTIONS_CSV_COLUMNS)[number], Omit<TableColumn, "name">> = {
  symbol: { type: "string", comment: "ASX code without suffix" },
  ex_date: { type: "date", comment: "First trading date without the dividend, or with the new shares" },
  kind: { type: "string", comment: "dividend or split" },
  value: { type: "double", comment: "AUD a share of a dividend; new shares for one old of a split" },
  first_seen: { type: "string", comment: "When the provider was first seen to say so, ISO 8601 in UTC" },
  last_confirmed: { type: "string", comment: "When it was last seen to say so, ISO 8601 in UTC" },
  superseded_at: { type: "string", comment: "When it was seen to say otherwise; null while it holds" },
};

/** Names hold commas and quotes: this one reads quoted fields, and knows text only. */
const QUOTED_CSV: GlueCatalogTableStorageDescriptorSerDeInfo = {
  serializationLibrary: "org.apache.hadoop.hive.serde2.OpenCSVSerde",
  parameters: { separatorChar: ",", quoteChar: '"', escapeChar: '"' },
};

/** Without quotes: this one knows types, and an empty field is null. */
const TYPED_CSV: GlueCatalogTableStorageDescriptorSerDeInfo = {
  serializationLibrary: "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
  parameters: { "field.delim": ",", "serialization.format": ",", "serialization.null.format": "" },
};

/** Makes the tables in a database. `location` is where the store lies: `s3://BUCKET/`. */
export function createTables(scope: Construct, databaseName: string, location: string): GlueCatalogTable[] {
  const table = (name: string, description: string, form: TableForm): GlueCatalogTable =>
    new GlueCatalogTable(scope, name, { databaseName, name, description, ...form });
  return [
    table(
      "bars",
      "One row a symbol and trading date, as the daily runs fetched it",
      barsIn(`${location}${rawDataFolder}`),
    ),
    table(
      "history",
      "One row a symbol and trading date, as backfills fetched it; of rows in both tables the newest fetch counts",
      barsIn(`${location}${historyPrefix}`),
    ),
    table(
      "actions",
      "Dividends and splits by their ex-dates; a value that was superseded stays, with the time",
      csvIn(
        `${location}${actionsPrefix}`,
        TYPED_CSV,
        ACTIONS_CSV_COLUMNS.map((name) => ({ name, ...ACTION_TYPES[name] })),
      ),
    ),
    table(
      "symbols",
      "The symbols listed on each day, every field as text; the day is in the file's name",
      csvIn(
        `${location}${symbolsPrefix}`,
        QUOTED_CSV,
        SYMBOLS_CSV_COLUMNS.map((name) => ({ name, type: "string" })),
      ),
    ),
  ];
}

function barsIn(location: string): TableForm {
  return {
    tableType: "EXTERNAL_TABLE",
    parameters: { EXTERNAL: "TRUE", classification: "parquet" },
    storageDescriptor: {
      location,
      inputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
      outputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
      serDeInfo: { serializationLibrary: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe" },
      columns: BAR_COLUMNS.map(({ name, type, description }) => ({
        name,
        type: GLUE_TYPES[type],
        comment: description,
      })),
    },
  };
}

function csvIn(
  location: string,
  serDeInfo: GlueCatalogTableStorageDescriptorSerDeInfo,
  columns: readonly TableColumn[],
): TableForm {
  return {
    tableType: "EXTERNAL_TABLE",
    parameters: { EXTERNAL: "TRUE", classification: "csv", "skip.header.line.count": "1" },
    storageDescriptor: {
      location,
      inputFormat: "org.apache.hadoop.mapred.TextInputFormat",
      outputFormat: "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
      serDeInfo,
      columns: [...columns],
    },
  };
}
