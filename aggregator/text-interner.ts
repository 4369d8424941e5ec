import duckdb from "@duckdb/node-bindings";

/** Words of 32 bits that the engine keeps for a text: its length, then its bytes where they are few, else a prefix and a pointer. */
const WORDS = 4;
/** Bytes of a text that stand in its words; of a longer one they hold a prefix of four, and a pointer. */
const INLINE_BYTES = 12;
const POINTER_OFFSET = 8;

/**
 * Gives each different text of a column a number, its code. Short texts are compared in the engine's own form, so that one
 * that comes a million times is decoded once.
 */
export class TextInterner {
  /** The texts by their codes. */
  readonly dictionary: string[] = [];
  readonly #decoder = new TextDecoder("utf-8");
  readonly #codeOfLong = new Map<string, number>();
  /** The words of each short text, by code. */
  #words = new Int32Array(WORDS * 4096);
  /** Open addressing: a code and 1, or 0 where the place is free. At most half is in use. */
  #places = new Int32Array(8192);

  /**
   * Writes the codes of a vector's rows to `codes` from `offset` on.
   * @param validity a bit a row, 0 where it is null, which gets -1: its words are whatever was there before, a pointer too.
   */
  intern(vector: Uint8Array, rows: number, codes: Int32Array, offset: number, validity?: Uint8Array | null): void {
    const words = new Int32Array(vector.buffer, vector.byteOffset, rows * WORDS);
    let length = -1;
    let first = 0;
    let second = 0;
    let third = 0;
    let code = 0;
    for (let row = 0, at = 0; row < rows; row += 1, at += WORDS) {
      if (validity && ((validity[row >> 3] ?? 0xff) & (1 << (row & 7))) === 0) {
        codes[offset + row] = -1;
        continue;
      }
      if (words[at] !== length || words[at + 1] !== first || words[at + 2] !== second || words[at + 3] !== third) {
        length = words[at] ?? 0;
        first = words[at + 1] ?? 0;
        second = words[at + 2] ?? 0;
        third = words[at + 3] ?? 0;
        const isShort = length >= 0 && length <= INLINE_BYTES;
        code = isShort ? this.#short(length, first, second, third) : this.#long(vector, at * 4, length);
      }
      codes[offset + row] = code;
    }
  }

  #short(length: number, first: number, second: number, third: number): number {
    const known = this.#words;
    const mask = this.#places.length - 1;
    let place = hash(length, first, second, third) & mask;
    for (;;) {
      const code = (this.#places[place] ?? 0) - 1;
      if (code === -1) return this.#add(place, length, first, second, third);
      const at = code * WORDS;
      if (known[at] === length && known[at + 1] === first && known[at + 2] === second && known[at + 3] === third) {
        return code;
      }
      place = (place + 1) & mask;
    }
  }

  #add(place: number, length: number, first: number, second: number, third: number): number {
    const code = this.dictionary.length;
    const words = Int32Array.of(length, first, second, third);
    this.dictionary.push(this.#decoder.decode(new Uint8Array(words.buffer, 4, length)));
    if ((code + 1) * WORDS > this.#words.length) this.#words = grown(this.#words);
    this.#words.set(words, code * WORDS);
    this.#places[place] = code + 1;
    if ((code + 1) * 2 > this.#places.length) this.#widen();
    return code;
  }

  /** Texts of more bytes than stand in the words are rare: names, not codes. */
  #long(vector: Uint8Array, at: number, length: number): number {
    const { buffer, byteOffset } = vector;
    if (!(buffer instanceof ArrayBuffer)) throw new TypeError("the engine gave a vector in shared memory");
    const bytes = duckdb.get_data_from_pointer(buffer, byteOffset + at + POINTER_OFFSET, length >>> 0);
    const text = this.#decoder.decode(bytes);
    const known = this.#codeOfLong.get(text);
    if (known !== undefined) return known;
    const code = this.dictionary.push(text) - 1;
    this.#codeOfLong.set(text, code);
    if ((code + 1) * WORDS > this.#words.length) this.#words = grown(this.#words);
    this.#words[code * WORDS] = -1; // no short text's length
    return code;
  }

  #widen(): void {
    const places = new Int32Array(this.#places.length * 2);
    const mask = places.length - 1;
    const words = this.#words;
    for (let code = 0; code < this.dictionary.length; code += 1) {
      const at = code * WORDS;
      if (words[at] === -1) continue;
      let place = hash(words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0) & mask;
      while (places[place] !== 0) place = (place + 1) & mask;
      places[place] = code + 1;
    }
    this.#places = places;
  }
}

function hash(length: number, first: number, second: number, third: number): number {
  let mixed = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b) ^ Math.imul(third, 0xc2b2ae35) ^ length;
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  return mixed ^ (mixed >>> 13);
}

function grown(words: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(words.length * 2);
  larger.set(words);
  return larger;
}
