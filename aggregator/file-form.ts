import { parquetMetadata } from "hyparquet";
import { BAR_COLUMNS, type ColumnType } from "../domain/bar-columns.ts";
import { quote } from "../domain/text.ts";

type SchemaElement = ReturnType<typeof parquetMetadata>["schema"][number];

/** How the bars of a file are kept. */
export interface FileForm {
  /** Columns that it lacks: they are null. */
  readonly lacks: string[];
  /** The types of its bar columns as far as they are not the usual ones: files that are read in one go have the same. */
  readonly types: string;
}

/** What a column may be in a file for each type that it is read as: the physical type, and the logical ones allowed. */
const FORMS: Readonly<Record<ColumnType, (type: string | undefined, logical: string | undefined) => boolean>> = {
  UTF8: (type, logical) => type === "BYTE_ARRAY" && (logical === "UTF8" || logical === "STRING"),
  DATE: (type, logical) => type === "INT32" && logical === "DATE",
  DOUBLE: (type, logical) => (type === "DOUBLE" || type === "FLOAT") && logical === undefined,
  INT64: (type, logical) => (type === "INT64" || type === "INT32") && (logical === undefined || /^U?INT/.test(logical)),
  INT32: (type, logical) => (type === "INT64" || type === "INT32") && (logical === undefined || /^U?INT/.test(logical)),
  TIMESTAMP_MILLIS: (type, logical) => type === "INT64" && logical !== undefined && logical.startsWith("TIMESTAMP"),
};

/** The types that the batch writer gives columns. */
const USUAL: Readonly<Record<ColumnType, string>> = {
  UTF8: "BYTE_ARRAY UTF8",
  DATE: "INT32 DATE",
  DOUBLE: "DOUBLE",
  INT64: "INT64",
  INT32: "INT32",
  TIMESTAMP_MILLIS: "INT64 TIMESTAMP_MILLIS",
};

/**
 * The form of a file of bars: an older one may lack the columns that can be null.
 * @param bytes a whole Parquet file that is known to be undamaged: its lengths are trusted.
 * @throws Error that names a column that must be there, that stands twice, or that has another type.
 */
export function fileForm(bytes: Uint8Array): FileForm {
  const columns = topColumns(parquetMetadata(new Uint8Array(bytes).buffer).schema);
  const lacks: string[] = [];
  const types: string[] = [];
  for (const { name, type, nullable } of BAR_COLUMNS) {
    // The engine does not tell small letters from capitals: it could take another column for this one.
    const alike = columns.filter((column) => column.name.toLowerCase() === name);
    const [column] = alike;
    if (column === undefined && nullable) lacks.push(name);
    else if (column === undefined) throw new Error(`it has no column ${name}`);
    else {
      if (alike.length > 1) throw new Error(`its column ${name} stands ${alike.length} times`);
      if (column.name !== name) throw new Error(`it has a column ${quote(column.name)} in place of ${name}`);
      const logical = column.converted_type ?? column.logical_type?.type;
      const isSingle = column.repetition_type !== "REPEATED" && (column.num_children ?? 0) === 0;
      if (!isSingle || !FORMS[type](column.type, logical)) {
        throw new Error(
          `its column ${name} is ${isSingle ? (logical ?? column.type) : "a list or group"}, not ${type}`,
        );
      }
      const found = [column.type, logical].filter((part) => part !== undefined).join(" ");
      if (found !== USUAL[type]) types.push(`${name} ${found} ${JSON.stringify(column.logical_type ?? null)}`);
    }
  }
  return { lacks, types: types.join(", ") };
}

/** The columns that are not parts of others: the schema lists each before its parts. */
function topColumns([, ...elements]: readonly SchemaElement[]): SchemaElement[] {
  const columns: SchemaElement[] = [];
  let parts = 0;
  for (const element of elements) {
    if (parts === 0) columns.push(element);
    parts = Math.max(0, parts - 1) + (element.num_children ?? 0);
  }
  return columns;
}
