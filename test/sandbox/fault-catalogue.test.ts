import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FAULT_GROUPS, FAULT_NAMES, FAULTS } from "../../sandbox/faults.ts";
import { hasRealData, realDataPath } from "../support/real-data.ts";

/** The catalogue of failures lies beside the real data. */
const CATALOGUE = realDataPath("../FAILURES.md");

describe("the faults", () => {
  it("stand for forty kinds of failure and more, at least thirty of the price provider's", () => {
    const ids = new Set(FAULT_NAMES.flatMap((name) => FAULTS[name].catalogue));
    expect(ids.size).toBeGreaterThan(60);
    expect([...ids].filter((id) => id.startsWith("Y")).length).toBeGreaterThan(30);
  });

  it.skipIf(!hasRealData)("name failures that the catalogue has", () => {
    expect(existsSync(CATALOGUE)).toBe(true);
    const known = new Set([...readFileSync(CATALOGUE, "utf8").matchAll(/^\| ([A-Z]\d\d) \|/gm)].map(([, id]) => id));
    const unknown = FAULT_NAMES.flatMap((name) => FAULTS[name].catalogue).filter((id) => !known.has(id));
    expect(unknown).toEqual([]);
  });

  it("each have a name of their own, a failure they stand for and a line for people", () => {
    const named = FAULT_GROUPS.flatMap(({ faults }) => Object.keys(faults));
    expect(named).toEqual([...FAULT_NAMES]);
    for (const name of FAULT_NAMES) {
      expect(name).toMatch(/^[a-z-]+$/);
      expect(FAULTS[name].catalogue.length).toBeGreaterThan(0);
      expect(FAULTS[name].description).toMatch(/^[^\n]{10,110}$/);
    }
  });
});
