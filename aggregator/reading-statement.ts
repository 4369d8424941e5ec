import {
  type DuckDBConnection,
  type DuckDBExtractedStatements,
  type DuckDBPreparedStatement,
  type DuckDBValue,
  StatementType,
} from "@duckdb/node-api";
import { InvalidInputError, messageOf } from "../domain/errors.ts";
import { beginsReading, doingFunction } from "./reading-sql.ts";

/** A value for a parameter `$1`, `$2` … of a query. Dates as `YYYY-MM-DD` text. */
export type QueryParameter = string | number | bigint | boolean | null;

/** Statements that give rows and change nothing. */
const READING: ReadonlySet<StatementType> = new Set([StatementType.SELECT, StatementType.EXPLAIN]);
const ONLY_READING =
  "only statements that read are run: SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW, EXPLAIN and the like";

/**
 * Parses a user's statement, and knows of no table yet.
 * @throws InvalidInputError where it does not parse, is more than one statement, or would change something.
 */
export async function extractReading(connection: DuckDBConnection, sql: string): Promise<DuckDBExtractedStatements> {
  if (/^(?:\s|--[^\n]*(?:\n|$)|;)*$/.test(sql)) throw new InvalidInputError("the query is empty; give a SELECT");
  const extracted = await connection.extractStatements(sql).catch((cause: unknown) => {
    throw new InvalidInputError(`the query does not parse: ${messageOf(cause)}`, { cause });
  });
  if (extracted.count !== 1) {
    throw new InvalidInputError(
      `give one statement; there are ${extracted.count} (a PIVOT counts as several unless it lists its values: IN (...))`,
    );
  }
  if (!beginsReading(sql)) throw new InvalidInputError(ONLY_READING);
  const doing = doingFunction(sql);
  if (doing !== undefined) throw new InvalidInputError(`${doing} does more than read, and is not run; leave it out`);
  return extracted;
}

/**
 * A user's statement that reads, with its values.
 * @throws InvalidInputError where it does not parse, is more than one statement, or would change something.
 */
export async function prepareReading(
  connection: DuckDBConnection,
  sql: string,
  parameters: readonly QueryParameter[],
): Promise<DuckDBPreparedStatement> {
  const extracted = await extractReading(connection, sql);
  const prepared = await extracted.prepare(0).catch((cause: unknown) => {
    throw new InvalidInputError(`the query cannot be prepared: ${messageOf(cause)}`, { cause });
  });
  try {
    if (!READING.has(prepared.statementType)) throw new InvalidInputError(ONLY_READING);
    if (prepared.parameterCount !== parameters.length) {
      throw new InvalidInputError(
        `the query has ${prepared.parameterCount} parameters, and ${parameters.length} values were given`,
      );
    }
    bindParameters(prepared, parameters);
    return prepared;
  } catch (error) {
    prepared.destroySync();
    throw error;
  }
}

/** Gives a statement its values. @throws InvalidInputError for a value of another type. */
export function bindParameters(prepared: DuckDBPreparedStatement, parameters: readonly QueryParameter[]): void {
  for (const [index, value] of parameters.entries()) {
    // A notebook need not be typed.
    if (value !== null && !["string", "number", "bigint", "boolean"].includes(typeof value)) {
      throw new InvalidInputError(
        `parameter $${index + 1} is ${describe(value)}; give text, a number, a boolean or null, and a date as YYYY-MM-DD`,
      );
    }
  }
  try {
    prepared.bind(parameters.map(bindable));
  } catch (cause) {
    throw new InvalidInputError(`the parameters cannot be used: ${messageOf(cause)}`, { cause });
  }
}

function describe(value: unknown): string {
  return value instanceof Date ? "a Date" : Array.isArray(value) ? "a list" : `of type ${typeof value}`;
}

/** Whole numbers are bound as such, so that they compare with dates, counts and prices alike. */
function bindable(value: QueryParameter): DuckDBValue {
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
}
