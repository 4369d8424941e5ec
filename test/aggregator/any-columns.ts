import fc from "fast-check";
import type { Column } from "../../aggregator/column.ts";

/** One column as a test knows it: its plain values, and the same as the library holds them. */
export interface KnownColumn {
  readonly values: readonly unknown[];
  readonly column: Column;
}

type Kind = Column["kind"];

const VALUES = {
  text: fc.oneof(
    fc.string(),
    fc.constantFrom("", "=1+1", "'", 'a "quoted", text', "two\nlines\r\n", "-5", " x ", "BHP"),
  ),
  number: fc.oneof(
    fc.double({ noNaN: true }),
    fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }),
    fc.integer({ min: 0, max: 10_000_000 }).map((price) => price / 1e4),
    fc.constantFrom(0, 1, -1, 0.1 + 0.2, 44.51, 99_999.9999, 1e21, 5e-324, 0.0001, 1e-7, 2 ** 31, 2 ** 53 - 1),
  ),
  bigint: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  date: fc.integer({ min: -25_000, max: 84_000 }),
  instant: fc.integer({ min: -2_000_000_000_000, max: 8_000_000_000_000 }),
  boolean: fc.boolean(),
  other: fc.oneof(fc.string({ minLength: 1 }), fc.array(fc.integer(), { maxLength: 3 })),
} as const satisfies Record<Kind, fc.Arbitrary<unknown>>;

const DAY_MS = 86_400_000;

function nullsOf(cells: readonly unknown[]): { nulls?: Uint8Array } {
  return cells.includes(null) ? { nulls: Uint8Array.from(cells, (cell) => (cell === null ? 1 : 0)) } : {};
}

function cells<T>(value: fc.Arbitrary<T>, length: number): fc.Arbitrary<(T | null)[]> {
  return fc.array(fc.option(value, { freq: 4 }), { minLength: length, maxLength: length });
}

/** The texts as codes in a dictionary in which one text may stand twice and one is used by no row. */
function known(kind: Kind, length: number): fc.Arbitrary<KnownColumn> {
  switch (kind) {
    case "text":
      return cells(VALUES.text, length).map((values) => {
        const dictionary = ["unused", ...values.filter((value) => value !== null)];
        let next = 1;
        const codes = Int32Array.from(values, (value) => (value === null ? -1 : next++));
        return { values, column: { kind, codes, dictionary } };
      });
    case "number":
      return cells(VALUES.number, length).map((values) => {
        const column = { kind, values: Float64Array.from(values, (value) => value ?? Number.NaN), ...nullsOf(values) };
        return { values, column };
      });
    case "bigint":
      return cells(VALUES.bigint, length).map((values) => {
        return {
          values,
          column: { kind, values: BigInt64Array.from(values, (value) => value ?? 0n), ...nullsOf(values) },
        };
      });
    case "date":
      return cells(VALUES.date, length).map((days) => {
        const values = days.map((day) => (day === null ? null : new Date(day * DAY_MS).toISOString().slice(0, 10)));
        return { values, column: { kind, values: Int32Array.from(days, (day) => day ?? 0), ...nullsOf(days) } };
      });
    case "instant":
      return cells(VALUES.instant, length).map((instants) => {
        const values = instants.map((instant) => (instant === null ? null : new Date(instant)));
        const column = { kind, values: Float64Array.from(instants, (at) => at ?? Number.NaN), ...nullsOf(instants) };
        return { values, column };
      });
    case "boolean":
      return cells(VALUES.boolean, length).map((values) => {
        return {
          values,
          column: { kind, values: Uint8Array.from(values, (value) => (value ? 1 : 0)), ...nullsOf(values) },
        };
      });
    case "other":
      return cells(VALUES.other, length).map((values) => ({ values, column: { kind, values } }));
  }
}

const kinds = fc.constantFrom<Kind[]>("text", "number", "bigint", "date", "instant", "boolean", "other");

/** Some columns of one length with names that are no two the same, names that JavaScript minds among them. */
export function knownColumns(maxRows = 30): fc.Arbitrary<Map<string, KnownColumn>> {
  const name = fc.oneof(
    fc.string({ minLength: 1 }),
    fc.constantFrom("__proto__", "constructor", "close", "avg(close)"),
  );
  const parts = fc.tuple(
    fc.nat(maxRows),
    fc.uniqueArray(fc.tuple(name, kinds), { selector: ([text]) => text, maxLength: 6 }),
  );
  return parts.chain(([length, columns]) =>
    fc
      .tuple(...columns.map(([text, kind]) => known(kind, length).map((column) => [text, column] as const)))
      .map((entries) => new Map(entries)),
  );
}

/** One column of any kind. */
export function knownColumn(maxRows = 30): fc.Arbitrary<KnownColumn> {
  return fc.tuple(fc.nat(maxRows), kinds).chain(([length, kind]) => known(kind, length));
}

/** The columns as the library takes them. */
export function columnsOfKnown(known: ReadonlyMap<string, KnownColumn>): Map<string, Column> {
  return new Map(Array.from(known, ([name, { column }]) => [name, column]));
}

/** How many rows the columns have. */
export function lengthOfKnown(known: ReadonlyMap<string, KnownColumn>): number {
  return known.values().next().value?.values.length ?? 0;
}
