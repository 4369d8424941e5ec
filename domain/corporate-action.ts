/** Dividends and splits as the provider gave them over time, told together from any number of its answers. */
import type { DateSpan } from "./date-span.ts";
import { type Split, splitFactor } from "./split-basis.ts";

/** What a corporate action can be. */
export const ACTION_KINDS = {
  /** AUD a share. */
  dividend: "dividend",
  /** New shares for one old. */
  split: "split",
} as const;
export type ActionKind = (typeof ACTION_KINDS)[keyof typeof ACTION_KINDS];

/**
 * A value that the provider gave for an ex-date. Instants are in milliseconds since 1970.
 *
 * A dividend's value counts in the shares of `lastConfirmed`: the provider rescales old amounts when a split takes effect,
 * and the newest observation's amount is the one that is kept.
 */
export interface CorporateAction {
  readonly symbol: string;
  /** `YYYY-MM-DD`, Sydney. */
  readonly exDate: string;
  readonly kind: ActionKind;
  readonly value: number;
  /** The oldest and the newest answer that had this value. */
  readonly firstSeen: number;
  readonly lastConfirmed: number;
  /**
   * Null while it holds. Otherwise when another value came in its place; where none did, the newest answer without it.
   */
  readonly supersededAt: number | null;
}

/** What one answer of the provider says of a symbol's actions. */
export interface ActionsAnswer {
  readonly symbol: string;
  /** First and last date asked for: on them, an action that the answer does not have is not there any more. */
  readonly span: DateSpan;
  /** In milliseconds since 1970. */
  readonly answeredAt: number;
  /** AUD a share by ex-date; undefined where the answer has something that cannot be read, which tells nothing. */
  readonly dividends: ReadonlyMap<string, number | undefined>;
  /** New shares for one old, by ex-date. */
  readonly splits: ReadonlyMap<string, number | undefined>;
}

/** Values that differ by less, relative to themselves, are one: the provider's arithmetic is not exact. */
const VALUE_NOISE = 1e-6;
/** A rescaled amount is rounded to so much of a dollar by the provider. */
const RESCALED_NOISE = 1e-6;

interface SeenValue {
  value: number;
  first: number;
  last: number;
}

/** What is known of one symbol's actions of a kind on an ex-date. */
interface ExDate {
  readonly kind: ActionKind;
  readonly exDate: string;
  values: SeenValue[];
  /** The newest answer that says anything of it, be it that there is nothing. */
  newest: number;
}

/** Whether two values of an action are one but for the provider's arithmetic. */
export function isSameValue(known: number, value: number): boolean {
  return Math.abs(known - value) <= VALUE_NOISE * known;
}

/** Whether a value can be an amount or a ratio. */
export function isActionValue(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

/**
 * What is known after some answers more. The same answers give the same whatever their order, and however often they come:
 * the newest decides what holds. One thing leaves no trace: an answer without an action that nobody knew of yet. Where an
 * older answer with that action comes later, it holds until the next answer without it.
 *
 * An amount that equals a known one rescaled by the splits between them is the same dividend.
 * @param known as this function gave it, of these symbols; of others it is handed on. Splits of later years belong to it.
 * @returns in order of symbol, ex-date, kind and first observation.
 */
export function observeActions(
  known: readonly CorporateAction[],
  answers: readonly ActionsAnswer[],
): CorporateAction[] {
  const symbols = new Map<string, Map<string, ExDate>>();
  for (const action of known) {
    const entry = entryOf(symbols, action);
    entry.values.push({ value: action.value, first: action.firstSeen, last: action.lastConfirmed });
    entry.newest = Math.max(entry.newest, action.lastConfirmed, action.supersededAt ?? 0);
  }
  for (const { symbol, answeredAt, dividends, splits } of answers) {
    for (const [kind, events] of [
      [ACTION_KINDS.dividend, dividends],
      [ACTION_KINDS.split, splits],
    ] as const) {
      for (const [exDate, value] of events) {
        if (!isActionValue(value)) continue;
        const entry = entryOf(symbols, { symbol, exDate, kind });
        entry.values.push({ value, first: answeredAt, last: answeredAt });
        entry.newest = Math.max(entry.newest, answeredAt);
      }
    }
  }
  for (const { symbol, span, answeredAt, dividends, splits } of answers) {
    for (const entry of symbols.get(symbol)?.values() ?? []) {
      const events = entry.kind === ACTION_KINDS.dividend ? dividends : splits;
      const isSilent = entry.exDate < span.from || entry.exDate > span.to || events.has(entry.exDate);
      if (!isSilent) entry.newest = Math.max(entry.newest, answeredAt);
    }
  }
  return [...symbols].flatMap(([symbol, entries]) => settle(symbol, [...entries.values()])).sort(compareActions);
}

/** Those that hold. */
export function actionsThatHold(actions: readonly CorporateAction[]): CorporateAction[] {
  return actions.filter(({ supersededAt }) => supersededAt === null);
}

function entryOf(
  symbols: Map<string, Map<string, ExDate>>,
  { symbol, exDate, kind }: Pick<CorporateAction, "symbol" | "exDate" | "kind">,
): ExDate {
  const entries = symbols.get(symbol) ?? new Map<string, ExDate>();
  symbols.set(symbol, entries);
  const name = `${kind} ${exDate}`;
  const entry = entries.get(name) ?? { kind, exDate, values: [], newest: 0 };
  entries.set(name, entry);
  return entry;
}

function settle(symbol: string, entries: readonly ExDate[]): CorporateAction[] {
  const splits: Split[] = [];
  for (const entry of entries.filter(({ kind }) => kind === ACTION_KINDS.split)) {
    entry.values = unite(entry.values, () => 1);
    const holding = holdingValue(entry);
    if (holding !== undefined) splits.push({ exDate: entry.exDate, ratio: holding.value });
  }
  for (const entry of entries.filter(({ kind }) => kind === ACTION_KINDS.dividend)) {
    entry.values = unite(entry.values, ({ last }) => splitFactor(splits, entry.exDate, last));
  }
  return entries.flatMap((entry) => actionsOf(symbol, entry));
}

/** Makes one of the values that are the same, on the basis that dividing by the factor puts them on. */
function unite(values: readonly SeenValue[], factorOf: (value: SeenValue) => number): SeenValue[] {
  const onOneBasis = values.map((seen) => ({ seen, factor: factorOf(seen) }));
  const ordered = onOneBasis.sort((a, b) => a.seen.value / a.factor - b.seen.value / b.factor);
  const united: { seen: SeenValue; factor: number; base: number }[] = [];
  for (const { seen, factor } of ordered) {
    const base = seen.value / factor;
    const before = united.at(-1);
    const noise = VALUE_NOISE * base + (factor === before?.factor ? 0 : RESCALED_NOISE);
    if (before === undefined || base - before.base > noise) {
      united.push({ seen: { ...seen }, factor, base });
      continue;
    }
    const isNewer = seen.last >= before.seen.last;
    const { value } = isNewer ? seen : before.seen;
    before.seen = {
      ...{ value, first: Math.min(seen.first, before.seen.first) },
      last: Math.max(seen.last, before.seen.last),
    };
    if (isNewer) before.factor = factor;
  }
  return united.map(({ seen }) => seen);
}

/** The value that the newest answer had; undefined where it had none. Of two of one instant the greater. */
function holdingValue({ values, newest }: ExDate): SeenValue | undefined {
  return values.filter(({ last }) => last === newest).sort((a, b) => b.value - a.value)[0];
}

function actionsOf(symbol: string, entry: ExDate): CorporateAction[] {
  const holding = holdingValue(entry);
  return entry.values.map((seen): CorporateAction => {
    const others = entry.values.filter((other) => other !== seen).flatMap(({ first, last }) => [first, last]);
    const later = others.filter((instant) => instant > seen.last);
    return {
      ...{ symbol, exDate: entry.exDate, kind: entry.kind, value: seen.value },
      ...{ firstSeen: seen.first, lastConfirmed: seen.last },
      supersededAt: seen === holding ? null : Math.min(entry.newest, ...later),
    };
  });
}

/** The order of a table of actions: by symbol, ex-date, kind and first observation. */
export function compareActions(a: CorporateAction, b: CorporateAction): number {
  return (
    compare(a.symbol, b.symbol) ||
    compare(a.exDate, b.exDate) ||
    compare(a.kind, b.kind) ||
    a.firstSeen - b.firstSeen ||
    a.value - b.value
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
