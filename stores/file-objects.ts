import { statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { StoredObject } from "../domain/object-store.ts";
import { codeOf } from "./error-code.ts";

/** A file, and the key of the object that it is. */
export interface KeyedFile {
  readonly key: string;
  readonly path: string;
}

/** Calls without a turn of the event loop between: some 2 ms of looks at files on a local disk. */
const CALLS_A_TURN = 512;

/**
 * A file as an object of a store; undefined where there is none, or it is no file. Its mark changes with
 * a rename into its place (inode) and with a write into it (times in nanoseconds; the change time cannot be set back).
 * @throws the system's error where it cannot be looked at.
 */
export function fileObject({ key, path }: KeyedFile): StoredObject | undefined {
  try {
    const found = statSync(path, { bigint: true });
    if (!found.isFile()) return undefined;
    const mark = `${found.ino}-${found.size}-${found.mtimeNs}-${found.ctimeNs}`;
    return { key, bytes: Number(found.size), mark };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Many files as objects, in the order given.
 * @throws the system's error where one cannot be looked at.
 */
export function fileObjects(files: readonly KeyedFile[]): Promise<(StoredObject | undefined)[]> {
  return mapInTurns(files, fileObject);
}

/**
 * Calls a synchronous function of the file system for each item. A call that waits for nothing is several times faster
 * than one that is awaited, and years of batch files are tens of thousands; others get their turn between the slices.
 */
export async function mapInTurns<Item, Result>(
  items: readonly Item[],
  call: (item: Item) => Result,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const [index, item] of items.entries()) {
    if (index > 0 && index % CALLS_A_TURN === 0) await setImmediate();
    results.push(call(item));
  }
  return results;
}

/** Within this time of a change, in milliseconds, a second one can leave a folder's times as they are. */
const SETTLING_MS = 1_000;

/** Changes whenever a file is added to a folder, taken away or renamed; undefined where there is no folder. */
export function folderMark(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.ino}-${found.mtimeNs}-${found.ctimeNs}`;
}

/** The same, but undefined too where the last change is so recent that the mark may miss the next one. */
export function settledMark(path: string, now: number): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.mtimeMs + SETTLING_MS < now ? folderMark(path) : undefined;
}
