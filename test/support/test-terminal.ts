import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { runProgram } from "../../cli/program.ts";
import type { Terminal } from "../../cli/terminal.ts";
import type { Environment } from "../../lambdas/runtime/runtime.ts";
import { createTestClock } from "./test-clock.ts";
import { EVENING } from "./test-runtime.ts";

/** What a command printed and how it ended. */
export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Surroundings of a command that a test decides. */
export interface CommandOptions {
  /** ISO 8601 with an offset. */
  readonly now?: string;
  readonly interactive?: boolean;
  /** Characters in a line of the terminal. */
  readonly width?: number;
  /** What is given on standard input. */
  readonly stdin?: string;
  readonly environment?: Environment;
  /** Whether another process of this machine lives. */
  readonly isAlive?: (pid: number) => boolean;
  readonly interrupted?: () => Promise<void>;
  /** Told of the exit code with which a command would end the process at once. */
  readonly onQuit?: (code: number) => void;
  /** Told of what is printed on standard output as it is printed. */
  readonly onOutput?: (text: string) => void;
}

/** Where commands keep their caches: a folder of this process, not the user's. */
const CACHES = mkdtempSync(join(tmpdir(), "asx-eod-test-caches-"));
process.once("exit", () => rmSync(CACHES, { recursive: true, force: true }));

/** Runs `asx` with arguments as a shell would split them, in this process. */
export async function asx(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  let exitCode = 0;
  const terminal: Terminal = {
    stdin: Readable.from([options.stdin ?? ""]),
    stdout,
    stderr,
    interactive: options.interactive ?? false,
    width: options.width,
    environment: { XDG_CACHE_HOME: CACHES, ...options.environment },
    clock: createTestClock(options.now ?? EVENING),
    retryDelayMs: 0,
    longestRedriveWaitMs: 0,
    process: { host: "test", pid: process.pid, isAlive: options.isAlive ?? (() => false) },
    interrupted: options.interrupted ?? (() => new Promise(() => undefined)),
    exit: (code) => {
      exitCode = code;
    },
    quit: (code) => options.onQuit?.(code),
  };
  stdout.on("data", (chunk: Buffer) => options.onOutput?.(chunk.toString()));
  const printed = Promise.all([text(stdout), text(stderr)]);
  await runProgram(terminal, args);
  stdout.end();
  stderr.end();
  const [out, err] = await printed;
  return { stdout: out, stderr: err, exitCode };
}
