import { statSync, unlinkSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, sep } from "node:path";
import { codeOf } from "../stores/error-code.ts";
import { mapInTurns } from "../stores/file-objects.ts";
import { isTemporaryFile } from "./whole-file.ts";

/** A file used so recently may be in a query of this process or another: it is left where it is, in milliseconds. */
export const IN_USE_MS = 60 * 60_000;

/** What to look through. */
export interface Eviction {
  /** Below it temporary files that a killed process left are removed, once they are older than an hour. */
  readonly folder: string;
  /** Folder in it whose files may go, those used least recently first. */
  readonly evictable: string;
  /** Bytes that shall be left of those that the evictable files hold. */
  readonly keep: (held: number) => number;
  /** In milliseconds since 1970. */
  readonly nowMs: number;
}

interface UsedFile {
  readonly path: string;
  readonly bytes: number;
  /** When it was read or written last. */
  readonly usedAtMs: number;
}

/**
 * Removes what was used least recently. Files used in the last hour stay, even where more is left with them; one
 * that another process has begun to use meanwhile stays as well.
 * @returns bytes that the evictable files still hold.
 * @throws the system's error where the folder cannot be read; a folder that is not there holds nothing.
 */
export async function evictFiles({ folder, evictable, keep, nowMs }: Eviction): Promise<number> {
  const files = (await mapInTurns(await filesBelow(folder), usedFile)).filter((file) => file !== undefined);
  const isOld = ({ usedAtMs }: UsedFile): boolean => nowMs - usedAtMs > IN_USE_MS;
  for (const file of files) if (isTemporaryFile(file.path) && isOld(file)) remove(file);

  const cached = files.filter(({ path }) => path.startsWith(`${evictable}${sep}`) && !isTemporaryFile(path));
  let held = cached.reduce((sum, { bytes }) => sum + bytes, 0);
  const left = keep(held);
  const old = cached.filter(isOld).sort((one, other) => one.usedAtMs - other.usedAtMs);
  await mapInTurns(old, (file) => {
    if (held > left) held -= remove(file);
  });
  return held;
}

async function filesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true, recursive: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return []; // nothing cached yet, or removed meanwhile
    throw error;
  }
}

function usedFile(path: string): UsedFile | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  return { path, bytes: found.size, usedAtMs: Math.max(found.atimeMs, found.mtimeMs) };
}

/** The bytes that are no longer there; none where another process has begun to use the file, or it cannot be removed. */
function remove(file: UsedFile): number {
  try {
    const now = usedFile(file.path);
    if (now !== undefined && now.usedAtMs !== file.usedAtMs) return 0;
    if (now !== undefined) unlinkSync(file.path);
    return file.bytes;
  } catch (error) {
    return codeOf(error) === "ENOENT" ? file.bytes : 0;
  }
}
