import type { Clock } from "../lambdas/runtime/clock.ts";
import type { Environment } from "../lambdas/runtime/runtime.ts";

/** What a command uses of the process, handed in. */
export interface Terminal {
  /** What is given to read, where a command is told to. */
  readonly stdin: NodeJS.ReadableStream;
  /** Results. */
  readonly stdout: NodeJS.WritableStream;
  /** Logs, progress and errors. */
  readonly stderr: NodeJS.WritableStream;
  /** Whether a person watches: progress and tables are for terminals. */
  readonly interactive: boolean;
  /** Characters in a line of the terminal that results go to; undefined where they go elsewhere. */
  readonly width: number | undefined;
  readonly environment: Environment;
  readonly clock: Clock;
  /** How long the local workflow waits before it tries a state again, in milliseconds: shorter than when deployed, as a person waits too. */
  readonly retryDelayMs: number;
  /** The longest wait of the local workflow before it fetches unfinished symbols again, in milliseconds. */
  readonly longestRedriveWaitMs: number;
  /** Resolves when the user asks to stop (Ctrl-C). */
  readonly interrupted: () => Promise<void>;
  /** This process among others. */
  readonly process: {
    readonly host: string;
    readonly pid: number;
    /** Whether a process of this machine lives. */
    isAlive(pid: number): boolean;
  };
  /** Sets what the process ends with. */
  readonly exit: (code: number) => void;
  /** Ends the process at once, whatever is under way. */
  readonly quit: (code: number) => void;
}

/** Writes one line. */
export function writeLine(stream: NodeJS.WritableStream, line: string): void {
  stream.write(`${line}\n`);
}
