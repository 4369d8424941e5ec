import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { markFormula, unmarkFormula } from "../../domain/formula-text.ts";

describe("a text for a spreadsheet", () => {
  it.each(["=1+1", "+61", "-x", "@A1", "\t=1", " =1", "\u200b=1", "＝1", "\n", "'=1"])(
    "begins with an apostrophe: %j",
    (text) => {
      expect(markFormula(text)).toBe(`'${text}`);
    },
  );

  it.each(["BHP GROUP LIMITED", "", "3P LEARNING", "'quoted'", "a=b"])("is left as it is: %j", (text) => {
    expect(markFormula(text)).toBe(text);
  });

  it("comes back as it was", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom("'", "=", " ", "\t", "a") }),
    );
    fc.assert(
      fc.property(text, (any) => {
        expect(unmarkFormula(markFormula(any))).toBe(any);
      }),
      { numRuns: 1000 },
    );
  });
});
