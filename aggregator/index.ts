/** The public surface of the library: what a notebook imports. */
export {
  AsxEodError,
  DateNotStoredError,
  InvalidInputError,
  QueryFailedError,
  QueryTimeoutError,
  StoredFileError,
  StoreRefusedError,
  StoreUnavailableError,
  SymbolsMissingError,
} from "../domain/errors.ts";
export type { Listing } from "../domain/listing.ts";
export { fromEpochDays, toEpochDays } from "../domain/trading-date.ts";
export type { StoreOptions } from "../stores/open-store.ts";
export type { ActionRow, ActionsOptions } from "./actions.ts";
export type { Adjustment } from "./adjust-bars.ts";
export { Aggregator, type MissingDays, type StoredDate } from "./aggregator.ts";
export type { OnBadFile } from "./bar-reader.ts";
export { type BarColumnName, type BarRow, Bars } from "./bars.ts";
export type { Column, Columns } from "./column.ts";
export type { CompactedFile, CompactOptions, CompactResult } from "./compact.ts";
export {
  Coverage,
  type CoverageDay,
  type CoverageParts,
  type DayStatus,
  type ReusedCode,
  type SkippedFile,
} from "./coverage.ts";
export type { ChangeBounds, ListingChangeRow, ListingRow } from "./listing-tables.ts";
export type { LoadOptions, RangeOptions } from "./load-options.ts";
export type { MergedDay } from "./merge-day.ts";
export type { AggregatorOptions } from "./open-parts.ts";
export type { OutputOptions } from "./output-file.ts";
export { PeriodBars, type PeriodColumnName, type PeriodRow } from "./period-bars.ts";
export { toMonthly, toWeekly } from "./periods.ts";
export type { Progress, ProgressReport } from "./progress.ts";
export type { QueryParameter } from "./reading-statement.ts";
export type { RebuiltActions } from "./rebuild-actions.ts";
export { type GrowthRow, growthOf, type ReturnRow, simpleReturns, totalReturns } from "./returns.ts";
export { type PlainRow, Table } from "./table.ts";
