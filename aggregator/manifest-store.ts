import { StoreConflictError, StoreUnavailableError } from "../domain/errors.ts";
import { curatedManifestKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { type CuratedManifest, parseCuratedManifest } from "./curated-manifest.ts";

/** A manifest as it was read, and the version that a next one replaces. */
export interface ManifestRead {
  /** undefined where there is none yet. */
  readonly manifest: CuratedManifest | undefined;
  readonly version: string | undefined;
}

/**
 * Reads the manifest of compacted files.
 * @throws StoredFileError where it is damaged.
 */
export async function readManifest(store: ObjectStore): Promise<ManifestRead> {
  const found = await store.read(curatedManifestKey);
  if (found === undefined) return { manifest: undefined, version: undefined };
  return { manifest: parseCuratedManifest(curatedManifestKey, found.bytes), version: found.version };
}

/**
 * Publishes a manifest by one conditional write. Where the answer was lost on its way, the stored one is read and compared.
 * @returns whether it is published; false where another writer was there first.
 */
export async function publishManifest(
  store: ObjectStore,
  manifest: CuratedManifest,
  version: string | undefined,
): Promise<boolean> {
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  try {
    await store.replace(curatedManifestKey, bytes, version);
    return true;
  } catch (error) {
    const isConflict = error instanceof StoreConflictError;
    if (!isConflict && !(error instanceof StoreUnavailableError)) throw error;
    const stored = await store.get(curatedManifestKey);
    if (stored !== undefined && Buffer.compare(stored, bytes) === 0) return true;
    if (isConflict) return false;
    throw error;
  }
}
