/**
 * Reproducible chance: a number that depends only on what it is asked for, so that any day of a
 * market can be computed without those before it having been asked for in the same order.
 */

/** Mixes two integers into one of 32 bits; the finaliser is that of MurmurHash3 (Austin Appleby, public domain). */
export function hash32(first: number, second: number): number {
  return finalise(finalise(0x9e3779b9 ^ first) ^ second) >>> 0;
}

/** Mixes a text into a seed: the same text gives the same number, whatever was asked for before it. */
export function hashText(seed: number, text: string): number {
  let hash = seed;
  for (let index = 0; index < text.length; index += 1) hash = hash32(hash, text.charCodeAt(index));
  return hash;
}

function finalise(value: number): number {
  let hash = value;
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** A number from 0 (inclusive) to 1 (exclusive) for an index and one of its uses, below 32. */
export function uniform(seed: number, index: number, use: number): number {
  return hash32(seed, index * 32 + use) / 2 ** 32;
}

/** A number of mean 0 and variance 1, nearly normal (a sum of four uniforms), for an index and one of its uses, below 31. */
export function nearlyNormal(seed: number, index: number, use: number): number {
  const left = hash32(seed, index * 32 + use);
  const right = hash32(seed, index * 32 + use + 1);
  const sum = (left & 0xffff) + (left >>> 16) + (right & 0xffff) + (right >>> 16);
  return (sum / 65536 - 2) * Math.sqrt(3);
}
