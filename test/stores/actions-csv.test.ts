import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CorporateAction } from "../../domain/corporate-action.ts";
import { StoredFileError } from "../../domain/errors.ts";
import { decodeActionsCsv, encodeActionsCsv, readStoredActions, storedActionYears } from "../../stores/actions-csv.ts";
import { createMemoryStore } from "../support/memory-store.ts";

const KEY = "actions/2024.csv";
const HEADER = "symbol,ex_date,kind,value,first_seen,last_confirmed,superseded_at";
const ROW = "BHP,2024-03-07,dividend,1.1,2024-03-07T08:00:00.000Z,2024-05-01T08:00:00.000Z,";

const bytesOf = (...lines: string[]): Uint8Array => new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));

describe("an actions CSV", () => {
  it("is a line a value", () => {
    const action: CorporateAction = {
      ...{ symbol: "BHP", exDate: "2024-03-07", kind: "dividend", value: 1.1 },
      firstSeen: Date.parse("2024-03-07T08:00:00Z"),
      lastConfirmed: Date.parse("2024-05-01T08:00:00Z"),
      supersededAt: null,
    };
    expect(new TextDecoder().decode(encodeActionsCsv([action]))).toBe(`${HEADER}\n${ROW}\n`);
  });

  it("gives back what was written", () => {
    const instant = fc.integer({ min: 0, max: 4_000_000_000_000 });
    const action = fc
      .record({
        symbol: fc.constantFrom("BHP", "14D", "CBAPL"),
        exDate: fc.constantFrom("2024-01-02", "2024-12-31"),
        kind: fc.constantFrom("dividend" as const, "split" as const),
        value: fc.double({ min: Number.MIN_VALUE, max: 1e300, noNaN: true }),
        seen: fc.tuple(instant, instant),
        supersededAt: fc.option(instant),
      })
      .map(({ seen, ...rest }) => ({ ...rest, firstSeen: Math.min(...seen), lastConfirmed: Math.max(...seen) }));
    fc.assert(
      fc.property(fc.array(action), (actions) => {
        expect(decodeActionsCsv(KEY, encodeActionsCsv(actions))).toEqual(actions);
      }),
    );
  });

  it.each([
    ["", "its first line is not"],
    [HEADER.replace("value", "amount"), "its first line is not"],
    [`${HEADER}\nBHP,2024-03-07`, "Invalid Record Length"],
    [`${HEADER}\n${ROW.replace("1.1", "=1")}`, "line 2: value: expected a number above 0"],
    [`${HEADER}\n${ROW.replace("1.1", "0")}`, "line 2: value: expected a number above 0"],
    [`${HEADER}\n${ROW.replace("1.1", "1.1x")}`, "line 2: value: expected a number above 0"],
    [`${HEADER}\n${ROW.replace("BHP", "bhp'")}`, "line 2: symbol"],
    [`${HEADER}\n${ROW.replace("dividend", "gift")}`, "line 2: kind"],
    [`${HEADER}\n${ROW.replace("2024-03-07,", "2024-02-30,")}`, "line 2: ex_date"],
    [`${HEADER}\n${ROW.replace("2024-03-07,", "2023-03-07,")}`, "BHP has an ex-date of another year, 2023-03-07"],
    [`${HEADER}\n${ROW.replace("2024-05-01T", "2024-02-01T")}`, "expected first_seen before last_confirmed"],
    [`${HEADER}\n${ROW}yesterday`, "line 2: superseded_at"],
  ])("that is damaged (%j) is named, with the reason", (text, reason) => {
    const decode = () => decodeActionsCsv(KEY, new TextEncoder().encode(text));
    expect(decode).toThrow(StoredFileError);
    expect(decode).toThrow(`${KEY} is damaged or no table of corporate actions: `);
    expect(decode).toThrow(reason);
    expect(decode).toThrow("asx actions --rebuild");
  });

  it("that another program wrote is read too: quotes, other line ends, seconds without a fraction", () => {
    const text = `${HEADER}\r\n${ROW.replace("BHP", '"BHP"').replaceAll(".000Z", "Z")}\r\n`;
    const own = decodeActionsCsv(KEY, bytesOf(HEADER, ROW));
    expect(decodeActionsCsv(KEY, new TextEncoder().encode(text))).toEqual(own);
    expect(own).toHaveLength(1);
  });

  it("that is no text is damaged", () => {
    expect(() => decodeActionsCsv(KEY, new Uint8Array([0xff, 0xfe, 0x00]))).toThrow(StoredFileError);
  });

  it("is found by its year, and read with its version", async () => {
    const store = createMemoryStore();
    expect(await readStoredActions(store, "2024")).toEqual({ key: KEY, version: undefined, actions: [] });
    await store.put(KEY, bytesOf(HEADER, ROW));
    await store.put("actions/notes.txt", bytesOf("not ours"));
    expect(await storedActionYears(store)).toEqual(["2024"]);
    const { version, actions } = await readStoredActions(store, "2024");
    expect([version, actions.length]).toEqual([expect.any(String), 1]);
  });
});
