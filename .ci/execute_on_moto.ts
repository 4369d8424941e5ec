/**
 * Checks `asx execute` against software that is not ours: moto executes the real state machine definition
 * and answers for Step Functions and S3. Ends with 1 and says which check failed where one does.
 *
 *   node .ci/execute_on_moto.ts VENV    # a Python environment with moto[server,stepfunctions]
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { DescribeExecutionCommand, SFNClient } from "@aws-sdk/client-sfn";
import { startEmulatedAccount } from "./emulated_account.ts";

const CLI = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
const DAY = "2024-05-31";
/** Far above what any command takes. */
const TIMEOUT_MS = 180_000;

interface Ended {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const [venv] = process.argv.slice(2);
if (venv === undefined) throw new Error("name the Python environment: node .ci/execute_on_moto.ts VENV");
const account = await startEmulatedAccount(venv);
try {
  await checkOneDay();
  await checkBackfill();
  await checkOtherEnds();
} finally {
  await account.close();
}

/** A day is started once, followed, and started again only when asked to. */
async function checkOneDay(): Promise<void> {
  const release = account.holdSymbols();
  const started = await execute("--date", DAY, "--json");
  check("starts a day", started, 0);
  const { executionArn, name } = JSON.parse(started.stdout);
  assert.equal(name, `run-${DAY}`);
  const { input } = await new SFNClient({ region: "ap-southeast-2" }).send(
    new DescribeExecutionCommand({ executionArn }),
  );
  assert.equal(input, JSON.stringify({ date: DAY }));

  const second = await execute("--date", DAY, "--json");
  check("finds the running execution", second, 0);
  assert.deepEqual(JSON.parse(second.stdout), JSON.parse(started.stdout));
  check("refuses another input", await execute("--date", DAY, "--symbols", "BHP"), 1, "with another input");

  const following = execute("--date", DAY, "--wait");
  release();
  const followed = await following;
  check("follows the day to its end", followed, 0, "INFO 2024-05-31: 2,011 symbols in 21 batches");
  assert.match(followed.stdout, /^ASX 2024-05-31: complete in .* bars of 2,011 symbols\.$/m);
  assert.equal(followed.stderr.match(/INFO batch/g)?.length, 21);
  const same = await execute("--date", DAY);
  check("refuses an ended day", same, 1, "has ended SUCCEEDED: ASX 2024-05-31: complete");
  assert.doesNotMatch(same.stderr, /another input/);
  const ended = await execute("--date", DAY, "--wait");
  check("follows an ended day", ended, 0, `asx: nothing was started: run-${DAY} has ended already`);
  assert.equal(ended.stdout, followed.stdout);

  const again = await execute("--date", DAY, "--again", "--wait", "--json");
  check("runs the day again when asked to", again, 0);
  assert.equal(JSON.parse(again.stdout).status, "complete");
  const replaced = await execute("--date", DAY, "--wait");
  check("does not show the summary of a later run", replaced, 0, "has replaced it");
  assert.match(replaced.stdout, /^ASX 2024-05-31: complete\. .*\n$/);
}

/** A span is fetched by the state machine of backfills; what is stored is not fetched again. */
async function checkBackfill(): Promise<void> {
  const span = { from: "2024-03-01", to: DAY };
  const asked = ["--from", span.from, "--to", span.to, "--wait"];
  const two = await backfill(...asked, "--symbols", "BHP,CBA");
  check("fetches the past of two symbols", two, 0);
  const before = await account.backfillOf(span);
  assert.equal(before.status, "complete");
  assert.equal(before.symbols.total, 2);
  assert.ok(before.rows > 0, "the backfill of two symbols stored no bar");

  const whole = await backfill(...asked, "--again");
  check("fetches the past of the market", whole, 0);
  const after = await account.backfillOf(span);
  assert.equal(after.status, "complete");
  assert.ok(after.outcomes.length > 2_000, `the backfill has an outcome of ${after.outcomes.length} symbols`);
  const [first] = before.batches;
  assert.deepEqual(
    after.batches.find(({ key }) => key === first?.key),
    first,
    "a stored file was written again",
  );
  assert.deepEqual(await account.keysBelow("pending/"), [], "the backfill left something behind");
  assert.deepEqual((await account.keysBelow("history/")).sort(), after.batches.map(({ key }) => key).sort());

  const stored = await account.keysBelow("history/");
  const again = await backfill(...asked, "--again");
  check("finds a past that is stored", again, 0);
  assert.deepEqual(await account.keysBelow("history/"), stored);
}

/** Every other way a run can end. */
async function checkOtherEnds(): Promise<void> {
  const closed = await execute("--date", "2024-04-25", "--wait");
  check("tells of a closed day", closed, 0);
  assert.match(closed.stdout, /the market was closed/);

  const empty = await execute("--date", "2024-05-30", "--symbols", "ZZZ", "--wait");
  check("tells of a day without a bar", empty, 1);
  assert.match(empty.stdout, /^ASX 2024-05-30: failed/m);

  const caughtUp = await execute("--date", DAY, "--catch-up", "--days", "5", "--reread", "--again", "--wait", "--json");
  check("reads the last sessions again", caughtUp, 0);
  for (const session of ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30"]) {
    assert.equal((await account.summaryOf(session)).status, "complete", session);
  }

  await account.lock("2024-05-24");
  const underWay = await execute("--date", "2024-05-24", "--wait");
  check("leaves a date to the run that has it", underWay, 1, "2024-05-24 is being run by the execution another since");

  await account.closeFunctions();
  const broken = await execute("--date", "2024-05-23", "--wait");
  check("tells of a run that broke off", broken, 1, "ended without a run summary: FAILED: NoSymbols");
  assert.match(broken.stderr, /WARN UpdateSymbols failed: /);
  assert.equal(broken.stdout, "");
}

function backfill(...args: string[]): Promise<Ended> {
  return asx("execute", "--state-machine", account.backfillArn, "--backfill", ...args);
}

function execute(...args: string[]): Promise<Ended> {
  return asx("execute", "--state-machine", account.dailyArn, ...args);
}

/** Runs `asx` as a process of its own. */
function asx(...args: string[]): Promise<Ended> {
  const all = [CLI, ...args];
  const env = { ...process.env, ...account.environment };
  return new Promise((resolve) => {
    execFile(process.execPath, all, { env, timeout: TIMEOUT_MS }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

function check(what: string, { code, stdout, stderr }: Ended, expected: number, message = ""): void {
  const ended = `it ended with ${code}, expected is ${expected}\n${stdout}${stderr}`;
  assert.equal(code, expected, `asx execute ${what}: ${ended}`);
  assert.ok(stderr.includes(message), `asx execute ${what}: no ${JSON.stringify(message)} in\n${stderr}`);
  process.stdout.write(`ok: asx execute ${what}\n`);
}
