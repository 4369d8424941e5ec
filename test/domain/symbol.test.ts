import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asxSymbol, compareSymbols, fromTicker, toTicker } from "../../domain/symbol.ts";

const codes = fc.stringMatching(/^[A-Z0-9]{3,6}$/);

describe("an ASX code", () => {
  it.each(["BHP", "14D", "360", "NAN", "INF", "TRU", "A200", "CBAPJ", "ABCDEF", "000"])("may be %s", (code) => {
    expect(asxSymbol.parse(code)).toBe(code);
  });

  it.each([
    ["empty", ""],
    ["two characters", "BH"],
    ["seven characters", "ABCDEFG"],
    ["lower case", "bhp"],
    ["a ticker", "BHP.AX"],
    ["a space at its end", "BHP "],
    ["a line break at its end", "BHP\n"],
    ["a line break at its start", "\nBHP"],
    ["a path", "../BHP"],
    ["letters that only look like A-Z", "ＢＨＰ"],
    ["a number", 360],
    ["not a number", Number.NaN],
    ["null", null],
    ["a list of a code", ["BHP"]],
  ])("is not %s", (_, value) => {
    expect(asxSymbol.safeParse(value).success).toBe(false);
  });

  it("is refused with a message that says what is expected", () => {
    expect(() => asxSymbol.parse("bhp")).toThrow(/3 to 6 of A-Z and 0-9/);
  });
});

describe("a ticker", () => {
  it("is the code with the suffix .AX", () => {
    expect(toTicker("BHP")).toBe("BHP.AX");
    expect(fromTicker("BHP.AX")).toBe("BHP");
  });

  it("gives its code back, whatever the code", () => {
    fc.assert(
      fc.property(codes, (code) => {
        expect(fromTicker(toTicker(code))).toBe(code);
      }),
    );
  });

  it("is built from no text but a code", () => {
    for (const text of ["bhp", "BHP.AX", "", "../x"]) expect(() => toTicker(text)).toThrow(/ASX code/);
  });

  it.each(["BHP", "BHP.L", "BHP.ax", "bhp.AX", ".AX", "BH.AX", "BHP.AX.AX", "BHP.AX ", "BHPxAX", "^AXJO", ""])(
    "%j names no stock of the ASX",
    (ticker) => {
      expect(fromTicker(ticker)).toBeUndefined();
    },
  );

  it("has a code only where building it again gives the same ticker", () => {
    const tickers = fc.string({ unit: fc.constantFrom("A", "X", "9", ".", "x"), maxLength: 10 });
    fc.assert(
      fc.property(tickers, (ticker) => {
        const code = fromTicker(ticker);
        if (code !== undefined) expect(toTicker(code)).toBe(ticker);
      }),
    );
  });
});

describe("the order of symbols", () => {
  it("puts digits before letters and a short code before its extensions", () => {
    expect(["CBAPJ", "BHP", "CBA", "A200", "14D", "360"].sort(compareSymbols)).toEqual([
      "14D",
      "360",
      "A200",
      "BHP",
      "CBA",
      "CBAPJ",
    ]);
  });

  it("goes by character codes, not by a locale", () => {
    expect(["a", "B", "é", "Z"].sort(compareSymbols)).toEqual(["B", "Z", "a", "é"]);
  });

  it("is a total order", () => {
    fc.assert(
      fc.property(codes, codes, codes, (a, b, c) => {
        expect(compareSymbols(a, a)).toBe(0);
        expect(compareSymbols(a, b) === 0).toBe(a === b);
        expect(compareSymbols(a, b) + compareSymbols(b, a)).toBe(0);
        if (compareSymbols(a, b) < 0 && compareSymbols(b, c) < 0) expect(compareSymbols(a, c)).toBeLessThan(0);
      }),
    );
  });
});
