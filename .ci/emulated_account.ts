/**
 * An AWS account on loopback: moto's server is Step Functions and S3 and really executes the state
 * machines; this process is its Lambda and SNS, with the real handlers and a made-up market behind them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateStateMachineCommand, SFNClient } from "@aws-sdk/client-sfn";
import { openUpstream } from "../cli/upstream.ts";
import type { BackfillRecord } from "../domain/backfill.ts";
import type { DateSpan } from "../domain/date-span.ts";
import { backfillKey } from "../domain/object-keys.ts";
import { parseBackfillRecord } from "../domain/parse-backfill-record.ts";
import type { RunSummary } from "../domain/run-summary.ts";
import { createBatchFetcher } from "../lambdas/batch-fetcher/handler.ts";
import { createRunSummary } from "../lambdas/run-summary/handler.ts";
import { systemClock } from "../lambdas/runtime/clock.ts";
import { readRunSummary } from "../lambdas/runtime/earlier-sessions.ts";
import { silentMetrics } from "../lambdas/runtime/metrics.ts";
import { takeRunLock } from "../lambdas/runtime/run-lock.ts";
import type { Handler, Runtime } from "../lambdas/runtime/runtime.ts";
import { createSymbolUpdater } from "../lambdas/symbol-updater/handler.ts";
import { STATE_SECONDS } from "../stacks/time-outs.ts";
import { fillBackfillDefinition } from "../state-machines/backfill.ts";
import { fillDailyDefinition } from "../state-machines/daily.ts";
import type { StateMachineJson } from "../state-machines/definition.ts";
import { openStore } from "../stores/open-store.ts";

/** The account, ready to be asked. */
export interface EmulatedAccount {
  /** ARN of the daily workflow. */
  readonly dailyArn: string;
  /** ARN of the workflow of backfills. */
  readonly backfillArn: string;
  /** Environment variables that lead an AWS SDK there and nowhere else. */
  readonly environment: Readonly<Record<string, string>>;
  /** Keeps the symbol updater from answering until the function that is returned is called. */
  holdSymbols(): () => void;
  /** What the account's bucket has of a date. */
  summaryOf(date: string): Promise<RunSummary>;
  /** The record that the account's bucket has of a backfill. */
  backfillOf(span: DateSpan): Promise<BackfillRecord>;
  /** The keys in the account's bucket below a prefix. */
  keysBelow(prefix: string): Promise<string[]>;
  /** Holds the lock on a date, as another execution would. */
  lock(date: string): Promise<void>;
  /** From here on no function can be invoked. */
  closeFunctions(): Promise<void>;
  close(): Promise<void>;
}

const REGION = "ap-southeast-2";
const BUCKET = "asx-eod-emulated";
const FUNCTIONS = `arn:aws:lambda:${REGION}:123456789012:function:`;
const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const PUBLISHED = `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`;

/** Starts the account. @param venv a Python environment with moto's server in it. */
export async function startEmulatedAccount(venv: string): Promise<EmulatedAccount> {
  const handlers = new Map<string, Handler<unknown>>();
  const functions = createServer((request, response) => void serve(handlers, request, response));
  functions.listen(0, "127.0.0.1");
  await once(functions, "listening");
  const address = functions.address();
  if (address === null || typeof address === "string") throw new Error("the functions do not listen on a port");

  const moto = await startMoto(venv, address.port);
  const environment = {
    AWS_ENDPOINT_URL: moto.url,
    AWS_ACCESS_KEY_ID: "emulated",
    AWS_SECRET_ACCESS_KEY: "emulated",
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_CONFIG_FILE: "/nonexistent",
    AWS_SHARED_CREDENTIALS_FILE: "/nonexistent",
  };
  Object.assign(process.env, environment);
  const upstream = await openUpstream("sandbox", systemClock.now);
  const runtime: Runtime = {
    store: await openStore(`s3://${BUCKET}`, { endpoint: moto.url, region: REGION }),
    fetch: globalThis.fetch,
    clock: systemClock,
    random: Math.random,
    logger: SILENT,
    metrics: silentMetrics,
  };
  let held = Promise.resolve();
  const settings = { ...upstream.environment, REQUESTS_PER_SECOND: "unlimited" };
  const updateSymbols = createSymbolUpdater(settings, runtime);
  handlers.set(`${FUNCTIONS}symbol-updater`, (event) => held.then(() => updateSymbols(event)));
  handlers.set(`${FUNCTIONS}batch-fetcher`, createBatchFetcher(settings, runtime));
  handlers.set(`${FUNCTIONS}run-summary`, createRunSummary(settings, runtime));

  async function closeFunctions(): Promise<void> {
    if (!functions.listening) return;
    functions.close();
    functions.closeAllConnections();
    await once(functions, "close");
  }

  return {
    ...(await setUp(moto.url)),
    environment,
    holdSymbols() {
      let release = (): void => undefined;
      held = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
    async summaryOf(date) {
      const summary = await readRunSummary(runtime.store, date);
      if (summary === undefined) throw new Error(`${date} has no run summary`);
      return summary;
    },
    async backfillOf(span) {
      const key = backfillKey(span);
      const bytes = await runtime.store.get(key);
      if (bytes === undefined) throw new Error(`there is no ${key}`);
      return parseBackfillRecord(key, bytes);
    },
    async keysBelow(prefix) {
      return (await runtime.store.list(prefix)).map(({ key }) => key);
    },
    lock: (date) =>
      takeRunLock(runtime.store, date, { run: "another" }, { clock: systemClock, expiresAfterMs: 3_600_000 }),
    closeFunctions,
    async close() {
      await closeFunctions();
      await upstream.close();
      await moto.close();
    },
  };
}

/** Starts moto's server; what its executions invoke and publish goes to another port. */
async function startMoto(venv: string, functionsPort: number): Promise<{ url: string; close(): Promise<void> }> {
  const server = spawn(join(venv, "bin", "moto_server"), ["-H", "127.0.0.1", "-p", "0"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, MOTO_PORT: String(functionsPort), AWS_DEFAULT_REGION: REGION, PYTHONUNBUFFERED: "1" },
  });
  const ended = once(server, "exit");
  // Whatever ends this process must end the server too.
  process.once("exit", () => server.kill());
  const lines = createInterface({ input: server.stderr });
  const printed: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    lines.on("line", (line) => {
      printed.push(line);
      const found = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    server.once("error", reject);
    server.once("exit", (code) => reject(new Error(`moto ended with ${code}: ${printed.slice(-5).join("\n")}`)));
  });
  return {
    url,
    async close() {
      server.kill();
      await ended;
    },
  };
}

/** Makes the bucket and the state machines, and lets moto execute instead of answering with fixed histories. */
async function setUp(url: string): Promise<Pick<EmulatedAccount, "dailyArn" | "backfillArn">> {
  const answer = await fetch(`${url}/moto-api/config`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ stepfunctions: { execute_state_machine: true } }),
  });
  if (!answer.ok) throw new Error(`moto refused its configuration: HTTP ${answer.status}`);
  await new S3Client({ region: REGION, forcePathStyle: true }).send(
    new CreateBucketCommand({ Bucket: BUCKET, CreateBucketConfiguration: { LocationConstraint: REGION } }),
  );
  const placeholders = {
    symbolUpdaterArn: `${FUNCTIONS}symbol-updater`,
    batchFetcherArn: `${FUNCTIONS}batch-fetcher`,
    runSummaryArn: `${FUNCTIONS}run-summary`,
    topicArn: `arn:aws:sns:${REGION}:123456789012:notifications`,
    maxConcurrency: 10,
    ...STATE_SECONDS,
    runTimeoutSeconds: 7200,
  };
  return {
    dailyArn: await createStateMachine("asx-eod-daily", fillDailyDefinition(placeholders)),
    backfillArn: await createStateMachine("asx-eod-backfill", fillBackfillDefinition(placeholders)),
  };
}

async function createStateMachine(name: string, definition: StateMachineJson): Promise<string> {
  const { stateMachineArn } = await new SFNClient({ region: REGION }).send(
    new CreateStateMachineCommand({
      name,
      roleArn: "arn:aws:iam::123456789012:role/states",
      definition: JSON.stringify(definition),
    }),
  );
  if (stateMachineArn === undefined) throw new Error(`moto gave the state machine ${name} no ARN`);
  return stateMachineArn;
}

/** Answers Lambda's Invoke and SNS's Publish. */
async function serve(
  handlers: ReadonlyMap<string, Handler<unknown>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.url ?? "")?.[1];
  const body = await text(request);
  if (name === undefined) {
    response.writeHead(200, { "content-type": "text/xml" }).end(PUBLISHED);
    return;
  }
  const handler = handlers.get(decodeURIComponent(name));
  if (handler === undefined) {
    response.writeHead(404, { "x-amzn-errortype": "ResourceNotFoundException" }).end("{}");
    return;
  }
  try {
    const message = await handler(JSON.parse(body));
    response.writeHead(200).end(JSON.stringify(message));
  } catch (error) {
    const { name: errorType, message: errorMessage } = error instanceof Error ? error : new Error(String(error));
    response.writeHead(200, { "x-amz-function-error": "Unhandled" });
    response.end(JSON.stringify({ errorType, errorMessage, trace: [] }));
  }
}
