import fc from "fast-check";
import { expect, it } from "vitest";
import { TextInterner } from "../../aggregator/text-interner.ts";

const encoder = new TextEncoder();

/** Texts of up to 12 bytes as the engine's vectors hold them; the words of a null are what was there before. */
function vectorOf(texts: readonly (string | null)[]): { vector: Uint8Array; validity: Uint8Array } {
  const vector = new Uint8Array(texts.length * 16);
  const validity = new Uint8Array(Math.ceil(texts.length / 64) * 8);
  for (const [row, text] of texts.entries()) {
    if (text === null) {
      vector.fill(0x7f, row * 16, row * 16 + 16); // a length of 2 GB and a pointer to nowhere
      continue;
    }
    const bytes = encoder.encode(text);
    new DataView(vector.buffer).setInt32(row * 16, bytes.length, true);
    vector.set(bytes, row * 16 + 4);
    validity[row >> 3] = (validity[row >> 3] ?? 0) | (1 << (row & 7));
  }
  return { vector, validity };
}

const short = fc
  .string({ unit: "grapheme", maxLength: 12 })
  .filter((text) => text.isWellFormed() && encoder.encode(text).length <= 12);

it("gives each text one code, and -1 to what is null, vector after vector", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.option(short), { maxLength: 70 }), { maxLength: 4 }), (vectors) => {
      const interner = new TextInterner();
      const codes = new Int32Array(vectors.flat().length);
      let offset = 0;
      for (const texts of vectors) {
        const { vector, validity } = vectorOf(texts);
        interner.intern(vector, texts.length, codes, offset, validity);
        offset += texts.length;
      }
      expect(Array.from(codes, (code) => (code === -1 ? null : interner.dictionary[code]))).toEqual(vectors.flat());
      expect(new Set(interner.dictionary).size).toBe(interner.dictionary.length);
    }),
  );
});

it("tells tens of thousands of texts apart, of one length or another with zeros behind", () => {
  const texts = Array.from({ length: 30_000 }, (_, at) => (at % 2 === 0 ? `${at}` : `${at}\0`));
  const interner = new TextInterner();
  const codes = new Int32Array(2 * texts.length);
  const { vector } = vectorOf(texts);
  interner.intern(vector, texts.length, codes, 0);
  interner.intern(vector, texts.length, codes, texts.length, null);
  expect(interner.dictionary).toEqual(texts);
  expect(codes.subarray(texts.length)).toEqual(codes.subarray(0, texts.length));
});
