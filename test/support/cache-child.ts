import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const SCRIPT = fileURLToPath(new URL("fetch-into-cache.ts", import.meta.url));

const report = z.object({
  results: z.array(z.tuple([z.string(), z.object({ state: z.string(), path: z.string().optional() })])).optional(),
  error: z.object({ name: z.string(), message: z.string() }).optional(),
  warnings: z.array(z.string()),
});
export type CacheReport = z.infer<typeof report>;

/** A process that fetches a bucket's raw data into a cache. */
export interface CacheChild {
  readonly process: ChildProcess;
  /** What it reports in the end; undefined where it was killed. */
  readonly report: Promise<CacheReport | undefined>;
}

/**
 * Starts a process that fetches a bucket's raw data into a cache.
 * @param shell commands of sh ahead of it, such as limits.
 */
export function startCacheChild(args: readonly string[], shell?: { command: string[]; script: string }): CacheChild {
  const node = [process.execPath, "--no-warnings", SCRIPT, ...args];
  const [file = "", ...rest] =
    shell === undefined ? node : [...shell.command, "sh", "-c", `${shell.script}; exec "$@"`, "sh", ...node];
  const child = spawn(file, rest, { stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise<CacheReport | undefined>((resolve, reject) => {
    child.once("error", reject).once("close", () => {
      const text = Buffer.concat(chunks).toString();
      resolve(text === "" ? undefined : report.parse(JSON.parse(text)));
    });
  });
  return { process: child, report: ended };
}
