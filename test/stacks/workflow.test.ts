import validate from "asl-validator";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { FETCHER_GIGABYTES } from "../../cli/backfill-cost.ts";
import { parseBatchFetcherEnvironment } from "../../lambdas/batch-fetcher/env.ts";
import { REQUEST_RETRY } from "../../lambdas/batch-fetcher/upstream-gate.ts";
import { REQUEST_TIMEOUT_MS } from "../../lambdas/batch-fetcher/yahoo.ts";
import { parseRunSummaryEnvironment } from "../../lambdas/run-summary/env.ts";
import type { RetryPolicy } from "../../lambdas/runtime/retry.ts";
import { DOWNLOAD_RETRY, DOWNLOAD_TIMEOUT_MS } from "../../lambdas/symbol-updater/download-directory.ts";
import { parseSymbolUpdaterEnvironment } from "../../lambdas/symbol-updater/env.ts";
import { splitHistory } from "../../lambdas/symbol-updater/plan-backfill.ts";
import { LAMBDAS } from "../../stacks/bundles.ts";
import { LONGEST_BATCH_SECONDS } from "../../stacks/time-outs.ts";
import { synthesiseStack } from "../support/synthesised-stack.ts";

const stack = synthesiseStack();

const lambda = z.object({
  function_name: z.string(),
  timeout: z.number(),
  memory_size: z.number(),
  environment: z.object({ variables: z.record(z.string(), z.string()) }),
});

function functionOf(name: string, of = stack) {
  return lambda.parse(of.one("aws_lambda_function", `${name}/function`));
}

describe("the Lambdas", () => {
  it.each(LAMBDAS)(
    "%s runs the bundle on Node 24 and arm64, with its own log group, role, traces and version",
    (name) => {
      const body = stack.one("aws_lambda_function", `${name}/function`);
      expect(body).toMatchObject({
        function_name: `asx-eod-prod-${name}`,
        runtime: "nodejs24.x",
        architectures: ["arm64"],
        handler: "index.handler",
        filename: expect.stringMatching(new RegExp(`^assets/.*/${name}\\.zip$`)),
        source_code_hash: "c2hhMjU2",
        role: `<aws_iam_role ${name}/role/role arn>`,
        logging_config: { log_group: `<aws_cloudwatch_log_group ${name}/logs name>`, log_format: "JSON" },
        tracing_config: { mode: "Active" },
        publish: true,
      });
      // The Map state bounds concurrency; a reservation would take from the quota of a new account more than it has.
      expect(body).not.toHaveProperty("reserved_concurrent_executions");
      expect(stack.one("aws_cloudwatch_log_group", `${name}/logs`)).toMatchObject({
        name: `/aws/lambda/asx-eod-prod-${name}`,
        retention_in_days: 365,
      });
      expect(stack.one("aws_lambda_alias", `${name}/alias`)).toMatchObject({
        function_name: `<aws_lambda_function ${name}/function function_name>`,
        function_version: `<aws_lambda_function ${name}/function version>`,
      });
    },
  );

  it("have the memory that the price of a backfill is worked out with", () => {
    expect(functionOf("batch-fetcher").memory_size).toBe(FETCHER_GIGABYTES * 1024);
  });

  it("get their settings in the variables that they read, and the store by its address", () => {
    const set = synthesiseStack({
      ASX_EOD_STAGE: "dev",
      ASX_EOD_BATCH_SIZE: "50",
      ASX_EOD_CONCURRENCY: "4",
      ASX_EOD_REQUESTS_PER_SECOND: "2.5",
      ASX_EOD_EXTRA_SYMBOLS: '["VAS","A200"]',
      ASX_EOD_MARKET_CLOSURES: '["2026-09-22"]',
    });
    const updater = functionOf("symbol-updater", set).environment.variables;
    expect(parseSymbolUpdaterEnvironment(updater)).toMatchObject({
      batchSize: 50,
      maxConcurrency: 4,
      extraSymbols: ["VAS", "A200"],
      marketClosures: ["2026-09-22"],
    });
    const fetcher = functionOf("batch-fetcher", set).environment.variables;
    expect(parseBatchFetcherEnvironment(fetcher)).toMatchObject({
      requestsPerSecond: 2.5,
      marketClosures: ["2026-09-22"],
    });
    const summary = functionOf("run-summary", set).environment.variables;
    expect(parseRunSummaryEnvironment(summary)).toEqual({ marketClosures: ["2026-09-22"] });
    for (const name of LAMBDAS) {
      expect(functionOf(name, set).environment.variables).toMatchObject({
        STORE_URL: "s3://<aws_s3_bucket data/bucket bucket>",
        STAGE: "dev",
      });
    }
  });
});

const form = z.object({ definition: z.string() });
const task = z.object({ TimeoutSeconds: z.number(), Parameters: z.record(z.string(), z.unknown()) });
const daily = z.object({
  TimeoutSeconds: z.number(),
  States: z.object({
    UpdateSymbols: task,
    SummariseRun: task,
    NotifyPartial: task,
    FetchBatches: z.object({
      MaxConcurrency: z.number(),
      ItemProcessor: z.object({
        States: z.object({
          FetchLane: z.object({ ItemProcessor: z.object({ States: z.object({ FetchBatch: task }) }) }),
        }),
      }),
    }),
  }),
});

const backfill = z.object({
  TimeoutSeconds: z.number(),
  States: z.object({
    PlanBackfill: task,
    SummariseBackfill: task,
    NotifyPartial: task,
    FetchHistory: z.object({
      MaxConcurrency: z.number(),
      ItemProcessor: z.object({
        States: z.object({
          FetchLane: z.object({ ItemProcessor: z.object({ States: z.object({ FetchBatch: task }) }) }),
        }),
      }),
    }),
  }),
});

function definitionOf(path: string, of = stack): string {
  return form.parse(of.one("aws_sfn_state_machine", path)).definition;
}

describe.each([
  ["daily/machine", "STANDARD", "daily/role/role", "daily"],
  ["backfill/machine", "STANDARD", "backfill/role/role", "backfill"],
  ["notifications/publish/machine", "EXPRESS", "notifications/publish/role/role", "alarm-publisher"],
])("the state machine %s", (path, type, role, name) => {
  it("has a valid definition with every placeholder filled", () => {
    const definition = definitionOf(path);
    expect(definition).not.toContain("${");
    const arns = definition
      .replaceAll(/<aws_lambda_alias (\S+)\/alias arn>/g, "arn:aws:lambda:ap-southeast-2:123456789012:function:$1:live")
      .replaceAll(/<aws_sqs_queue \S+ url>/g, "https://sqs.ap-southeast-2.amazonaws.com/123456789012/dead-letters")
      .replaceAll(/<aws_sns_topic \S+ arn>/g, "arn:aws:sns:ap-southeast-2:123456789012:notifications");
    const { isValid, errorsText } = validate(JSON.parse(arns), { checkArn: true, checkPaths: true });
    expect(errorsText("\n")).toBe("");
    expect(isValid).toBe(true);
  });

  it("logs and traces its executions under its own role", () => {
    const logs = path.replace(/machine$/, "logs");
    expect(stack.one("aws_sfn_state_machine", path)).toMatchObject({
      name: `asx-eod-prod-${name}`,
      type,
      role_arn: `<aws_iam_role ${role} arn>`,
      logging_configuration: { level: "ALL", log_destination: `<aws_cloudwatch_log_group ${logs} arn>:*` },
      tracing_configuration: { enabled: true },
    });
    expect(stack.one("aws_cloudwatch_log_group", logs)).toMatchObject({
      name: `/aws/vendedlogs/states/asx-eod-prod-${name}`,
      retention_in_days: 365,
    });
  });
});

describe("the daily workflow as deployed", () => {
  const { States, TimeoutSeconds } = daily.parse(JSON.parse(definitionOf("daily/machine")));
  const { FetchBatch } = States.FetchBatches.ItemProcessor.States.FetchLane.ItemProcessor.States;

  it("invokes the aliases of the three Lambdas and publishes to the topic", () => {
    expect(
      [States.UpdateSymbols, FetchBatch, States.SummariseRun].map((state) => state.Parameters["FunctionName"]),
    ).toEqual(LAMBDAS.map((name) => `<aws_lambda_alias ${name}/alias arn>`));
    expect(States.NotifyPartial.Parameters["TopicArn"]).toBe("<aws_sns_topic notifications/topic arn>");
    expect(States.FetchBatches.MaxConcurrency).toBe(10);
  });

  it("has time-outs that fit into each other: request, function, state, run", () => {
    const states = {
      "symbol-updater": States.UpdateSymbols,
      "batch-fetcher": FetchBatch,
      "run-summary": States.SummariseRun,
    };
    // Two addresses after each other; one symbol that fails to the last behind a batch at its slowest allowed.
    const slowest = {
      "symbol-updater": 2 * longestSeconds(DOWNLOAD_RETRY, DOWNLOAD_TIMEOUT_MS),
      "batch-fetcher": LONGEST_BATCH_SECONDS + longestSeconds(REQUEST_RETRY, REQUEST_TIMEOUT_MS),
      "run-summary": 0,
    };
    for (const name of LAMBDAS) {
      expect(slowest[name]).toBeLessThan(functionOf(name).timeout);
      expect(functionOf(name).timeout).toBeLessThan(states[name].TimeoutSeconds);
    }
    expect(functionOf("batch-fetcher").timeout).toBeLessThanOrEqual(900); // Lambda's own limit
    // 2,500 symbols, every state loses its function once, and what is unfinished is fetched twice more.
    const waves = Math.ceil(2_500 / 100 / 10);
    const round = [...Array.from({ length: waves }, () => FetchBatch), States.SummariseRun];
    const secondsOf = (states: readonly z.infer<typeof task>[]): number =>
      states.reduce((total, state) => total + state.TimeoutSeconds, 0);
    const first = 2 * secondsOf([States.UpdateSymbols, ...round]);
    expect(first + 120 + secondsOf(round) + 600 + secondsOf(round)).toBeLessThan(TimeoutSeconds);
    expect(TimeoutSeconds).toBeLessThanOrEqual(86_400);
  });

  it("gets a longer run where fewer batches run at the same time", () => {
    const slow = definitionOf("daily/machine", synthesiseStack({ ASX_EOD_CONCURRENCY: "1" }));
    expect(daily.parse(JSON.parse(slow)).TimeoutSeconds).toBeGreaterThan(25 * 2 * FetchBatch.TimeoutSeconds);
  });
});

describe("the backfill as deployed", () => {
  const { States, TimeoutSeconds } = backfill.parse(JSON.parse(definitionOf("backfill/machine")));
  const { FetchBatch } = States.FetchHistory.ItemProcessor.States.FetchLane.ItemProcessor.States;
  const states = [States.PlanBackfill, FetchBatch, States.SummariseBackfill];

  it("invokes the aliases of the same Lambdas, as many at the same time, and publishes to the same topic", () => {
    expect(states.map((state) => state.Parameters["FunctionName"])).toEqual(
      LAMBDAS.map((name) => `<aws_lambda_alias ${name}/alias arn>`),
    );
    expect(States.NotifyPartial.Parameters["TopicArn"]).toBe("<aws_sns_topic notifications/topic arn>");
    expect(States.FetchHistory.MaxConcurrency).toBe(10);
    const slow = backfill.parse(
      JSON.parse(definitionOf("backfill/machine", synthesiseStack({ ASX_EOD_CONCURRENCY: "4" }))),
    );
    expect(slow.States.FetchHistory.MaxConcurrency).toBe(4);
  });

  it("has time-outs that fit into each other, and a day for the whole of it", () => {
    for (const [index, name] of LAMBDAS.entries()) {
      expect(functionOf(name).timeout).toBeLessThan(states[index]?.TimeoutSeconds ?? 0);
    }
    expect(TimeoutSeconds).toBe(86_400);
    // 2,500 symbols of thirty years, each batch taking as long as it may at the budget.
    const symbols = Array.from({ length: 2_500 }, (_, index) => String(index));
    const batches = splitHistory(symbols, { sessions: 30 * 254, batchSize: 100, first: 0 });
    expect(Math.ceil(batches.length / 10) * LONGEST_BATCH_SECONDS).toBeLessThan(TimeoutSeconds);
  });
});

/** The longest that a request can take with all its repetitions, in seconds. */
function longestSeconds(policy: RetryPolicy, timeoutMs: number): number {
  const waitMs = Math.max(policy.longestDelayMs, policy.longestRetryAfterMs);
  return (policy.attempts * timeoutMs + (policy.attempts - 1) * waitMs) / 1000;
}
