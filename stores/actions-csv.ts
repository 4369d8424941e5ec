/** `actions/YYYY.csv`: the corporate actions whose ex-dates lie in a year. */
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import * as z from "zod";
import { ACTION_KINDS, type CorporateAction, isActionValue } from "../domain/corporate-action.ts";
import { messageOf, StoredFileError } from "../domain/errors.ts";
import { actionsKey, actionsPrefix, parseActionsKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { asxSymbol } from "../domain/symbol.ts";
import { tradingDate } from "../domain/trading-date.ts";

/** The columns of an actions CSV, in their order. */
export const ACTIONS_CSV_COLUMNS = [
  "symbol",
  "ex_date",
  "kind",
  "value",
  "first_seen",
  "last_confirmed",
  "superseded_at",
] as const;

const instant = z.iso.datetime().transform((text) => Date.parse(text));

const csvRow = z
  .object({
    symbol: asxSymbol,
    ex_date: tradingDate,
    kind: z.enum(ACTION_KINDS),
    value: z
      .string()
      .regex(/^\d/, "expected a number above 0")
      .transform(Number)
      .refine(isActionValue, "expected a number above 0"),
    first_seen: instant,
    last_confirmed: instant,
    superseded_at: z.union([z.literal("").transform(() => null), instant]),
  })
  .transform(
    (row): CorporateAction => ({
      symbol: row.symbol,
      exDate: row.ex_date,
      kind: row.kind,
      value: row.value,
      firstSeen: row.first_seen,
      lastConfirmed: row.last_confirmed,
      supersededAt: row.superseded_at,
    }),
  )
  .refine(({ firstSeen, lastConfirmed }) => firstSeen <= lastConfirmed, "expected first_seen before last_confirmed");

/** The actions of a year, and the version of their file; undefined where there is none. */
export interface StoredActions {
  readonly key: string;
  readonly version: string | undefined;
  readonly actions: readonly CorporateAction[];
}

/** The year of ex-dates whose file an action belongs in. */
export function yearOf({ exDate }: Pick<CorporateAction, "exDate">): string {
  return exDate.slice(0, 4);
}

/** An actions CSV: a header, one line a value in the order given. Instants are ISO 8601 in UTC. */
export function encodeActionsCsv(actions: readonly CorporateAction[]): Uint8Array {
  const rows = actions.map(({ symbol, exDate, kind, value, firstSeen, lastConfirmed, supersededAt }) => [
    ...[symbol, exDate, kind, String(value)],
    ...[isoText(firstSeen), isoText(lastConfirmed), supersededAt === null ? "" : isoText(supersededAt)],
  ]);
  return new TextEncoder().encode(stringify([[...ACTIONS_CSV_COLUMNS], ...rows]));
}

/**
 * Reads an actions CSV back.
 * @throws StoredFileError that names the key.
 */
export function decodeActionsCsv(key: string, bytes: Uint8Array): CorporateAction[] {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const table: unknown = parse(text);
    const [header, ...lines] = z.array(z.array(z.string())).parse(table);
    if (header?.join() !== ACTIONS_CSV_COLUMNS.join()) {
      throw new RangeError(`its first line is not ${ACTIONS_CSV_COLUMNS.join()}`);
    }
    const actions = lines.map((line, index) => parseLine(line, index + 2));
    const stray = actions.find((action) => yearOf(action) !== parseActionsKey(key));
    if (stray !== undefined) throw new RangeError(`${stray.symbol} has an ex-date of another year, ${stray.exDate}`);
    return actions;
  } catch (cause) {
    throw new StoredFileError(
      `${key} is damaged or no table of corporate actions: ${messageOf(cause)}; restore an earlier version of it, or make it again with asx actions --rebuild`,
      { cause },
    );
  }
}

/**
 * The actions of a year as they are stored.
 * @throws StoredFileError where the file is damaged.
 */
export async function readStoredActions(store: ObjectStore, year: string): Promise<StoredActions> {
  const key = actionsKey(year);
  const stored = await store.read(key);
  return { key, version: stored?.version, actions: stored === undefined ? [] : decodeActionsCsv(key, stored.bytes) };
}

/** The years that have a file of actions, ascending. */
export async function storedActionYears(store: ObjectStore): Promise<string[]> {
  const years = (await store.list(actionsPrefix)).map(({ key }) => parseActionsKey(key));
  return years.filter((year) => year !== undefined);
}

function parseLine(line: readonly string[], number: number): CorporateAction {
  const cells = Object.fromEntries(ACTIONS_CSV_COLUMNS.map((column, index) => [column, line[index]]));
  const parsed = csvRow.safeParse(cells);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const column = issue?.path.join(".") || "the row";
  throw new RangeError(`line ${number}: ${column}: ${issue?.message}`);
}

function isoText(instantMs: number): string {
  return new Date(instantMs).toISOString();
}
