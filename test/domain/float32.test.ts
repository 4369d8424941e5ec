import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shortestFloat32 } from "../../domain/float32.ts";

/** The 32-bit float of a bit pattern, so that subnormals and powers of two come up as often as prices. */
function ofBits(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits);
  return view.getFloat32(0);
}

const finiteFloats = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }).map(ofBits).filter(Number.isFinite),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ min: Math.fround(0.001), max: 100_000, noNaN: true }),
);

/** Significant decimal digits of a number as JavaScript prints it. */
function digitsOf(value: number): number {
  return mantissaOf(value.toExponential()).length;
}

function mantissaOf(exponential: string): string {
  return exponential.replace(/e.*$/, "").replaceAll(/[^0-9]/g, "");
}

/**
 * A decimal of that many digits that denotes the float, if there is one. At a power of two the floats
 * below lie closer than those above, so that it need not be the decimal nearest to it.
 */
function decimalOf(value: number, digits: number): number | undefined {
  const nearest = Math.abs(value).toExponential(digits - 1);
  const mantissa = Number(mantissaOf(nearest));
  const exponent = Number(nearest.slice(nearest.indexOf("e") + 1)) - (digits - 1);
  return [mantissa, mantissa - 1, mantissa + 1]
    .map((candidate) => Math.sign(value) * Number(`${candidate}e${exponent}`))
    .find((candidate) => Math.fround(candidate) === value);
}

function expectShortest(value: number): void {
  const shortest = shortestFloat32(value);
  expect(Math.fround(shortest) === value, `${shortest} denotes ${value}`).toBe(true);
  for (let digits = 1; digits < digitsOf(shortest); digits += 1) {
    expect(decimalOf(value, digits), `a shorter decimal than ${shortest} for ${value}`).toBeUndefined();
  }
}

describe("the shortest decimal of a 32-bit float", () => {
  it.each([
    [30.385000228881836, 30.385],
    [42.7400016784668, 42.74],
    [0.0010000000474974513, 0.001],
    [0.004999999888241291, 0.005],
    [0.10000000149011612, 0.1],
    [1.5, 1.5],
    [16_777_216, 16_777_216],
    [-30.385000228881836, -30.385],
    [3.4028234663852886e38, 3.4028235e38],
    [1.401298464324817e-45, 1e-45],
    [0, 0],
  ])("of %d is %d", (wide, shortest) => {
    expect(shortestFloat32(wide)).toBe(shortest);
  });

  it("denotes the same float, and no decimal with fewer digits does", () => {
    fc.assert(fc.property(finiteFloats, expectShortest), { numRuns: 3_000 });
  });

  it("is as short as can be for a price from a tenth of a cent to a million, at powers of two too", () => {
    for (let exponent = -10; exponent <= 20; exponent += 1) expectShortest(2 ** exponent);
  });

  it("gives a price of six digits back as it was before it was a float", () => {
    const units = fc.integer({ min: 1, max: 999_999 });
    fc.assert(
      fc.property(units, fc.constantFrom(1, 100, 1_000, 10_000), (count, scale) => {
        expect(shortestFloat32(Math.fround(count / scale))).toBe(count / scale);
      }),
    );
  });

  it("stays as it is when taken twice", () => {
    fc.assert(
      fc.property(finiteFloats, (value) => {
        const once = shortestFloat32(value);
        expect(shortestFloat32(once)).toBe(once);
      }),
    );
  });
});

describe("a number that is no 32-bit float", () => {
  it.each([30.385, 0.1, 1e300, 16_777_217, 5e-324, Number.NaN, Infinity, -Infinity])(
    "comes back as it is: %d",
    (value) => {
      expect(shortestFloat32(value)).toBe(value);
    },
  );

  it("comes back as it is, whatever it is", () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        fc.pre(Math.fround(value) !== value);
        expect(shortestFloat32(value)).toBe(value);
      }),
    );
  });
});
