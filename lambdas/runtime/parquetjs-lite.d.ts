/** The part of parquetjs-lite 0.8 that we use; the package has no types of its own. */
declare module "parquetjs-lite" {
  import type { Writable } from "node:stream";

  export interface FieldDefinition {
    type: "UTF8" | "DATE" | "DOUBLE" | "INT64" | "INT32" | "TIMESTAMP_MILLIS";
    optional?: boolean;
    compression?: "SNAPPY";
    statistics?: false;
  }

  export class ParquetSchema {
    constructor(fields: Record<string, FieldDefinition>);
  }

  export class ParquetWriter {
    static openStream(
      schema: ParquetSchema,
      stream: Writable,
      options?: { rowGroupSize?: number; pageSize?: number; useDataPageV2?: boolean },
    ): Promise<ParquetWriter>;
    appendRow(row: Record<string, unknown>): Promise<void>;
    setMetadata(key: string, value: string): void;
    close(): Promise<void>;
  }

  const parquet: { ParquetSchema: typeof ParquetSchema; ParquetWriter: typeof ParquetWriter };
  export default parquet;
}
