/** `actions/YYYY.csv`: the corporate actions whose ex-dates lie in a year. */
import { parse } from "csv-parse/sync";
import * as z from "zod";
import { ACTION_KINDS, type CorporateAction, isActionValue } from "../domain/corporate-action.ts";
import { messageOf, StoredFileError } from "../domain/errors.ts";
import { actionsKey, actionsPrefix, parseActionsKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { asxSymbol, toSymbol } from "../domain/symbol.ts";
import { isTradingDate, tradingDate } from "../domain/trading-date.ts";

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

const HEADER = ACTIONS_CSV_COLUMNS.join(",");

const INSTANT = String.raw`(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)`;
/** A line as it is written: one that reads so needs no CSV library. */
const PLAIN_LINE = new RegExp(
  String.raw`^([A-Z0-9]{3,6}),(\d{4}-\d\d-\d\d),(dividend|split),(\d[\d.e+-]*),${INSTANT},${INSTANT},${INSTANT}?$`,
);

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
  // No value can hold anything that CSV has to quote.
  const lines = actions.map(({ symbol, exDate, kind, value, firstSeen, lastConfirmed, supersededAt }) => {
    const end = supersededAt === null ? "" : isoText(supersededAt);
    return `${symbol},${exDate},${kind},${value},${isoText(firstSeen)},${isoText(lastConfirmed)},${end}`;
  });
  return new TextEncoder().encode([HEADER, ...lines, ""].join("\n"));
}

/**
 * Reads an actions CSV back.
 * @throws StoredFileError that names the key.
 */
export function decodeActionsCsv(key: string, bytes: Uint8Array): CorporateAction[] {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const actions = readPlainLines(text) ?? readTable(text);
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

/** The rows of a text that is just as it is written, a fraction of the time a table takes; undefined where anything differs. */
function readPlainLines(text: string): CorporateAction[] | undefined {
  const [header, ...lines] = text.split("\n");
  if (header !== HEADER || lines.pop() !== "") return undefined;
  const actions: CorporateAction[] = [];
  for (const line of lines) {
    const [, symbol = "", exDate = "", kind, number, first = "", last = "", end] = PLAIN_LINE.exec(line) ?? [];
    const value = Number(number);
    const [firstSeen, lastConfirmed] = [Date.parse(first), Date.parse(last)];
    const supersededAt = end === undefined ? null : Date.parse(end);
    const isRight = toSymbol(symbol) === symbol && isTradingDate(exDate) && isActionValue(value);
    if (!isRight || !(firstSeen <= lastConfirmed) || Number.isNaN(supersededAt)) return undefined;
    if (kind !== ACTION_KINDS.dividend && kind !== ACTION_KINDS.split) return undefined;
    actions.push({ symbol, exDate, kind, value, firstSeen, lastConfirmed, supersededAt });
  }
  return actions;
}

/** The rows of any CSV. @throws RangeError that names the line. */
function readTable(text: string): CorporateAction[] {
  const table: unknown = parse(text);
  const [header, ...lines] = z.array(z.array(z.string())).parse(table);
  if (header?.join() !== HEADER) throw new RangeError(`its first line is not ${HEADER}`);
  return lines.map((line, index) => parseLine(line, index + 2));
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
