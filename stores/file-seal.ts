import { sha256 } from "./sha256.ts";

/**
 * Key of a batch file's metadata entry whose value is the file's seal: the SHA-256 of the whole file, in hexadecimal, taken
 * with the value's own 64 characters as zeros.
 */
export const SEAL_METADATA_KEY = "asx-eod.file-sha256";

/** The value with which a file is written before it is sealed. */
export const UNSEALED = "0".repeat(64);

/** How the entry begins in the file's footer: the key, the field of the value, its length. */
const MARK = Buffer.from(`${SEAL_METADATA_KEY}\x18\x40`, "latin1");

/** What a file's seal says: nothing where the file has none, as files of others and older ones. */
export type SealState = "intact" | "broken" | "none";

/**
 * Seals a Parquet file that holds the entry `SEAL_METADATA_KEY: UNSEALED`, in place.
 * @throws Error where it holds none.
 */
export function sealFile(file: Buffer): void {
  const at = sealPosition(file);
  if (at === undefined) throw new Error("the file has no place for a seal");
  file.write(sha256(file), at, "latin1");
}

/** Whether a file is the one that was sealed. It is found without parsing the file, which damage could send astray. */
export function checkSeal(bytes: Uint8Array): SealState {
  const file = Buffer.from(bytes);
  const at = sealPosition(file);
  if (at === undefined) return "none";
  const seal = file.toString("latin1", at, at + UNSEALED.length);
  file.write(UNSEALED, at, "latin1");
  return sha256(file) === seal ? "intact" : "broken";
}

/** Where the seal's characters begin; the last mark counts, as the footer follows the data. */
function sealPosition(file: Buffer): number | undefined {
  const mark = file.lastIndexOf(MARK);
  return mark === -1 ? undefined : mark + MARK.length;
}
