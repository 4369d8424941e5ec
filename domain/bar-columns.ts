import type { Bar } from "./bar.ts";

/** The Parquet types a bar column has, by their logical names. */
export type ColumnType = "UTF8" | "DATE" | "DOUBLE" | "INT64" | "INT32" | "TIMESTAMP_MILLIS";

/** One column of a batch file. */
export interface BarColumn {
  /** Name in the file. */
  readonly name: string;
  /** The field of {@link Bar} it holds. */
  readonly field: keyof Bar;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** Unit and meaning, for catalogues and documents. */
  readonly description: string;
}

/** The columns of a batch file in their order: one list for the writer, the readers and the table catalogue. */
export const BAR_COLUMNS = [
  column("symbol", "symbol", "UTF8", "ASX code without suffix"),
  column("date", "date", "DATE", "Trading date in Australia/Sydney"),
  column("open", "open", "DOUBLE", "First price in AUD, adjusted for later splits"),
  column("high", "high", "DOUBLE", "Highest price in AUD, adjusted for later splits"),
  column("low", "low", "DOUBLE", "Lowest price in AUD, adjusted for later splits"),
  column("close", "close", "DOUBLE", "Last price in AUD, adjusted for later splits"),
  nullable(
    "adjusted_close",
    "adjustedClose",
    "DOUBLE",
    "Close in AUD adjusted for splits and dividends known at fetch time",
  ),
  column("volume", "volume", "INT64", "Shares traded, 0 where nothing traded"),
  nullable("dividend", "dividend", "DOUBLE", "Dividend in AUD a share, on its ex-date"),
  nullable("split_ratio", "splitRatio", "DOUBLE", "New shares for one old, on its ex-date"),
  column("fetch_timestamp", "fetchTimestamp", "TIMESTAMP_MILLIS", "When the provider answered, UTC"),
  nullable("batch_number", "batchNumber", "INT32", "The batch the bar came in"),
] as const satisfies readonly BarColumn[];

/** Key of the file metadata entry that holds the outcomes of symbols without a bar, as JSON. */
export const OUTCOMES_METADATA_KEY = "asx-eod.outcomes";

/** Key of the file metadata entry that holds the SHA-256 of the file's contents. */
export const DIGEST_METADATA_KEY = "asx-eod.sha256";

/** Key of the file metadata entry that names where the bars came from. */
export const SOURCE_METADATA_KEY = "asx-eod.source";

function column<const Name extends string>(
  name: Name,
  field: keyof Bar,
  type: ColumnType,
  description: string,
): BarColumn & { readonly name: Name } {
  return { name, field, type, nullable: false, description };
}

function nullable<const Name extends string>(
  name: Name,
  field: keyof Bar,
  type: ColumnType,
  description: string,
): BarColumn & { readonly name: Name } {
  return { name, field, type, nullable: true, description };
}
