import { tableFromIPC, tableToIPC } from "apache-arrow";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Table } from "../../aggregator/table.ts";
import { columnsOfKnown, knownColumns } from "./any-columns.ts";

const DAY_MS = 86_400_000;

/** What Arrow gives for a value: dates and instants in milliseconds since 1970, lists as JSON. */
function inArrow(value: unknown, kind: string): unknown {
  if (value instanceof Date) return value.getTime();
  if (kind === "date" && typeof value === "string") return Date.parse(value);
  return Array.isArray(value) ? JSON.stringify(value) : value;
}

/** Valid UTF-8 has no half of a pair of UTF-16. */
const wellFormed = knownColumns().filter((known) =>
  [...known].every(([name, { values }]) =>
    [name, ...values].every((value) => typeof value !== "string" || value.isWellFormed()),
  ),
);

describe("a table in Arrow", () => {
  it("has the types that the columns' kinds stand for", async () => {
    const table = new Table(
      new Map([
        ["symbol", { kind: "text", codes: Int32Array.of(0, -1), dictionary: ["BHP"] }],
        ["date", { kind: "date", values: Int32Array.of(19_874, 0), nulls: Uint8Array.of(0, 1) }],
        ["close", { kind: "number", values: Float64Array.of(44.51, Number.NaN), nulls: Uint8Array.of(0, 1) }],
        ["shares", { kind: "bigint", values: BigInt64Array.of(2n ** 60n, 1n) }],
        ["at", { kind: "instant", values: Float64Array.of(1_717_148_400_123, Number.NaN), nulls: Uint8Array.of(0, 1) }],
        ["listed", { kind: "boolean", values: Uint8Array.of(1, 0) }],
        ["list", { kind: "other", values: [[1, 2], null] }],
      ]),
    );
    const arrow = await table.toArrow();
    expect(arrow.schema.fields.map((field) => `${field.name} ${field.type}`)).toEqual([
      "symbol Dictionary<Int32, Utf8>",
      "date Date32<DAY>",
      "close Float64",
      "shares Int64",
      "at Timestamp<MILLISECOND, UTC>",
      "listed Bool",
      "list Utf8",
    ]);
    expect(arrow.get(0)?.toJSON()).toEqual({
      symbol: "BHP",
      date: 19_874 * DAY_MS,
      close: 44.51,
      shares: 2n ** 60n,
      at: 1_717_148_400_123,
      listed: true,
      list: "[1,2]",
    });
    expect(arrow.get(1)?.toJSON()).toEqual({
      symbol: null,
      date: null,
      close: null,
      shares: 1n,
      at: null,
      listed: false,
      list: null,
    });
  });

  it("has a code of the dictionary under a null too, for readers that look before they ask", async () => {
    const symbol = { kind: "text", codes: Int32Array.of(-1, 1, 0), dictionary: ["BHP", "CBA"] } as const;
    const arrow = await new Table(new Map([["symbol", symbol]])).toArrow();
    expect(arrow.getChildAt(0)?.data[0]?.values).toEqual(Int32Array.of(0, 1, 0));
    expect([...(arrow.getChildAt(0) ?? [])]).toEqual([null, "CBA", "BHP"]);
  });

  it("keeps nulls and booleans of many rows in their places", async () => {
    const length = 1_000;
    const nulls = Uint8Array.from({ length }, (_, row) => (row % 3 === 0 ? 1 : 0));
    const values = Uint8Array.from({ length }, (_, row) => (row % 7 === 0 ? 1 : 0));
    const table = new Table(new Map([["x", { kind: "boolean", values, nulls }]]));
    expect([...((await table.toArrow()).getChildAt(0) ?? [])]).toEqual(table.values("x"));
  });

  it("reads back the same after it crossed as a stream, whatever it holds", async () => {
    await fc.assert(
      fc.asyncProperty(wellFormed, async (known) => {
        const arrow = tableFromIPC(tableToIPC(await new Table(columnsOfKnown(known)).toArrow()));
        expect(arrow.schema.fields.map(({ name }) => name)).toEqual([...known.keys()]);
        [...known.values()].forEach(({ values, column }, position) => {
          const read = [...(arrow.getChildAt(position) ?? [])];
          expect(read).toEqual(values.map((value) => inArrow(value, column.kind)));
        });
      }),
    );
  });
});
