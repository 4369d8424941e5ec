import type { ObjectStore } from "../domain/object-store.ts";
import { sha256 } from "../stores/sha256.ts";

/** A stored file: as its summary or record says (ok), gone (missing), with other bytes (changed) or not named by one (unlisted). */
export interface FileState {
  readonly key: string;
  readonly state: "ok" | "missing" | "changed" | "unlisted";
  readonly rows: number | null;
  readonly bytes: number;
}

/** Compares a stored file with what a summary or record names. */
export async function checkFile(
  store: ObjectStore,
  { key, rows, sha256: named }: { readonly key: string; readonly rows: number; readonly sha256: string | null },
): Promise<FileState> {
  const bytes = await store.get(key);
  if (bytes === undefined) return { key, state: "missing", rows, bytes: 0 };
  return { key, state: sha256(bytes) === named ? "ok" : "changed", rows, bytes: bytes.length };
}
