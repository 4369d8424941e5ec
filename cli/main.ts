#!/usr/bin/env node
import { systemClock } from "../lambdas/runtime/clock.ts";
import { runProgram } from "./program.ts";

await runProgram(
  {
    stdout: process.stdout,
    stderr: process.stderr,
    interactive: process.stdout.isTTY === true && process.stderr.isTTY === true,
    environment: process.env,
    clock: systemClock,
    retryDelayMs: 3_000,
    interrupted: () =>
      new Promise((resolve) => process.once("SIGINT", () => resolve()).once("SIGTERM", () => resolve())),
    exit: (code) => {
      process.exitCode = code;
    },
  },
  process.argv.slice(2),
);
