#!/usr/bin/env node
import { readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { systemClock } from "../lambdas/runtime/clock.ts";
import { isAlive } from "../stores/live-process.ts";
import { runProgram } from "./program.ts";

// A reader that has seen enough, such as head, closes the pipe: that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

// Nobody reads what is logged: the result is still worth having.
process.stderr.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

await runProgram(
  {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    interactive: process.stdout.isTTY === true && process.stderr.isTTY === true,
    width: process.stdout.isTTY === true ? process.stdout.columns : undefined,
    environment: process.env,
    clock: systemClock,
    retryDelayMs: 3_000,
    longestRedriveWaitMs: 30_000,
    interrupted: () =>
      new Promise((resolve) => process.once("SIGINT", () => resolve()).once("SIGTERM", () => resolve())),
    process: { host: machineName(), pid: process.pid, isAlive },
    exit: (code) => {
      process.exitCode = code;
    },
    quit: (code) => process.exit(code),
  },
  process.argv.slice(2),
);

/**
 * The machine's name, with the name space of its processes where there is one (Linux): containers may share a host name,
 * and each has a process 1 of its own.
 */
function machineName(): string {
  try {
    return `${hostname()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}
