import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { runBackfillWorkflow } from "../../cli/backfill-workflow.ts";
import { backfillEvent, backfillRecord } from "../../domain/backfill.ts";
import { spanName } from "../../domain/date-span.ts";
import { backfillKey } from "../../domain/object-keys.ts";
import { parseInput } from "../../domain/parse.ts";
import { takeRunLock } from "../../lambdas/runtime/run-lock.ts";
import { type Delivery, SANDBOX_PATHS } from "../../sandbox/server.ts";
import { createS3Store } from "../../stores/s3-store.ts";
import { createDrivenClock } from "../support/driven-clock.ts";
import { startS3Server, type TestS3Server } from "../support/s3-server.ts";
import { type StepFunctionsServer, startStepFunctionsServer } from "../support/step-functions-server.ts";
import { createTestRuntime, EVENING } from "../support/test-runtime.ts";
import { asx, type CommandOptions } from "../support/test-terminal.ts";
import { createTinyMarket, sandboxFetch, type TinyMarket } from "../support/tiny-market.ts";

const SPAN = { from: "2024-05-27", to: "2024-05-31" };
const NAME = "backfill-2024-05-27_2024-05-31";
const STARTED = "2024-05-31T09:30:00.000Z";
const MARKET: TinyMarket = {
  bars: { AAA: { "2024-05-27": {}, "2024-05-31": {} }, BBB: {}, CCC: { "2024-05-31": {} } },
};

let s3: TestS3Server;
beforeAll(async () => {
  s3 = await startS3Server();
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

/** The backfill's state machine deployed: the real definition and handlers behind the API, a bucket, and a market. */
async function deploy(delivery?: Delivery) {
  const bucket = await s3.makeBucket();
  const clock = createDrivenClock(EVENING);
  const upstream = sandboxFetch(createTinyMarket(MARKET), clock.now, delivery);
  const store = createS3Store({ bucket, prefix: "asx" }, s3.configuration);
  const server = await startStepFunctionsServer({
    now: clock.now,
    run: (input, onEvent) =>
      runBackfillWorkflow(parseInput(backfillEvent, input, "event"), {
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
  });
  servers.push(server);
  const environment = { AWS_ENDPOINT_URL_SFN: server.endpoint, AWS_ENDPOINT_URL_S3: s3.endpoint };
  return {
    server,
    store,
    clock,
    arn: `arn:aws:states:ap-southeast-2:123456789012:execution:asx-eod-daily:${NAME}`,
    execute: (args: readonly string[], more: CommandOptions = {}) =>
      asx(["execute", "--state-machine", server.stateMachineArn, ...args], { environment, ...more }),
  };
}

const FROM = ["--backfill", "--from", SPAN.from];

function failing(status: number, down: string): Delivery {
  return async (answer, { ticker }) => (ticker === down ? { status, contentType: "text/plain", body: "" } : answer);
}

describe("asx execute --backfill", () => {
  it("starts a backfill up to the last finished trading day, follows it and reports it as asx backfill does", async () => {
    const { server, store, execute } = await deploy();
    const { stdout, stderr, exitCode } = await execute([...FROM, "--wait"]);
    expect({ stderr, exitCode }).toMatchObject({ exitCode: 0 });
    expect(Object.fromEntries(server.inputs)).toEqual({ [NAME]: JSON.stringify({ backfill: SPAN }) });
    expect(stdout).toMatch(
      /^ASX 2024-05-27 to 2024-05-31: complete in \d+\.\d s\. 3 bars of 3 symbols\. 3 requests\.$/m,
    );
    expect(stdout).toContain(`Bars:    ${store.url}/history/2024-05-27_2024-05-31-batch-*.parquet (2 files`);
    expect(stdout).toContain(
      `Look:    AWS_REGION=ap-southeast-2 npx asx show --date 2024-05-31 --symbol AAA --store ${store.url}`,
    );
  });

  it("off a terminal logs a line a batch, and what is left in every round", async () => {
    const { execute } = await deploy(failing(503, "CCC.AX"));
    const { stdout, stderr, exitCode } = await execute([...FROM, "--wait"]);
    const lines = stderr.split("\n").map((line) => line.replace(/^\S+Z /, ""));
    expect(lines.filter((line) => line.includes("symbols in"))).toEqual([
      "INFO 2024-05-27 to 2024-05-31: 3 symbols in 2 batches, 0 of 3 symbols stored already",
      "INFO 2024-05-27 to 2024-05-31: 1 symbols in 1 batches, 2 of 3 symbols stored already",
      "INFO 2024-05-27 to 2024-05-31: 1 symbols in 1 batches, 2 of 3 symbols stored already",
    ]);
    expect(lines.filter((line) => line.startsWith("INFO batch"))).toHaveLength(4);
    expect(exitCode).toBe(2);
    expect(stdout).toContain("2024-05-31: partial");
    expect(stdout).toMatch(
      /^Next: +npx asx execute --state-machine \S+ --backfill --from 2024-05-27 --to 2024-05-31 --again --wait$/m,
    );
  });

  it("with --json prints the record and nothing else", async () => {
    const { store, execute } = await deploy();
    const { stdout } = await execute([...FROM, "--wait", "--json"], { interactive: true });
    const stored = new TextDecoder().decode(await store.get(backfillKey(SPAN)));
    expect(backfillRecord.parse(JSON.parse(stdout))).toEqual(JSON.parse(stored));
  });

  it("without --wait says which execution started and how to follow and stop it", async () => {
    const { execute, server, arn } = await deploy();
    const { stdout, exitCode } = await execute([...FROM, "--to", SPAN.to, "--symbols", "AAA,BBB"]);
    expect(exitCode).toBe(0);
    expect(stdout.split("\n")).toEqual([
      `ASX 2024-05-27 to 2024-05-31: ${NAME} started at ${STARTED}.`,
      `Execution: ${arn}`,
      `Console:   https://ap-southeast-2.console.aws.amazon.com/states/home?region=ap-southeast-2#/v2/executions/details/${arn}`,
      `Follow:    npx asx execute --state-machine ${server.stateMachineArn} --backfill --from 2024-05-27 --to 2024-05-31 --symbols AAA,BBB --wait`,
      `Stop:      aws stepfunctions stop-execution --execution-arn ${arn} --region ap-southeast-2`,
      "",
    ]);
    const json = await execute([...FROM, "--symbols", "AAA,BBB", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual({ executionArn: arn, name: NAME, backfill: SPAN, startedAt: STARTED });
  });

  it("that was started before is not started twice, and --again starts another", async () => {
    const { execute, server } = await deploy();
    await execute([...FROM, "--wait"]);
    const second = await execute([...FROM, "--wait"]);
    expect(second.stderr).toContain(`nothing was started: ${NAME} has ended already; --again starts another`);
    const { exitCode, stdout } = await execute([...FROM, "--wait", "--again"]);
    expect(exitCode).toBe(0);
    expect([...server.inputs.keys()]).toEqual([NAME, `${NAME}-20240531T093000Z`]);
    expect(stdout).toContain("Nothing was left to fetch: no request was made.");
  });

  it("tells on Ctrl-C that the execution goes on, and how to follow it", async () => {
    const { execute, server } = await deploy();
    const quits: number[] = [];
    const { stderr } = await execute([...FROM, "--wait"], {
      interrupted: async () => {
        while (!server.requests.some((request) => request.startsWith("GetExecutionHistory"))) {
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
      onQuit: (code) => quits.push(code),
    });
    expect(quits).toEqual([130]);
    expect(stderr).toContain("interrupted; the execution goes on. Follow it: npx asx execute --state-machine");
    expect(stderr).toContain("--backfill --from 2024-05-27 --to 2024-05-31 --wait");
  });

  it("that leaves its span to another run says so", async () => {
    const { execute, store, clock } = await deploy();
    await takeRunLock(store, spanName(SPAN), { run: "another" }, { clock, expiresAfterMs: 60_000 });
    const { stderr, exitCode } = await execute([...FROM, "--wait"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("the backfill of 2024-05-27 to 2024-05-31 is being run by the execution another");
  });

  it("without a plan ends with 1 and the error that led to it", async () => {
    const { execute } = await deploy(async (answer, { kind }) =>
      kind === "directory" ? { status: 404, contentType: "text/html", body: "" } : answer,
    );
    const { stdout, stderr, exitCode } = await execute([...FROM, "--wait"]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toMatch(
      /ended without a record of the backfill: FAILED: NoPlan: .* \(PlanBackfill: DirectoryUnavailable/,
    );
  });

  it.each([
    [["--backfill"], "--backfill needs --from D"],
    [[...FROM, "--date", "2024-05-31"], "--date is of a single day"],
    [["--from", "2024-05-27"], "--from and --to go with --backfill"],
    [["--date", "2024-05-31", "--to", "2024-05-31"], "--from and --to go with --backfill"],
    [[...FROM, "--to", "2024-06-03"], "the backfill ends on 2024-06-03, but the last session"],
  ])("refuses %j before anything is started", async (args, message) => {
    const { execute, server } = await deploy();
    const { stderr, exitCode } = await execute(args);
    expect(exitCode).toBe(64);
    expect(stderr).toContain(message);
    expect(server.requests).toEqual([]);
  });
});
