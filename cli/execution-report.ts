import { InvalidInputError, messageOf } from "../domain/errors.ts";
import { runKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import type { RunDigest, RunSummary } from "../domain/run-summary.ts";
import { shorten } from "../domain/text.ts";
import { endpointOf, openStore } from "../stores/open-store.ts";
import { type ExecutionHints, regionPrefix } from "./execution-hints.ts";
import { EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import type { ExecutionEnd } from "./follow-execution.ts";
import { describeRun } from "./run-report.ts";
import type { StateMachineArn } from "./state-machine-arn.ts";
import { readWrittenSummary } from "./stored-summary.ts";
import { type Terminal, writeLine } from "./terminal.ts";

/** What a report is about, and how it is shown. */
export interface ExecutionReportOptions {
  readonly end: ExecutionEnd;
  readonly hints: ExecutionHints;
  /** Its region is most likely the bucket's. */
  readonly machine: StateMachineArn;
  /** The run summary as JSON and nothing else. */
  readonly asJson: boolean;
}

/** Starts of one execution that two sources round in their own way differ by less, and those of two runs by more. */
const SAME_START_MS = 1_000;

/** Shows what an execution came to, as `asx run` does, and sets the exit code of the run's status. */
export async function reportExecution(options: ExecutionReportOptions, terminal: Terminal): Promise<void> {
  const { end, hints, machine, asJson } = options;
  const { stdout, stderr } = terminal;
  const { digest, failure } = end;
  if (digest === undefined && end.underWay !== undefined) {
    writeLine(stderr, `asx: ${end.underWay}`);
    terminal.exit(EXIT_CODES.failed);
    return;
  }
  if (digest === undefined) {
    const how = failure ?? "SUCCEEDED, but no state SummariseRun gave a digest: is it the daily state machine?";
    writeLine(stderr, `asx: ${hints.arn} ended without a run summary: ${how}`);
    writeLine(stderr, `asx: look at it: ${hints.console}`);
    terminal.exit(EXIT_CODES.failed);
    return;
  }
  const read = await readSummary(digest, end.startedAt, machine.region, terminal);
  if ("summary" in read) {
    const { summary, store } = read;
    const commandPrefix = regionPrefix(machine, terminal.environment);
    const shown = { store, tookMs: end.tookMs, asTable: terminal.interactive, commandPrefix };
    writeLine(stdout, asJson ? JSON.stringify(summary) : describeRun(summary, shown));
  } else {
    writeLine(
      stderr,
      `asx: the run of ${digest.date} is ${digest.status}, but its summary cannot be shown: ${read.problem}`,
    );
    if (!asJson) writeLine(stdout, digest.message);
  }
  // A run whose end was not reached is not called good, whatever its summary says.
  const isContradicted = failure !== undefined && exitCodeOf(digest.status) === EXIT_CODES.done;
  if (isContradicted) writeLine(stderr, `asx: the day is ${digest.status}, but the execution ended ${failure}`);
  const hasNoResult = asJson && !("summary" in read);
  terminal.exit(isContradicted || hasNoResult ? EXIT_CODES.failed : exitCodeOf(digest.status));
}

type ReadSummary = { readonly summary: RunSummary; readonly store: ObjectStore } | { readonly problem: string };

/** The whole summary of the run that started at an instant, from the bucket that the digest names. */
async function readSummary(
  digest: RunDigest,
  startedAt: number,
  region: string,
  { environment }: Terminal,
): Promise<ReadSummary> {
  try {
    const store = await openBucket(digest.storeUrl, region, endpointOf(environment));
    const summary = await readWrittenSummary(store, runKey(digest.date));
    if (Math.abs(Date.parse(summary.startedAt) - startedAt) < SAME_START_MS) return { store, summary };
    return { problem: `another run, started at ${summary.startedAt}, has replaced it` };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

/** Opens a bucket. What a history says opens no folder of this machine. */
async function openBucket(url: string, region: string, endpoint: string | undefined): Promise<ObjectStore> {
  if (!url.startsWith("s3://")) {
    throw new InvalidInputError(
      `the execution stored it in ${JSON.stringify(shorten(url, 120))}, which is no s3:// address`,
    );
  }
  return openStore(url, { endpoint, region });
}
