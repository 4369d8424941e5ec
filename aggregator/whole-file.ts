import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../stores/error-code.ts";

const TEMPORARY_FILE = /^\.[0-9a-f-]{36}\.tmp$/;

/**
 * Writes a file whole or not at all, into folders that only their owner may enter: under a name of its own first,
 * then renamed. Another process that writes the same file at once does no harm, the last one stays. Nothing is
 * flushed to disk: after a power cut the file may be of another content, which its reader must find.
 * @param usedAtMs the file's times, in milliseconds since 1970; by default those of the system.
 * @throws the system's error; no part of the file is left behind.
 */
export async function writeWholeFile(path: string, bytes: Uint8Array | string, usedAtMs?: number): Promise<void> {
  const temporaryPath = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    const file = await openNew(temporaryPath);
    try {
      await file.writeFile(bytes);
      if (usedAtMs !== undefined) await file.utimes(usedAtMs / 1000, usedAtMs / 1000);
    } finally {
      await file.close(); // a full disk can show here
    }
    await rename(temporaryPath, path);
  } catch (error) {
    // What failed is what is reported; a file that cannot be removed goes with the next clearing.
    await rm(temporaryPath, { force: true }).catch(() => undefined);
    throw error;
  }
}

async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, "wx", 0o600);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  return open(path, "wx", 0o600);
}

/** Whether a file is one that a writer has under way, or left when it was killed. */
export function isTemporaryFile(path: string): boolean {
  return TEMPORARY_FILE.test(basename(path));
}
