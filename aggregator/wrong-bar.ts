import { quote } from "../domain/text.ts";
import { type Columns, rowCount, valueAt } from "./column.ts";
import type { Engine } from "./engine.ts";
import { parquetFiles } from "./sql-text.ts";

/** The codes that `domain/symbol.ts` takes. */
const IS_CODE = "regexp_full_match(symbol, '[A-Z0-9]{3,6}')";
/** What is beyond would be rounded by whatever reads it as a double. */
const IS_VOLUME = `volume BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}`;
const PRICES = ["open", "high", "low", "close"] as const;
/** The engine takes what is no number for more than infinity. */
const ARE_PRICES = PRICES.map((name) => `${name} > 0 AND ${name} < 'infinity'`).join(" AND ");

/**
 * Whether a row has the symbol, volume and prices of a bar, in SQL: false or null where it has not. It is quick, for all
 * rows of all files: of prices that are too high to be added it says no, and {@link wrongBar} looks closer.
 */
export const SEEMS_RIGHT = `${IS_CODE} AND ${IS_VOLUME}
  AND least(${PRICES.join(", ")}) > 0 AND ${PRICES.join(" + ")} < 'infinity'`;

/**
 * What is wrong with the first bar of a file, by symbol, that no run writes: its symbol, its volume or its prices.
 * @param path of a file with the columns of bars.
 * @returns undefined where every bar is right.
 */
export async function wrongBar(engine: Engine, path: string): Promise<string | undefined> {
  const columns = await engine.query(`
    SELECT symbol, ${["volume", ...PRICES].map((name) => `coalesce(${name}::VARCHAR, 'null') AS ${name}`).join(", ")},
           coalesce(${IS_CODE}, false) AS is_code, coalesce(${IS_VOLUME}, false) AS is_volume
    FROM (SELECT * FROM ${parquetFiles([path])})
    WHERE NOT coalesce(${IS_CODE} AND ${IS_VOLUME} AND ${ARE_PRICES}, false)
    ORDER BY symbol LIMIT 1`);
  if (rowCount(columns) === 0) return undefined;
  const symbol = String(cellOf(columns, "symbol"));
  if (cellOf(columns, "is_code") !== true) {
    return `it has a bar of ${quote(symbol)}, which is no ASX code: 3 to 6 of A-Z and 0-9`;
  }
  if (cellOf(columns, "is_volume") !== true) {
    const volume = cellOf(columns, "volume");
    return `it has a bar of ${symbol} with volume ${volume}, not a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;
  }
  const prices = PRICES.map((name) => `${name} ${cellOf(columns, name)}`).join(", ");
  return `it has a bar of ${symbol} with ${prices}: a price is finite and above 0`;
}

function cellOf(columns: Columns, name: string): unknown {
  const column = columns.get(name);
  return column === undefined ? undefined : valueAt(column, 0);
}
