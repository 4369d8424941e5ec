/** A sample of the scenarios; `npm run chaos` plays as many as one has patience for. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { realDataPath } from "../support/real-data.ts";
import { catalogueOf, KIND_NAMES } from "./kinds.ts";
import { BrokenPromise } from "./oracle.ts";
import { playScenario } from "./scenario.ts";

/** The catalogue of failures lies beside the real data. */
const CATALOGUE = realDataPath("../FAILURES.md");

describe("the kinds of faults", () => {
  it("stand for more than forty failures of the catalogue", () => {
    expect(new Set(KIND_NAMES.flatMap(catalogueOf)).size).toBeGreaterThan(60);
  });

  it.skipIf(!existsSync(CATALOGUE))("name failures that the catalogue has", () => {
    const known = new Set([...readFileSync(CATALOGUE, "utf8").matchAll(/^\| ([A-Z]\d\d) \|/gm)].map(([, id]) => id));
    expect(KIND_NAMES.flatMap(catalogueOf).filter((id) => !known.has(id))).toEqual([]);
  });
});

describe("the promises hold through", () => {
  it.each(KIND_NAMES.map((kind, index) => [kind, index] as const))("%s", async (kind, seed) => {
    try {
      await playScenario([kind], seed);
    } catch (error) {
      if (!(error instanceof BrokenPromise)) throw error;
      expect.fail(`${error.message}\nreplay: npm run chaos -- --kind ${kind} --seed ${seed}`);
    }
  });
});

describe("a scenario", () => {
  it.each([
    ["run-killed", 3],
    ["store-stalls", 5],
    ["started-twice", 6],
    ["rate-limit", 8],
  ] as const)("of %s comes to the same bytes every time", async (kind, seed) => {
    const first = await playScenario([kind], seed);
    expect(await playScenario([kind], seed)).toEqual(first);
  });
});
