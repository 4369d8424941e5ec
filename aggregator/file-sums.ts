import { parseRawDataKey, rawDataFolder } from "../domain/object-keys.ts";

/** A raw-data file and the SHA-256 of its bytes, in hexadecimal. */
export interface FileSum {
  readonly key: string;
  readonly sha256: string;
}

/**
 * A date's files and their hashes as text, a line a file as `sha256sum` writes it: two lists of the same files with the
 * same bytes are the same text. Batches that stored no file have no line.
 */
export function fileSumsText(
  files: readonly { readonly key: string | null; readonly sha256: string | null }[],
): string {
  const named = files.filter((file): file is FileSum => file.key !== null && file.sha256 !== null);
  return named
    .toSorted((left, right) => batchOf(left.key) - batchOf(right.key))
    .map(({ key, sha256 }) => `${sha256}  ${key.slice(rawDataFolder.length)}\n`)
    .join("");
}

/** The files of such a text; a line that is none is left out. */
export function parseFileSums(text: string): FileSum[] {
  return text.split("\n").flatMap((line) => {
    const [sha256 = "", name = ""] = line.split("  ");
    const key = `${rawDataFolder}${name}`;
    return /^[0-9a-f]{64}$/.test(sha256) && parseRawDataKey(key) !== undefined ? [{ key, sha256 }] : [];
  });
}

/** The older form with all symbols in one file comes first. */
function batchOf(key: string): number {
  return parseRawDataKey(key)?.batchNumber ?? -1;
}
