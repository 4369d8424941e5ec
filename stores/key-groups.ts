import { compareSymbols } from "../domain/symbol.ts";

/**
 * Each key without its part from the delimiter on, where one stands behind the prefix; each result once, in order.
 * It is what S3 gives as keys and common prefixes, less the delimiter.
 */
export function groupKeys(keys: Iterable<string>, prefix: string, delimiter: string): string[] {
  const groups = new Set<string>();
  for (const key of keys) {
    const at = key.indexOf(delimiter, prefix.length);
    groups.add(at === -1 ? key : key.slice(0, at));
  }
  return [...groups].sort(compareSymbols);
}
