import type { AggregatorParts } from "./open-parts.ts";
import type { SqlFactors } from "./sql-factors.ts";
import { calendarTable, RUNS_TABLE, symbolsTable } from "./sql-store-tables.ts";
import type { SqlSources } from "./sql-tables.ts";

const NO_FACTORS: SqlFactors = { mark: "none", rows: async () => ({ splits: [], dividends: [] }) };

/** The tables of an open store: one more is one line here. */
export function sqlSources({ reader, listed }: AggregatorParts): SqlSources {
  const calendar = calendarTable(reader);
  return {
    tables: [RUNS_TABLE, symbolsTable(listed), calendar],
    calendar,
    factorsAt: () => NO_FACTORS,
  };
}
