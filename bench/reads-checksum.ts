import type { ReadBars } from "./reads-job.ts";

/** What two engines that have read the same bars agree on, whatever their order. */
export interface ReadChecksum {
  readonly rows: number;
  readonly hash: number;
  readonly sumOfCloses: number;
}

/**
 * Hashes the bits of all values of each row, and adds up the rows.
 * @param withNumbers false where numbers are computed, so that they end in other bits in another order.
 */
export function checksumOf({ codes, dictionary, numbers }: ReadBars, withNumbers: boolean): ReadChecksum {
  const hashes = new Int32Array(codes.length);
  const hashOfSymbol = dictionary.map((symbol) => [...symbol].reduce((hash, char) => mix(hash, char.charCodeAt(0)), 1));
  for (let row = 0; row < hashes.length; row += 1) hashes[row] = hashOfSymbol[codes[row] ?? -1] ?? 0;
  const value = new Float64Array(1);
  const words = new Int32Array(value.buffer);
  for (const column of withNumbers ? numbers.values() : []) {
    if (column.length !== codes.length) throw new Error(`a column has ${column.length} rows of ${codes.length}`);
    for (let row = 0; row < hashes.length; row += 1) {
      value[0] = column[row] ?? Number.NaN;
      hashes[row] = mix(mix(hashes[row] ?? 0, words[0] ?? 0), words[1] ?? 0);
    }
  }
  const closes: Iterable<number> = numbers.get("close") ?? [];
  let sumOfCloses = 0;
  for (const close of closes) sumOfCloses += close;
  return { rows: codes.length, hash: hashes.reduce((sum, hash) => (sum + hash) | 0, 0), sumOfCloses };
}

/** Whether both have read the same; sums may differ by the order in which they were added up. */
export function isSameRead(left: ReadChecksum, right: ReadChecksum): boolean {
  const difference = Math.abs(left.sumOfCloses - right.sumOfCloses);
  return left.rows === right.rows && left.hash === right.hash && difference <= Math.abs(left.sumOfCloses) * 1e-9;
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
