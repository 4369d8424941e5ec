import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningSandbox, SANDBOX_PATHS, startSandbox } from "../../sandbox/server.ts";
import { EVENING } from "../support/test-runtime.ts";
import { createTinyMarket } from "../support/tiny-market.ts";

const DAY = "2024-05-31";
/** Stands before what the handler returned, on a line of its own. */
const RESULT = "\nRESULT ";
const run = promisify(execFile);

let folder: string;
let sandbox: RunningSandbox;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  const market = createTinyMarket({ bars: { BHP: { [DAY]: {} }, CBA: {} } });
  sandbox = await startSandbox({ market, now: () => Date.parse(EVENING) });
});
afterAll(async () => {
  await sandbox.close();
  await rm(folder, { recursive: true, force: true });
});

interface Invocation {
  /** What the handler returned, or the error it threw. */
  readonly returned?: Record<string, unknown>;
  readonly thrown?: { readonly name: string; readonly message: string };
  /** Lines of JSON that were printed: logs and metrics. */
  readonly lines: Record<string, unknown>[];
}

/** Invokes a Lambda's entry in a Node process of its own, as the service would: by its module and its environment alone. */
async function invoke(entry: string, event: object, environment: Record<string, string>): Promise<Invocation> {
  const module = new URL(`../../lambdas/${entry}/handler.ts`, import.meta.url).href;
  const script = `
    const { handler } = await import(${JSON.stringify(module)});
    const result = await handler(${JSON.stringify(event)}).then(
      (returned) => ({ returned }),
      ({ name, message }) => ({ thrown: { name, message } }),
    );
    process.stdout.write(${JSON.stringify(RESULT)} + JSON.stringify(result));`;
  const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "--eval", script], {
    env: environment,
  });
  const [logged = "", result = ""] = stdout.split(RESULT);
  const printed = `${logged}\n${stderr}`.split("\n").filter((line) => line.startsWith("{"));
  const lines = printed.map((line): Record<string, unknown> => JSON.parse(line));
  return { ...JSON.parse(result), lines };
}

describe("the entries of the Lambdas", () => {
  it("run a day one after the other, with nothing but environment and events", async () => {
    const environment = {
      STORE_URL: `file:${folder}`,
      ASX_DIRECTORY_URL: `${sandbox.url}${SANDBOX_PATHS.directory}`,
      YAHOO_URL: sandbox.url,
      REQUESTS_PER_SECOND: "unlimited",
    };
    const update = await invoke("symbol-updater", { date: DAY }, environment);
    expect(update.returned).toMatchObject({ symbols: ["BHP", "CBA"], tradingDay: true });
    const batch = await invoke("batch-fetcher", { date: DAY, batchNumber: 0 }, environment);
    expect(batch.returned).toMatchObject({ rows: 1, counts: { fetched: 1, noTrade: 1 } });
    const event = { ...update.returned, startedAt: "2024-05-31T09:30:00.000Z", results: [batch.returned] };
    const summary = await invoke("run-summary", event, environment);
    expect(summary.returned).toMatchObject({ status: "complete", s3Key: `runs/${DAY}.json` });

    expect(batch.lines).toContainEqual(
      expect.objectContaining({
        level: "INFO",
        service: "batch-fetcher",
        message: `raw-data/${DAY}-batch-0.parquet done`,
        batchNumber: 0,
        requests: 2,
      }),
    );
    expect(batch.lines).toContainEqual(
      expect.objectContaining({
        service: "batch-fetcher",
        symbolsFetched: 1,
        symbolsNoTrade: 1,
        upstreamRequests: 2,
      }),
    );
    expect(summary.lines).toContainEqual(
      expect.objectContaining({
        runComplete: 1,
        _aws: expect.objectContaining({
          CloudWatchMetrics: [expect.objectContaining({ Namespace: "AsxEod", Dimensions: [["service"]] })],
        }),
      }),
    );
  });

  it.each(["symbol-updater", "batch-fetcher", "run-summary"])(
    "of the %s refuses an environment without a store by name",
    async (entry) => {
      const { thrown } = await invoke(entry, {}, {});
      expect(thrown).toEqual({ name: "InvalidInputError", message: expect.stringContaining("STORE_URL is missing") });
    },
  );

  it.each([
    ["symbol-updater", { date: "2024-02-30" }, "date is"],
    ["batch-fetcher", { symbols: ["../x"], date: DAY }, "symbols.0 is"],
    ["run-summary", { date: DAY }, "tradingDay is missing"],
  ])(
    "of the %s refuses the event %j with the bad field, under a name that the workflow does not retry",
    async (entry, event, message) => {
      const { thrown, lines } = await invoke(entry, event, { STORE_URL: `file:${folder}` });
      expect(thrown).toEqual({ name: "InvalidInputError", message: expect.stringContaining(message) });
      expect(lines).toContainEqual(expect.objectContaining({ level: "ERROR" }));
    },
  );
});
