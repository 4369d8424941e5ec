import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { runDailyWorkflow } from "../../cli/daily-workflow.ts";
import { symbolUpdaterEvent } from "../../domain/batch.ts";
import { parseInput } from "../../domain/parse.ts";
import { runSummary } from "../../domain/run-summary.ts";
import { takeRunLock } from "../../lambdas/runtime/run-lock.ts";
import { type Delivery, SANDBOX_PATHS } from "../../sandbox/server.ts";
import { createS3Store } from "../../stores/s3-store.ts";
import { createDrivenClock } from "../support/driven-clock.ts";
import { startAnsweringServer, startS3Server, type TestS3Server } from "../support/s3-server.ts";
import {
  type StepFunctionsOptions,
  type StepFunctionsServer,
  startStepFunctionsServer,
} from "../support/step-functions-server.ts";
import { createTestRuntime, EVENING } from "../support/test-runtime.ts";
import { asx, type CommandOptions } from "../support/test-terminal.ts";
import { createTinyMarket, sandboxFetch, type TinyMarket } from "../support/tiny-market.ts";

const DAY = "2024-05-31";
const STARTED = "2024-05-31T09:30:00.000Z";
const FIVE: TinyMarket = {
  bars: { AAA: { [DAY]: {} }, BBB: { [DAY]: {} }, CCC: {}, DDD: { [DAY]: {} }, EEE: { [DAY]: {} } },
};

let s3: TestS3Server;
beforeAll(async () => {
  s3 = await startS3Server();
  // Credentials that lead nowhere else: no profile of this machine, no request to the address of cloud machines.
  vi.stubEnv("AWS_ACCESS_KEY_ID", "S3RVER").stubEnv("AWS_SECRET_ACCESS_KEY", "S3RVER");
  vi.stubEnv("AWS_SESSION_TOKEN", undefined).stubEnv("AWS_PROFILE", undefined).stubEnv("AWS_REGION", undefined);
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent").stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3.close();
});

const servers: StepFunctionsServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

interface Options extends Partial<Omit<StepFunctionsOptions, "run" | "now">> {
  readonly market?: TinyMarket;
  readonly delivery?: Delivery;
}

/** A deployed state machine: the real definition and handlers behind the API, a bucket, and a market in the process. */
async function deploy({ market = FIVE, delivery, ...options }: Options = {}) {
  const bucket = await s3.makeBucket();
  const clock = createDrivenClock(EVENING);
  const upstream = sandboxFetch(createTinyMarket(market), clock.now, delivery);
  const store = createS3Store({ bucket, prefix: "asx" }, s3.configuration);
  const server = await startStepFunctionsServer({
    now: clock.now,
    run: (input, onEvent) =>
      runDailyWorkflow(parseInput(symbolUpdaterEvent, input, "event"), {
        environment: {
          ASX_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.directory}`,
          ASX_OLDER_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.olderDirectory}`,
          YAHOO_URL: "http://sandbox",
          BATCH_SIZE: "2",
          REQUESTS_PER_SECOND: "unlimited",
        },
        runtime: { ...createTestRuntime({ fetch: upstream.fetch }), clock, store },
        maxConcurrency: 10,
        onNotification: () => undefined,
        onEvent,
        retryDelayMs: 0,
        run: randomUUID(),
        longestRedriveWaitMs: 0,
      }),
    ...options,
  });
  servers.push(server);
  const environment = { AWS_ENDPOINT_URL_SFN: server.endpoint, AWS_ENDPOINT_URL_S3: s3.endpoint };
  return {
    server,
    store,
    clock,
    environment,
    arn: `arn:aws:states:ap-southeast-2:123456789012:execution:asx-eod-daily:run-${DAY}`,
    execute: (args: readonly string[], more: CommandOptions = {}) =>
      asx(["execute", "--state-machine", server.stateMachineArn, ...args], { environment, ...more }),
  };
}

/** Answers the charts of some tickers with a status. */
function failing(status: number, ...tickers: readonly string[]): Delivery {
  return async (answer, { ticker }) =>
    ticker !== undefined && tickers.includes(ticker) ? { status, contentType: "text/plain", body: "" } : answer;
}

const noDirectory: Delivery = async () => ({ status: 404, contentType: "text/html", body: "" });

describe("asx execute --wait", () => {
  it("starts the last finished trading day, follows it and reports it as asx run does", async () => {
    const { server, store, execute } = await deploy();
    const { stdout, stderr, exitCode } = await execute(["--wait"]);
    expect({ stderr, exitCode }).toMatchObject({ exitCode: 0 });
    expect(Object.fromEntries(server.inputs)).toEqual({ [`run-${DAY}`]: `{"date":"${DAY}"}` });
    expect(stdout).toMatch(/^ASX 2024-05-31: complete in \d+\.\d s\. 4 bars of 5 symbols\.$/m);
    expect(stdout).toContain(`Bars:    ${store.url}/raw-data/${DAY}*.parquet (3 files`);
    expect(stdout).toContain(
      `Look:    AWS_REGION=ap-southeast-2 npx asx show --date ${DAY} --symbol AAA --store ${store.url}`,
    );
    expect(stdout).toContain(`  AWS_REGION=ap-southeast-2 npx asx status --date ${DAY} --store ${store.url}`);
  });

  it("names no region in the commands of its report where the environment has one", async () => {
    const { execute, environment } = await deploy();
    const { stdout } = await execute(["--wait"], { environment: { ...environment, AWS_REGION: "us-east-1" } });
    expect(stdout).toContain("Look:    npx asx show");
    expect(stdout).not.toContain("AWS_REGION");
  });

  it("off a terminal logs one plain line a step on standard error", async () => {
    const { execute, arn, store } = await deploy({ delivery: failing(503, "EEE.AX") });
    const { stderr } = await execute(["--wait"]);
    const lines = stderr
      .trim()
      .split("\n")
      .map((line) => line.replace(/^\S+Z /, ""));
    expect(lines[0]).toBe(`INFO ASX ${DAY}: run-${DAY} started at ${STARTED}, ${arn}`);
    expect(lines[1]).toBe(`INFO ${DAY}: 5 symbols in 3 batches`);
    expect(
      lines
        .filter((line) => line.startsWith("INFO batch"))
        .map((line) => line.replace(/, \d of/, ", n of"))
        .toSorted(),
    ).toEqual([
      "INFO batch 0: fetched 2, n of 3 done",
      "INFO batch 1: fetched 1 noTrade 1, n of 3 done",
      ...Array.from({ length: 3 }, () => "INFO batch 2: failed 1, n of 3 done"),
    ]);
    expect(lines.filter((line) => line.includes("is fetched again, in round "))).toHaveLength(2);
    expect(lines.at(-1)).toMatch(`INFO ASX ${DAY}: partial. 3 of 5 symbols have a bar`);
    expect(lines.at(-1)).toContain(`${store.url}/runs/${DAY}.json`);
    expect(stderr).not.toContain("\u001b[");
  });

  it("on a terminal keeps its logs back and shows a table of the outcomes", async () => {
    const down = failing(503, "EEE.AX");
    const delivery: Delivery = async (answer, request) =>
      request.path === SANDBOX_PATHS.directory ? { ...answer, status: 404 } : down(answer, request);
    const { execute } = await deploy({ delivery });
    const { stdout, stderr, exitCode } = await execute(["--wait"], { interactive: true });
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(/outcome +symbols +meaning\nfetched +3 /);
    expect(stderr).toContain(
      `ASX ${DAY}: run-${DAY} started at ${STARTED}. https://ap-southeast-2.console.aws.amazon.com/`,
    );
    expect(stderr).not.toContain("INFO");
    expect(stderr).toMatch(/WARN no directory from sandbox: HTTP 404/);
  });

  it("with --json prints the run summary and nothing else", async () => {
    const { store, execute } = await deploy();
    const { stdout, exitCode } = await execute(["--date", DAY, "--wait", "--json"], { interactive: true });
    expect(exitCode).toBe(0);
    const stored = new TextDecoder().decode(await store.get(`runs/${DAY}.json`));
    expect(runSummary.parse(JSON.parse(stdout))).toEqual(JSON.parse(stored));
  });

  it("of a partial day ends with 2, although the execution fails and has no output", async () => {
    const { execute } = await deploy({ delivery: failing(403, "BBB.AX") });
    const { stdout, exitCode } = await execute(["--wait"]);
    expect(exitCode).toBe(2);
    expect(stdout).toContain(`ASX ${DAY}: partial`);
  });

  it("of a closed day ends well", async () => {
    const { execute } = await deploy();
    const { stdout, stderr, exitCode } = await execute(["--wait", "--date", "2024-04-25"]);
    expect({ stdout, exitCode }).toEqual({
      stdout: "ASX 2024-04-25: the market was closed; nothing was fetched.\n",
      exitCode: 0,
    });
    expect(stderr).toContain("2024-04-25: no trading day");
  });

  it("of a day without a bar ends with 1", async () => {
    const { execute } = await deploy({ market: { bars: { AAA: {}, BBB: {} } } });
    const { stdout, exitCode } = await execute(["--wait"]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`ASX ${DAY}: failed`);
  });

  it("without symbols ends with 1, the error that led to it and nothing on standard output", async () => {
    const { execute, arn } = await deploy({ delivery: noDirectory });
    const { stdout, stderr, exitCode } = await execute(["--wait", "--json"]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr.match(/WARN UpdateSymbols failed: DirectoryUnavailableError: no directory/g)).toHaveLength(4);
    expect(stderr).toMatch(
      /ended without a run summary: FAILED: NoSymbols: The symbol updater failed; nothing was fetched\. \(UpdateSymbols: DirectoryUnavailableError: no directory .*HTTP 404/,
    );
    expect(stderr).toContain(`#/v2/executions/details/${arn}`);
  });

  it("on a terminal tells at once of a state that fails before there is progress to show", async () => {
    const { execute } = await deploy({ delivery: noDirectory });
    const { stderr } = await execute(["--wait"], { interactive: true });
    expect(stderr.match(/WARN UpdateSymbols failed: DirectoryUnavailableError: /g)).toHaveLength(4);
  });

  it("that breaks off before its summary says why", async () => {
    const { execute, store } = await deploy();
    await store.put(`runs/${DAY}.json`, new TextEncoder().encode("{"));
    const { stderr, exitCode } = await execute(["--wait"]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/FAILED: NoSummary: .* \(SummariseRun: StoredFileError: runs\/2024-05-31\.json is damaged/);
  });

  it.each([
    [
      "ABORTED",
      { error: "Mistake", cause: "the wrong day" },
      "ended without a run summary: ABORTED: Mistake: the wrong day",
    ],
    ["ABORTED", {}, "ended without a run summary: ABORTED\n"],
    ["TIMED_OUT", { error: "States.Timeout" }, "ended without a run summary: TIMED_OUT: States.Timeout\n"],
  ] as const)("of an execution that is %s %j ends with 1 and says so", async (status, reason, message) => {
    const deployed = await deploy({
      fault(operation, count) {
        if (operation === "DescribeExecution" && count === 2) deployed.server.end(`run-${DAY}`, status, reason);
        return undefined;
      },
    });
    const { stdout, stderr, exitCode } = await deployed.execute(["--wait"]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toContain(message);
    // The history says that it has ended: there is nothing to wait for.
    expect(deployed.server.requests.filter((request) => request.startsWith("DescribeExecution"))).toHaveLength(2);
  });

  it("takes named symbols and a directory that shrank, as asx run does", async () => {
    const { execute, server } = await deploy();
    const { stdout } = await execute(["--wait", "--symbols", "aaa,CCC", "--accept-directory", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ symbols: { source: "event", total: 2 } });
    expect(JSON.parse(server.inputs.get(`run-${DAY}`) ?? "")).toEqual({
      date: DAY,
      symbols: ["AAA", "CCC"],
      acceptDirectory: true,
    });
  });

  it("takes closures into account for the default date", async () => {
    const { execute, server } = await deploy();
    await execute(["--closures", DAY]);
    expect([...server.inputs.keys()]).toEqual(["run-2024-05-30"]);
  });

  it("reads a history of more than a page whole and no event twice", async () => {
    const deployed = await deploy({ eventsPerLook: 10_000 });
    const { stderr, exitCode } = await deployed.execute(["--wait"]);
    expect(exitCode).toBe(0);
    expect(stderr.match(/INFO batch/g)).toHaveLength(3);
    const asked = deployed.server.requests.map((request) => request.split(" ")[0]);
    expect(asked).toEqual([
      "StartExecution",
      "DescribeExecution",
      "GetExecutionHistory",
      "GetExecutionHistory",
      "DescribeExecution",
      "GetExecutionHistory",
    ]);
  });

  it("asks for one page a look while little happens", async () => {
    const { execute, server } = await deploy({ eventsPerLook: 5 });
    await execute(["--wait"]);
    const looks = server.requests.filter((request) => request.startsWith("GetExecutionHistory")).length;
    const checks = server.requests.filter((request) => request.startsWith("DescribeExecution")).length;
    expect(looks).toBe(checks);
  });

  it("waits for a history that is behind the execution", async () => {
    const { execute } = await deploy({ isHistoryLate: true, eventsPerLook: 20 });
    expect(await execute(["--wait"])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("complete") });
  });

  it("takes the digest from the output of an execution whose history never gets whole", async () => {
    const { execute } = await deploy({ isHistoryLate: true, eventsPerLook: 1 });
    expect(await execute(["--wait"])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("complete") });
  });

  it("goes on through events that it cannot read", async () => {
    const { execute } = await deploy({
      change: (operation, answer) =>
        operation === "GetExecutionHistory" ? { ...answer, events: garble(answer["events"]) } : undefined,
    });
    const { stdout, stderr, exitCode } = await execute(["--wait"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("complete");
    expect(stderr).not.toContain("INFO batch");
  });
});

const exitOfBatch = z.object({ stateExitedEventDetails: z.object({ name: z.literal("FetchBatch") }) });

/** Gives batches another output, and puts events between that no version of the service has sent yet. */
function garble(events: unknown): unknown[] {
  return z
    .array(z.record(z.string(), z.unknown()))
    .parse(events)
    .flatMap((event) => [
      exitOfBatch.safeParse(event).success
        ? { ...event, stateExitedEventDetails: { name: "FetchBatch", output: "{" } }
        : event,
      { id: "x", type: 5 },
      { ...event, id: Number(event["id"]) + 0.5, type: "SomethingNew" },
    ]);
}

describe("asx execute without --wait", () => {
  it("says which execution started and how to follow and stop it", async () => {
    const { execute, server, arn } = await deploy();
    const { stdout, stderr, exitCode } = await execute(["--date", DAY]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout.split("\n")).toEqual([
      `ASX ${DAY}: run-${DAY} started at ${STARTED}.`,
      `Execution: ${arn}`,
      `Console:   https://ap-southeast-2.console.aws.amazon.com/states/home?region=ap-southeast-2#/v2/executions/details/${arn}`,
      `Follow:    npx asx execute --state-machine ${server.stateMachineArn} --date ${DAY} --wait`,
      `Stop:      aws stepfunctions stop-execution --execution-arn ${arn} --region ap-southeast-2`,
      "",
    ]);
    expect(server.requests).toEqual([`StartExecution run-${DAY}`]);
  });

  it("gives the options of the run in the command that follows it", async () => {
    const { execute } = await deploy();
    const { stdout } = await execute([
      ...["--symbols", "BHP,CBA", "--accept-directory", "--closures", "2024-05-30,2024-05-29"],
    ]);
    expect(stdout).toContain(
      `--date ${DAY} --symbols BHP,CBA --closures 2024-05-30,2024-05-29 --accept-directory --wait\n`,
    );
  });

  it("with --json prints the execution", async () => {
    const { execute, arn } = await deploy();
    const { stdout } = await execute(["--json"]);
    expect(JSON.parse(stdout)).toEqual({ executionArn: arn, name: `run-${DAY}`, date: DAY, startedAt: STARTED });
  });
});

describe("a date that was started before", () => {
  it("and still runs is not started again but followed", async () => {
    const { execute, server } = await deploy();
    await execute([]);
    const later = { now: "2024-05-31T19:40:00+10:00" };
    const second = await execute([], later);
    expect(second.stdout).toContain(`run-${DAY} started at ${STARTED} (it may have been running already).`);
    const { stdout, stderr, exitCode } = await execute(["--wait"], later);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(`run-${DAY} started at ${STARTED} (it may have been running already)`);
    expect(stdout).toContain("complete");
    expect(server.inputs.size).toBe(1);
  });

  it("and still runs with another input is not started: which one it is, and its input", async () => {
    const { execute, arn } = await deploy();
    await execute(["--symbols", "AAA"]);
    const { stdout, stderr, exitCode } = await execute(["--wait"]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toBe(
      `asx: run-${DAY} was started at ${STARTED} with another input, {"date":"${DAY}","symbols":["AAA"]}, and is running (${arn}). Let it end; then --again starts another\n`,
    );
  });

  it("and has ended with another input is not followed, and its input is cut where it is long", async () => {
    const { execute } = await deploy();
    const symbols = Array.from({ length: 100 }, (_, index) => `A${100 + index}`).join(",");
    await execute(["--wait", "--symbols", symbols]);
    const { stdout, stderr, exitCode } = await execute(["--wait"]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    const [, shown = ""] = /with another input, (.*), and has ended FAILED: /.exec(stderr) ?? [];
    expect(shown).toHaveLength(200);
    expect(shown).toMatch(/^\{"date":"2024-05-31","symbols":\["A100",.* \.\.\. .*"A199"\]\}$/);
  });

  it("and is said to run although it has just ended is not said to have another input", async () => {
    const { execute, arn } = await deploy({
      change: (operation, { status, stopDate, ...answer }) =>
        operation === "DescribeExecution" ? { ...answer, status: "RUNNING" } : undefined,
      fault: (operation, count) => (operation === "StartExecution" && count > 1 ? exists : undefined),
    });
    await execute([]);
    const { stderr, exitCode } = await execute([]);
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      `asx: run-${DAY} was started at ${STARTED} and is running or has just ended (${arn}). Follow it with --wait, or start another with --again\n`,
    );
  });

  it.each([
    [[], 0],
    [["--json"], 0],
  ])("and has ended is followed with --wait %j all the same", async (more, code) => {
    const { execute, server } = await deploy({
      // The same input, as somebody else would write it.
      change: (operation, answer) =>
        operation === "DescribeExecution" ? { ...answer, input: `{ "date": "${DAY}" }\n` } : undefined,
    });
    const first = await execute(["--wait", ...more]);
    const { stdout, stderr, exitCode } = await execute(["--wait", ...more]);
    expect(exitCode).toBe(code);
    expect(stdout).toBe(first.stdout);
    expect(stderr).toContain(`asx: nothing was started: run-${DAY} has ended already; --again starts another\n`);
    expect(stderr.match(/INFO batch/g)).toHaveLength(3);
    expect(server.inputs.size).toBe(1);
  });

  it.each([
    ["complete", undefined, `ended SUCCEEDED: ASX ${DAY}: complete.`],
    ["partial", failing(403, "BBB.AX"), "ended FAILED: RunPartial: Some symbols failed"],
  ])("and has ended %s is not started: which one it is, how it ended, and --again", async (_, delivery, ended) => {
    const { execute, arn } = await deploy({ ...(delivery !== undefined && { delivery }) });
    await execute(["--wait"]);
    const { stdout, stderr, exitCode } = await execute(["--json"]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toContain(`asx: run-${DAY} was started at ${STARTED} and has ${ended}`);
    expect(stderr).toContain(`(${arn}). Start another with --again\n`);
  });

  it("and cannot be looked at still names --again", async () => {
    const { execute, arn } = await deploy({
      fault: (operation) => (operation === "DescribeExecution" ? denied : undefined),
    });
    await execute(["--symbols", "AAA"]);
    const { stderr, exitCode } = await execute([]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(`asx: run-${DAY} exists already: ${arn}; cannot describe`);
    expect(stderr).toContain("Start another with --again");
  });

  it("starts another with --again although it runs, and warns of that", async () => {
    const { execute, server } = await deploy();
    await execute([]);
    const { stdout, stderr, exitCode } = await execute(["--again"], { now: "2024-05-31T19:40:00+10:00" });
    expect(exitCode).toBe(0);
    expect(stderr).toContain(
      `WARN run-${DAY}, started at ${STARTED}, is RUNNING: while it has the date, this one leaves it to that`,
    );
    expect(stdout).not.toContain("may have been running");
    expect(stdout).toMatch(
      /^Follow: {4}aws stepfunctions describe-execution --execution-arn \S+Z --region ap-southeast-2$/m,
    );
    expect(server.inputs.size).toBe(2);
  });

  it("starts another with --again where it may not look at the first one", async () => {
    const { execute, server } = await deploy({
      fault: (operation) => (operation === "DescribeExecution" ? denied : undefined),
    });
    const { stderr, exitCode } = await execute(["--again"]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(`WARN whether run-${DAY} is running is not known: cannot describe`);
    expect(server.inputs.size).toBe(1);
  });

  it("starts another with --again, under a name with the instant", async () => {
    const { execute, server, store } = await deploy();
    await execute(["--wait"]);
    const again = `run-${DAY}-20240531T094000Z`;
    const { stdout, stderr } = await execute(["--again"], { now: "2024-05-31T19:40:00.123+10:00" });
    expect(stderr).toBe("");
    expect([...server.inputs.keys()]).toEqual([`run-${DAY}`, again]);
    expect(server.inputs.get(again)).toBe(`{"date":"${DAY}"}`);
    expect(stdout).toContain(
      `Follow:    AWS_REGION=ap-southeast-2 npx asx status --date ${DAY} --store ${store.url}\n`,
    );
  });

  it("leaves the date to another run that has it, and ends with 1 and whose it is", async () => {
    const { execute, store, clock } = await deploy();
    await takeRunLock(store, DAY, { run: "another" }, { clock, expiresAfterMs: 60_000 });
    const { stdout, stderr, exitCode } = await execute(["--wait"]);
    expect([stdout, exitCode]).toEqual(["", 1]);
    expect(stderr).toContain(`asx: ${DAY} is being run by the execution another since`);
  });

  it.each([
    [["--catch-up"], '"fillDays":30'],
    [["--catch-up", "--days", "7", "--reread"], '"fillDays":7,"catchUp":true'],
  ])("with %j says so to the workflow", async (options, said) => {
    const { execute, server } = await deploy();
    const { stdout } = await execute([...options, "--date", DAY]);
    expect(server.inputs.get(`run-${DAY}`)).toBe(`{"date":"${DAY}",${said}}`);
    expect(stdout).toContain(
      options.includes("7") ? " --catch-up --days 7 --reread --wait" : " --catch-up --days 30 --wait",
    );
  });

  it.each([[["--days", "7"]], [["--reread"]]])("refuses %j without --catch-up", async (options) => {
    const { execute, server } = await deploy();
    const { stderr, exitCode } = await execute(options);
    expect(exitCode).toBe(64);
    expect(stderr).toContain("give --catch-up with them");
    expect(server.inputs.size).toBe(0);
  });
});

const denied = {
  type: "AccessDeniedException",
  message: "User: arn:aws:iam::123456789012:user/me is not authorized",
} as const;
const exists = { type: "ExecutionAlreadyExists", message: "Execution Already Exists" } as const;
const missing = { type: "ExecutionDoesNotExist", message: "Execution Does Not Exist" } as const;
const throttled = { type: "ThrottlingException", message: "Rate exceeded" } as const;

describe("trouble with Step Functions", () => {
  it("that passes is waited out: throttling, faults of the service", async () => {
    const { execute, server } = await deploy({
      fault(operation, count) {
        if (operation === "StartExecution" && count < 3) return throttled;
        if (operation === "GetExecutionHistory" && count > 2 && count < 6) return throttled;
        if (operation === "DescribeExecution" && count === 3)
          return { ...throttled, status: 500, type: "InternalFailure" };
        return undefined;
      },
    });
    const { stdout, stderr, exitCode } = await execute(["--wait"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("complete");
    expect(stderr.match(/WARN cannot start .*: ThrottlingException: Rate exceeded; try again in \d+ ms/g)).toHaveLength(
      2,
    );
    expect(stderr.match(/WARN cannot read the history of/g)).toHaveLength(3);
    expect(server.inputs.size).toBe(1);
  });

  it("that does not know yet what was just started is waited out", async () => {
    const { execute } = await deploy({
      fault: (operation, count) => (operation === "DescribeExecution" && count < 5 ? missing : undefined),
    });
    expect(await execute(["--wait"])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("complete") });
  });

  it.each([
    ["never knows what was started", 1, 5],
    ["no longer knows what was followed", 2, 2],
  ])("that %s ends with 1", async (_, from, asked) => {
    const { execute, server } = await deploy({
      fault: (operation, count) => (operation === "DescribeExecution" && count >= from ? missing : undefined),
    });
    const { stderr, exitCode } = await execute(["--wait"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("ExecutionDoesNotExist: Execution Does Not Exist; the service keeps a record for 90 days");
    expect(server.requests.filter((request) => request.startsWith("DescribeExecution"))).toHaveLength(asked);
  });

  it("while starting is told of at once on a terminal", async () => {
    const { execute } = await deploy({
      fault: (operation) => (operation === "StartExecution" ? throttled : undefined),
    });
    const { stderr, exitCode } = await execute(["--wait"], { interactive: true });
    expect(exitCode).toBe(1);
    expect(stderr.match(/WARN cannot start/g)).toHaveLength(7);
  });

  it("that stays ends the following with 1, and says that the execution goes on", async () => {
    const { execute, server } = await deploy({
      fault: (operation, count) => (operation === "GetExecutionHistory" && count > 1 ? throttled : undefined),
    });
    const { stdout, stderr, exitCode } = await execute(["--wait"]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(server.requests.filter((request) => request.startsWith("GetExecutionHistory"))).toHaveLength(9);
    expect(stderr).toMatch(
      /^asx: cannot read the history of arn:\S+ at http:\S+: ThrottlingException: Rate exceeded; try again\. The execution goes on; follow it: npx asx execute --state-machine \S+ --date 2024-05-31 --wait$/m,
    );
  });

  it("of an answer in another form is trouble too, not a crash", async () => {
    const { execute } = await deploy({
      change: (operation) => (operation === "DescribeExecution" ? { status: "DREAMING" } : undefined),
    });
    const { stderr, exitCode } = await execute(["--wait"]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/cannot describe arn:\S+ at http:\S+: the answer is not of Step Functions' form/);
  });

  it("of a history that stalls is trouble too, not a short history", async () => {
    const { execute } = await deploy({
      change: (operation, answer) =>
        operation === "GetExecutionHistory" ? { ...answer, nextToken: "WzEsMF0=" } : undefined,
    });
    const { stderr, exitCode } = await execute(["--wait"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("stopped after 7 events");
  });

  it.each([
    ["StartExecution", denied, "states:StartExecution on the state machine"],
    ["GetExecutionHistory", denied, "states:GetExecutionHistory on its executions. The execution goes on; follow it"],
    [
      "StartExecution",
      { type: "ExpiredTokenException", message: "The security token included in the request is expired" },
      "sign in again",
    ],
    [
      "StartExecution",
      { type: "UnrecognizedClientException", message: "The security token is invalid" },
      "AWS_PROFILE",
    ],
    ["StartExecution", { type: "InvalidSignatureException", message: "Signature expired" }, "this machine's clock"],
    ["StartExecution", { type: "StateMachineDeleting", message: "being deleted" }, "deploy it again"],
    ["StartExecution", { type: "ExecutionLimitExceeded", message: "too many" }, "when some have ended"],
  ] as const)(
    "of %s refused with %j ends with 1, what was tried and what to do, and asks once",
    async (operation, fault, advice) => {
      const { execute, server } = await deploy({ fault: (asked) => (asked === operation ? fault : undefined) });
      const { stdout, stderr, exitCode } = await execute(["--wait"]);
      expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
      expect(stderr).toContain(`${fault.type}: ${fault.message} (HTTP 400); `);
      expect(stderr).toContain(advice);
      expect(stderr).not.toMatch(/^ +at /m);
      expect(server.requests.filter((request) => request.startsWith(operation))).toHaveLength(1);
    },
  );

  it("of an unknown state machine names its ARN and the endpoint that was asked", async () => {
    const { environment, server } = await deploy();
    const unknown = "arn:aws:states:ap-southeast-2:123456789012:stateMachine:other";
    const { stderr, exitCode } = await asx(["execute", "--state-machine", unknown], { environment });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`cannot start run-${DAY} of ${unknown} at ${server.endpoint}: StateMachineDoesNotExist`);
    expect(stderr).toContain("check the ARN, its region and its account");
  });

  it("of credentials that have expired where they are had from is not waited out", async () => {
    const { execute, server } = await deploy();
    let asked = 0;
    const sts = await startAnsweringServer((_, response) => {
      asked += 1;
      response.writeHead(400, { "content-type": "text/xml" });
      response.end(
        `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>Token expired</Message></Error><RequestId>1</RequestId></ErrorResponse>`,
      );
    });
    vi.stubEnv("AWS_ACCESS_KEY_ID", undefined).stubEnv("AWS_SECRET_ACCESS_KEY", undefined);
    vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", fileURLToPath(import.meta.url));
    vi.stubEnv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/me").stubEnv("AWS_ENDPOINT_URL_STS", sts.endpoint);
    try {
      const { stderr, exitCode } = await execute([]);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/^asx: cannot start .*: ExpiredTokenException: .*\(HTTP 400\); .* sign in again$/m);
      expect({ asked, requests: server.requests }).toEqual({ asked: 1, requests: [] });
    } finally {
      vi.stubEnv("AWS_ACCESS_KEY_ID", "S3RVER").stubEnv("AWS_SECRET_ACCESS_KEY", "S3RVER");
      vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", undefined).stubEnv("AWS_ROLE_ARN", undefined);
      vi.stubEnv("AWS_ENDPOINT_URL_STS", undefined);
      await sts.close();
    }
  });

  it("of missing credentials says which are needed, without a request", async () => {
    const { execute, server } = await deploy();
    vi.stubEnv("AWS_ACCESS_KEY_ID", undefined).stubEnv("AWS_SECRET_ACCESS_KEY", undefined);
    try {
      const { stderr, exitCode } = await execute([]);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(
        /CredentialsProviderError: .*; check the AWS credentials \(AWS_PROFILE, or AWS_ACCESS_KEY_ID/,
      );
      expect(server.requests).toEqual([]);
    } finally {
      vi.stubEnv("AWS_ACCESS_KEY_ID", "S3RVER").stubEnv("AWS_SECRET_ACCESS_KEY", "S3RVER");
    }
  });
});

describe("a run summary that cannot be read", () => {
  it("for want of permission leaves the digest, a warning and the exit code of the status", async () => {
    const { execute, environment } = await deploy({ delivery: failing(403, "BBB.AX") });
    const refusing = await startAnsweringServer((_, response) => {
      response.writeHead(403, { "content-type": "application/xml" });
      response.end("<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>");
    });
    try {
      const options = { environment: { ...environment, AWS_ENDPOINT_URL_S3: refusing.endpoint } };
      const { stdout, stderr, exitCode } = await execute(["--wait"], options);
      expect(exitCode).toBe(2);
      expect(stdout).toMatch(/^ASX 2024-05-31: partial\. 3 of 5 symbols have a bar; .* Details: s3:\/\/\S+\n$/);
      expect(stderr).toMatch(
        /asx: the run of 2024-05-31 is partial, but its summary cannot be shown: cannot read s3:\/\/\S+: AccessDenied/,
      );
      const asJson = await execute(["--wait", "--again", "--json"], options);
      expect(asJson).toMatchObject({ stdout: "", exitCode: 1 });
      expect(asJson.stderr).toContain("its summary cannot be shown");
    } finally {
      await refusing.close();
    }
  });

  it.each([
    [[], 0, /^ASX 2024-05-31: complete\. 4 of 5 .*\n$/],
    [["--json"], 1, /^$/],
  ])("%j because a later run has replaced it is not taken for this run's", async (more, code, printed) => {
    const { execute, store } = await deploy();
    await execute(["--wait"]);
    const bytes = await store.get(`runs/${DAY}.json`);
    const summary = runSummary.parse(JSON.parse(new TextDecoder().decode(bytes)));
    const later = { ...summary, status: "failed", startedAt: "2024-05-31T09:30:01.500Z" };
    await store.put(`runs/${DAY}.json`, new TextEncoder().encode(JSON.stringify(later)));
    const { stdout, stderr, exitCode } = await execute(["--wait", ...more]);
    expect(exitCode).toBe(code);
    expect(stdout).toMatch(printed);
    expect(stderr).toContain(
      "asx: the run of 2024-05-31 is complete, but its summary cannot be shown: another run, started at 2024-05-31T09:30:01.500Z, has replaced it\n",
    );
  });

  it("because the history names a folder is not looked for on this machine", async () => {
    const { execute } = await deploy({
      change: (operation, answer) =>
        operation === "GetExecutionHistory"
          ? JSON.stringify(answer).replaceAll(/s3:\/\/test-bucket-\d+/g, "file:/etc")
          : undefined,
    });
    const { stdout, stderr, exitCode } = await execute(["--wait"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`ASX ${DAY}: complete.`);
    expect(stderr).toContain('stored it in "file:/etc/asx", which is no s3:// address');
  });
});

describe("an execution that does not end as its summary says", () => {
  it("is not called good", async () => {
    const deployed = await deploy({
      eventsPerLook: 1,
      change(operation, answer) {
        const isSummarised = JSON.stringify(answer).includes('"stateExitedEventDetails":{"name":"SummariseRun"');
        if (operation === "GetExecutionHistory" && isSummarised) deployed.server.end(`run-${DAY}`, "ABORTED");
        return undefined;
      },
    });
    const { stdout, stderr, exitCode } = await deployed.execute(["--wait"]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain("complete");
    expect(stderr).toContain("asx: the day is complete, but the execution ended ABORTED");
  });

  it("or that never summarised anything is told from a good one", async () => {
    const { execute } = await deploy({
      change: (operation, { output, ...answer }) => {
        if (operation === "DescribeExecution") return answer;
        if (operation === "GetExecutionHistory") return JSON.stringify(answer).replaceAll("SummariseRun", "Other");
        return undefined;
      },
    });
    const { stdout, stderr, exitCode } = await execute(["--wait"]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toContain("is it the daily state machine?");
  });
});

describe("Ctrl-C", () => {
  /** Runs `asx execute --wait` and interrupts it where a request is made. */
  async function interruptAt(operation: string, args: readonly string[] = ["--wait"]) {
    const { promise: interruption, resolve: interrupt } = Promise.withResolvers<void>();
    const deployed = await deploy({
      fault(asked) {
        if (asked === operation) interrupt();
        return undefined;
      },
    });
    const summaries = await startAnsweringServer((_, response) => {
      interrupt();
      setImmediate(() => response.writeHead(404).end());
    });
    let quitWith: number | undefined;
    const { stderr } = await deployed.execute(args, {
      ...(operation === "GetObject" && {
        environment: { ...deployed.environment, AWS_ENDPOINT_URL_S3: summaries.endpoint },
      }),
      interrupted: () => interruption,
      onQuit: (code) => {
        quitWith = code;
      },
    });
    await summaries.close();
    expect(quitWith).toBe(130);
    return { stderr, arn: deployed.arn, machine: deployed.server.stateMachineArn };
  }

  it.each([["--wait"], ["--json"]])("while starting with %s says how to see whether it was", async (option) => {
    const { stderr, arn } = await interruptAt("StartExecution", [option]);
    expect(stderr).toContain(
      `asx: interrupted; a start may have been accepted. Look with: aws stepfunctions describe-execution --execution-arn ${arn} --region ap-southeast-2\n`,
    );
  });

  it("while following says that the execution goes on and how to stop it", async () => {
    const { stderr, arn, machine } = await interruptAt("GetExecutionHistory");
    expect(stderr).toContain(
      `asx: interrupted; the execution goes on. Follow it: npx asx execute --state-machine ${machine} --date ${DAY} --wait\n`,
    );
    expect(stderr).toContain(
      `asx: stop it: aws stepfunctions stop-execution --execution-arn ${arn} --region ap-southeast-2\n`,
    );
  });

  it("while the summary is read says that the execution has ended", async () => {
    const { stderr } = await interruptAt("GetObject");
    expect(stderr).toContain("asx: interrupted; the execution has ended. Look at it: https://ap-southeast-2.console");
  });
});

describe("bad usage", () => {
  it.each([
    [[], "--state-machine"],
    [["--state-machine", "asx-eod-daily"], "unqualified ARN of a state machine in partition aws, aws-cn or aws-us-gov"],
    [["--state-machine", "asx-eod-daily"], "arn:aws:states:REGION:ACCOUNT:stateMachine:NAME"],
    [["--state-machine", "arn:aws:lambda:ap-southeast-2:123456789012:function:x"], "arn:aws:states"],
    [["--state-machine", "arn:aws:states:ap-southeast-2:123456789012:stateMachine:a b"], "arn:aws:states"],
    [["--state-machine", "arn:aws:states:ap-southeast-2:123:stateMachine:x"], "arn:aws:states"],
    [["--state-machine", "arn:aws:states:evil.example/x?:123456789012:stateMachine:x"], "arn:aws:states"],
  ])("%j is refused with 64 and what is allowed", async (args, allowed) => {
    const { stdout, stderr, exitCode } = await asx(["execute", ...args]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 64 });
    expect(stderr).toContain(allowed);
  });

  it.each([
    [["--date", "2024-02-30"], "YYYY-MM-DD"],
    [["--date", "2024-06-03"], "2024-06-03 is still to come: today is 2024-05-31 in Sydney"],
    [["--date", "2024-06-01"], "2024-06-01 is still to come: today is 2024-05-31 in Sydney"],
    [["--symbols", "../x"], "ASX codes"],
    [["--closures", "soon"], "YYYY-MM-DD"],
    [["extra"], "too many arguments"],
  ])("%j is refused with 64, and nothing is asked", async (args, allowed) => {
    const { execute, server } = await deploy();
    const { stdout, stderr, exitCode } = await execute(args);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 64 });
    expect(stderr).toContain(allowed);
    expect(server.requests).toEqual([]);
  });
});
