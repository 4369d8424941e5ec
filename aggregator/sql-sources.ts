import { actionsTable } from "./actions.ts";
import { changeTable, listingTable } from "./listing-tables.ts";
import type { AggregatorParts } from "./open-parts.ts";
import { libraryTable, markOf } from "./sql-library-table.ts";
import { calendarTable, RUNS_TABLE, symbolsTable } from "./sql-store-tables.ts";
import type { SqlColumns, SqlRow, SqlTable } from "./sql-table.ts";
import type { SqlSources } from "./sql-tables.ts";

const ACTION_COLUMNS = [
  ["symbol", "VARCHAR"],
  ["ex_date", "DATE"],
  ["kind", "VARCHAR"],
  ["value", "DOUBLE"],
  ["first_seen", "TIMESTAMP"],
  ["last_confirmed", "TIMESTAMP"],
  ["superseded_at", "TIMESTAMP"],
] as const satisfies SqlColumns;

const LISTING_COLUMNS = [
  ["symbol", "VARCHAR"],
  ["listing", "BIGINT"],
  ["name", "VARCHAR"],
  ["industry_group", "VARCHAR"],
  ["listing_date", "DATE"],
  ["first_seen", "DATE"],
  ["last_seen", "DATE"],
  ["is_listed", "BOOLEAN"],
  ["first_bar", "DATE"],
  ["last_final", "DATE"],
] as const satisfies SqlColumns;

const NOT_ADJUSTED_COLUMNS = [
  ["symbol", "VARCHAR"],
  ["ex_date", "DATE"],
  ["why", "VARCHAR"],
] as const satisfies SqlColumns;

const CHANGE_COLUMNS = [
  ["date", "DATE"],
  ["kind", "VARCHAR"],
  ["symbol", "VARCHAR"],
  ["listing", "BIGINT"],
  ["name", "VARCHAR"],
  ["previous", "VARCHAR"],
] as const satisfies SqlColumns;

/** The tables of an open store: one more is one more of these. */
export function sqlSources({ reader, listed, actions }: AggregatorParts): SqlSources {
  const calendar = calendarTable(reader);
  const knownActions = libraryTable("actions", ACTION_COLUMNS, async () => {
    const known = await actions.known("error");
    return { known, table: () => actionsTable(known.actions, { all: true }) };
  });
  const notAdjusted: SqlTable = {
    name: "not_adjusted",
    columns: NOT_ADJUSTED_COLUMNS,
    at: async () => {
      const known = await actions.known("error");
      const rows = (): SqlRow[] => known.factors.notAdjusted.map(({ symbol, exDate, why }) => [symbol, exDate, why]);
      return { mark: markOf(known), rows };
    },
  };
  const listings = libraryTable("listings", LISTING_COLUMNS, async () => {
    const known = await listed.history();
    return { known, table: () => listingTable(known, undefined) };
  });
  const changes = libraryTable("listing_changes", CHANGE_COLUMNS, async () => {
    const known = await listed.history();
    return { known, table: () => changeTable(known, {}) };
  });
  return {
    tables: [RUNS_TABLE, symbolsTable(listed), calendar, knownActions, notAdjusted, listings, changes],
    calendar,
    factorsAt: async (seen) => {
      const known = await actions.at(seen, "error");
      return { mark: markOf(known), rows: async () => ({ ...known.factors, beginnings: known.beginnings }) };
    },
  };
}
