/**
 * Reads Parquet files. The library that does it trusts the lengths in a file: a damaged one can hold it for ever, in a loop
 * that no timer interrupts. So a file that nothing vouches for is read in a thread that can be ended.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import * as z from "zod";
import { messageOf } from "../domain/errors.ts";
import type { StoredRow } from "../domain/stored-bar.ts";

/** What a Parquet file holds, with the values as the library gives them: dates and instants as Date, at UTC. */
export interface ParquetTable {
  readonly columns: readonly string[];
  readonly rows: readonly StoredRow[];
  /** The entries of the file's metadata. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Bounds the memory of the thread, in MB: a file of all symbols takes a few. */
const THREAD_MEMORY_MB = 256;

/** Reads a file in this thread: only for bytes that are known to be undamaged. */
export async function readTable(bytes: Uint8Array): Promise<ParquetTable> {
  // Loaded with the first file: who finds all files remembered reads none.
  const file = new Uint8Array(bytes).buffer;
  const metadata = parquetMetadata(file);
  const rows = metadata.num_rows === 0n ? [] : await parquetReadObjects({ file, metadata });
  return {
    columns: metadata.schema.slice(1).map(({ name }) => name),
    rows,
    metadata: new Map(metadata.key_value_metadata?.map(({ key, value = "" }) => [key, value])),
  };
}

const task = z.object({ parquetFile: z.instanceof(Uint8Array) });

/**
 * Reads a file in a thread of its own.
 * @throws Error where the file is damaged, or where it is not read by the deadline.
 */
export async function readTableApart(bytes: Uint8Array, deadlineMs: number): Promise<ParquetTable> {
  // The thread runs this very module; where it is part of a bundle, the bundle.
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { parquetFile: bytes },
    execArgv: [], // those of the process can be for its main script alone
    resourceLimits: { maxOldGenerationSizeMb: THREAD_MEMORY_MB },
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`it could not be read within ${deadlineMs} ms`)), deadlineMs);
      worker.once("message", (answer: ParquetTable | string) => {
        if (typeof answer === "string") reject(new Error(answer));
        else resolve(answer);
      });
      worker.once("error", reject);
      worker.once("exit", () => reject(new Error("its reader ended without an answer")));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

/** The thread's part: answers with the table, or with what was wrong. */
async function answer(bytes: Uint8Array): Promise<void> {
  try {
    parentPort?.postMessage(await readTable(bytes));
  } catch (error) {
    parentPort?.postMessage(messageOf(error));
  }
}

const given = isMainThread ? undefined : task.safeParse(workerData);
if (given?.success === true) await answer(given.data.parquetFile);
