import { parseCuratedKey } from "../domain/object-keys.ts";
import type { CuratedFile, CuratedManifest } from "./curated-manifest.ts";

/** What a manifest names. */
export interface ManifestLists {
  readonly files: readonly CuratedFile[];
  readonly superseded: readonly SupersededFile[];
}

/** A compacted file that no longer counts. */
export type SupersededFile = CuratedManifest["superseded"][number];

/** A reader that has an older manifest can be at a superseded file for so long: it is removed afterwards. */
const READERS_DONE_MS = 60 * 60_000;
/** A removed file stands in the list for an hour more: who removes it may have read the list long before. */
const REMOVERS_DONE_MS = 2 * READERS_DONE_MS;
/**
 * A superseded file may count again, and leave the list, while nobody can be removing it: half of the time until then is
 * for clocks that differ.
 */
const REVIVABLE_MS = READERS_DONE_MS / 2;

/**
 * The list of superseded files of a next manifest: those of the last one, those it no longer names, and orphans, which a
 * killed compaction left or one under way has just put (that one takes them out again as it publishes).
 * @param files those that the next manifest names.
 * @param present keys of all objects beside the manifest.
 */
export function nextSuperseded(
  last: ManifestLists,
  files: readonly CuratedFile[],
  present: ReadonlySet<string>,
  now: number,
): SupersededFile[] {
  const counts = new Set(files.map(({ key }) => key));
  const listed = last.superseded.filter(
    ({ key, since }) => !counts.has(key) && (present.has(key) || now - Date.parse(since) <= REMOVERS_DONE_MS),
  );
  const isListed = new Set(listed.map(({ key }) => key));
  const former = last.files.map(({ key }) => key);
  const orphans = [...present].filter((key) => parseCuratedKey(key) !== undefined);
  const added = new Set([...former, ...orphans].filter((key) => !counts.has(key) && !isListed.has(key)));
  const since = new Date(now).toISOString();
  return [...listed, ...[...added].sort().map((key) => ({ key, since }))];
}

/** The superseded files that no reader can be at any more. */
export function removable(superseded: readonly SupersededFile[], present: ReadonlySet<string>, now: number): string[] {
  const isOld = ({ since }: SupersededFile): boolean => now - Date.parse(since) > READERS_DONE_MS;
  return superseded.filter((file) => isOld(file) && present.has(file.key)).map(({ key }) => key);
}

/** Whether a file of this key can be published: not while somebody may be removing it. */
export function isRevivable(key: string, superseded: readonly SupersededFile[], now: number): boolean {
  const found = superseded.find((file) => file.key === key);
  return found === undefined || now - Date.parse(found.since) < REVIVABLE_MS;
}
