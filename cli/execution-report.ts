import type { BackfillDigest, BackfillRecord } from "../domain/backfill.ts";
import { InvalidInputError, messageOf } from "../domain/errors.ts";
import { backfillKey, runKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import type { RunDigest, RunSummary } from "../domain/run-summary.ts";
import { shorten } from "../domain/text.ts";
import { endpointOf, openStore } from "../stores/open-store.ts";
import { readWrittenBackfill } from "./backfill-record.ts";
import { describeBackfill } from "./backfill-report.ts";
import { type ExecutionHints, regionPrefix } from "./execution-hints.ts";
import type { Digest } from "./execution-history.ts";
import type { ExecutionInput } from "./execution-input.ts";
import { EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import type { ExecutionEnd } from "./follow-execution.ts";
import { describeRun, type ReportOptions } from "./run-report.ts";
import type { StateMachineArn } from "./state-machine-arn.ts";
import { readWrittenSummary } from "./stored-summary.ts";
import { type Terminal, writeLine } from "./terminal.ts";

/** What a report is about, and how it is shown. */
export interface ExecutionReportOptions {
  readonly end: ExecutionEnd;
  readonly input: ExecutionInput;
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
  const { end, input, hints, machine, asJson } = options;
  const { stdout, stderr } = terminal;
  const { digest, failure } = end;
  if (digest === undefined && end.underWay !== undefined) {
    writeLine(stderr, `asx: ${end.underWay}`);
    terminal.exit(EXIT_CODES.failed);
    return;
  }
  if (digest === undefined) {
    const [state, wanted, file] =
      "backfill" in input
        ? ["SummariseBackfill", "the backfill's", "a record of the backfill"]
        : ["SummariseRun", "the daily", "a run summary"];
    const how = failure ?? `SUCCEEDED, but no state ${state} gave a digest: is it ${wanted} state machine?`;
    writeLine(stderr, `asx: ${hints.arn} ended without ${file}: ${how}`);
    writeLine(stderr, `asx: look at it: ${hints.console}`);
    terminal.exit(EXIT_CODES.failed);
    return;
  }
  const read = await readWritten(digest, end.startedAt, machine.region, terminal);
  if ("written" in read) {
    const { written, store } = read;
    const commandPrefix = regionPrefix(machine, terminal.environment);
    const shown = { store, tookMs: end.tookMs, asTable: terminal.interactive, commandPrefix };
    writeLine(stdout, asJson ? JSON.stringify(written) : describeWritten(written, shown, hints));
  } else {
    const what =
      "backfill" in digest ? `backfill from ${digest.backfill.from} to ${digest.backfill.to}` : `run of ${digest.date}`;
    const file = "backfill" in digest ? "record" : "summary";
    writeLine(stderr, `asx: the ${what} is ${digest.status}, but its ${file} cannot be shown: ${read.problem}`);
    if (!asJson) writeLine(stdout, digest.message);
  }
  // A run whose end was not reached is not called good, whatever its summary says.
  const isContradicted = failure !== undefined && exitCodeOf(digest.status) === EXIT_CODES.done;
  if (isContradicted)
    writeLine(
      stderr,
      `asx: the ${"backfill" in digest ? "backfill" : "day"} is ${digest.status}, but the execution ended ${failure}`,
    );
  const hasNoResult = asJson && !("written" in read);
  terminal.exit(isContradicted || hasNoResult ? EXIT_CODES.failed : exitCodeOf(digest.status));
}

type Written = RunSummary | BackfillRecord;
type ReadWritten = { readonly written: Written; readonly store: ObjectStore } | { readonly problem: string };

/** A report as the command on this machine gives it. */
function describeWritten(written: Written, shown: ReportOptions, { again }: ExecutionHints): string {
  return "days" in written ? describeBackfill(written, { ...shown, again }) : describeRun(written, shown);
}

/** The whole summary, or record, of the run that started at an instant, from the bucket that the digest names. */
async function readWritten(
  digest: Digest,
  startedAt: number,
  region: string,
  { environment }: Terminal,
): Promise<ReadWritten> {
  try {
    const store = await openBucket(digest.storeUrl, region, endpointOf(environment));
    const written = await readFile(store, digest);
    if (Math.abs(Date.parse(written.startedAt) - startedAt) < SAME_START_MS) return { store, written };
    return { problem: `another run, started at ${written.startedAt}, has replaced it` };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

function readFile(store: ObjectStore, digest: RunDigest | BackfillDigest): Promise<Written> {
  if ("backfill" in digest) return readWrittenBackfill(store, backfillKey(digest.backfill));
  return readWrittenSummary(store, runKey(digest.date));
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
