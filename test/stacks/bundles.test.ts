import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { backfillKey, historyKey } from "../../domain/object-keys.ts";
import { parseBackfillRecord } from "../../domain/parse-backfill-record.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { METRICS, METRICS_NAMESPACE } from "../../lambdas/runtime/metrics.ts";
import { type RunningSandbox, SANDBOX_PATHS, startSandbox } from "../../sandbox/server.ts";
import { type Bundle, buildBundles, LAMBDAS, type LambdaName } from "../../stacks/bundles.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { createS3Store } from "../../stores/s3-store.ts";
import { sha256Base64 } from "../../stores/sha256.ts";
import { startS3Server, type TestS3Server } from "../support/s3-server.ts";
import { EVENING } from "../support/test-runtime.ts";
import { createTinyMarket } from "../support/tiny-market.ts";
import { unsealed } from "../support/unsealed.ts";

const run = promisify(execFile);
const DAY = "2024-05-31";
const RESULT = "RESULT ";
const LARGEST_ARCHIVE_BYTES = 1_500_000;

let folder: string;
let bundles: Bundle[];
let sandbox: RunningSandbox;
let s3: TestS3Server;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  bundles = await buildBundles(join(folder, "dist"));
  const market = createTinyMarket({ bars: { BHP: { [DAY]: {} }, CBA: {} } });
  sandbox = await startSandbox({ market, now: () => Date.parse(EVENING) });
  s3 = await startS3Server();
});
afterAll(async () => {
  await sandbox?.close();
  await s3?.close();
  await rm(folder, { recursive: true, force: true });
});

const line = z.record(z.string(), z.unknown());
const result = z.object({
  returned: line.optional(),
  thrown: z.object({ name: z.string(), message: z.string() }).optional(),
});
const embeddedMetrics = z.object({
  service: z.string(),
  stage: z.string(),
  _aws: z.object({
    CloudWatchMetrics: z.array(
      z.object({
        Namespace: z.string(),
        Dimensions: z.array(z.array(z.string())),
        Metrics: z.array(z.object({ Name: z.string(), Unit: z.string() })),
      }),
    ),
  }),
});

/** What a handler returned or threw, and the lines of JSON that it printed: logs and metrics. */
type Invocation = z.infer<typeof result> & { readonly lines: Record<string, unknown>[] };

/**
 * Invokes a bundle as Lambda would: plain Node, a folder with nothing but the bundle's own file, and
 * no environment but the function's.
 */
async function invoke(name: LambdaName, event: object, environment: Record<string, string>): Promise<Invocation> {
  const task = await mkdtemp(join(folder, "task-"));
  await cp(join(folder, "dist", name, "index.mjs"), join(task, "index.mjs"));
  const script = `
    const { handler } = await import("./index.mjs");
    const result = await handler(${JSON.stringify(event)}, { getRemainingTimeInMillis: () => 900_000 }).then(
      (returned) => ({ returned }),
      ({ name, message }) => ({ thrown: { name, message } }),
    );
    process.stdout.write("\\n" + ${JSON.stringify(RESULT)} + JSON.stringify(result));`;
  const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: task,
    env: environment,
  });
  const [logged = "", returned = ""] = stdout.split(RESULT);
  const printed = `${logged}\n${stderr}`.split("\n").filter((text) => text.startsWith("{"));
  return { ...result.parse(JSON.parse(returned)), lines: printed.map((text) => line.parse(JSON.parse(text))) };
}

/** The environment of a function whose store is a bucket of the S3 stand-in, and whose upstreams are the sandbox. */
function overS3(bucket: string): Record<string, string> {
  return {
    STORE_URL: `s3://${bucket}`,
    STAGE: "test",
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_REGION: "ap-southeast-2",
    AWS_ACCESS_KEY_ID: "S3RVER",
    AWS_SECRET_ACCESS_KEY: "S3RVER",
    ASX_DIRECTORY_URL: `${sandbox.url}${SANDBOX_PATHS.directory}`,
    YAHOO_URL: sandbox.url,
    REQUESTS_PER_SECOND: "unlimited",
  };
}

/** The name and the dimensions of every metric of an invocation, checked against the list that alarms are made from. */
function emittedMetrics({ lines }: Invocation, service: LambdaName): string[] {
  return lines.flatMap((printed) => {
    const metrics = embeddedMetrics.safeParse(printed);
    if (!metrics.success) return [];
    expect(metrics.data).toMatchObject({ service, stage: "test" });
    return metrics.data._aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }) => {
      expect([Namespace, Dimensions]).toEqual([METRICS_NAMESPACE, [["service", "stage"]]]);
      return Metrics.map(({ Name, Unit }) => {
        expect(METRICS).toHaveProperty(Name, { unit: Unit, service });
        return Name;
      });
    });
  });
}

function metricsOf(service: LambdaName): string[] {
  return Object.entries(METRICS).flatMap(([name, metric]) => (metric.service === service ? [name] : []));
}

describe("the built Lambdas", () => {
  it("are small, and the same bytes wherever they are built", async () => {
    const again = await buildBundles(join(folder, "elsewhere", "deeper"));
    expect(again.map(({ name, sha256 }) => [name, sha256])).toEqual(bundles.map(({ name, sha256 }) => [name, sha256]));
    for (const { archiveBytes } of bundles) expect(archiveBytes).toBeLessThan(LARGEST_ARCHIVE_BYTES);
  });

  it("are archives of the bundle and its source map, which names the sources and leads to no folder of this machine", async () => {
    for (const { archive, sha256, archiveBytes } of bundles) {
      const bytes = await readFile(archive);
      expect([bytes.length, sha256Base64(bytes)]).toEqual([archiveBytes, sha256]);
      const files = unzipSync(bytes);
      expect(Object.keys(files)).toEqual(["index.mjs", "index.mjs.map"]);
      const text = new TextDecoder().decode(files["index.mjs.map"]);
      const { sources } = z.object({ sources: z.array(z.string()) }).parse(JSON.parse(text));
      expect(sources).toContain("../../../lambdas/runtime/lambda-handler.ts");
      const code = new TextDecoder().decode(files["index.mjs"]);
      expect(code).toContain("//# sourceMappingURL=index.mjs.map");
      for (const ours of [text, code]) expect(ours).not.toContain(dirname(import.meta.dirname));
    }
  });

  it("run a day over S3 one after the other, alone in their folders", async () => {
    const bucket = await s3.makeBucket();
    const environment = overS3(bucket);
    const update = await invoke("symbol-updater", { date: DAY }, environment);
    expect(update.returned).toMatchObject({ symbols: ["BHP", "CBA"], tradingDay: true });
    const batch = await invoke("batch-fetcher", { date: DAY, batchNumber: 0 }, environment);
    expect(batch.returned).toMatchObject({ rows: 1, counts: { fetched: 1, noTrade: 1 } });
    const event = { ...update.returned, startedAt: "2024-05-31T09:30:00.000Z", results: [[batch.returned]] };
    const summary = await invoke("run-summary", event, environment);
    expect(summary.returned).toMatchObject({ status: "complete", s3Key: `runs/${DAY}.json` });

    const [stored] = await createS3Store({ bucket, prefix: "" }, s3.configuration).list("raw-data/");
    expect(stored).toMatchObject({ key: `raw-data/${DAY}-batch-0.parquet`, bytes: batch.returned?.["bytes"] });
    expect(batch.lines).toContainEqual(
      expect.objectContaining({
        level: "INFO",
        service: "batch-fetcher",
        message: `raw-data/${DAY}-batch-0.parquet done`,
        batchNumber: 0,
        requests: 2,
      }),
    );
    // Every metric of a Lambda's list is emitted, but for the statuses that this run did not have, the lag of a date long past and those of backfills.
    expect(emittedMetrics(update, "symbol-updater")).toEqual(metricsOf("symbol-updater"));
    expect(emittedMetrics(batch, "batch-fetcher")).toEqual(metricsOf("batch-fetcher"));
    const absent = ["runPartial", "runFailed", "runMarketClosed", "latestDayComplete", "dataLag"];
    expect(emittedMetrics(summary, "run-summary").sort()).toEqual(
      metricsOf("run-summary")
        .filter((name) => !absent.includes(name) && !name.startsWith("backfill"))
        .sort(),
    );
  });

  it("run a backfill over S3 one after the other, alone in their folders", async () => {
    const bucket = await s3.makeBucket();
    const environment = overS3(bucket);
    const store = createS3Store({ bucket, prefix: "" }, s3.configuration);
    const span = { from: "2024-05-01", to: DAY };
    const asked = { backfill: span, run: { id: "backfill" } };
    const plan = await invoke("symbol-updater", asked, environment);
    expect(plan.returned).toMatchObject({
      backfill: span,
      symbolBatches: [{ symbols: ["BHP", "CBA"], batchNumber: 0 }],
      lanes: [[0]],
    });
    const batch = await invoke("batch-fetcher", { ...asked, symbols: ["BHP", "CBA"], batchNumber: 0 }, environment);
    expect(batch.returned).toMatchObject({ rows: 1, counts: { fetched: 1, noTrade: 1 } });
    const summarised = {
      ...asked,
      ...plan.returned,
      startedAt: "2024-05-31T09:30:00.000Z",
      results: [[batch.returned]],
    };
    const summary = await invoke("run-summary", summarised, environment);
    const key = backfillKey(span);
    expect(summary.returned).toMatchObject({ status: "complete", s3Key: key, rows: 1, redrive: null });

    const record = parseBackfillRecord(key, (await store.get(key)) ?? new Uint8Array());
    const stored = await store.list("history/");
    expect(stored.map((file) => file.key)).toEqual([historyKey({ ...span, batchNumber: 0 })]);
    expect(record.batches).toMatchObject([{ key: stored[0]?.key, bytes: stored[0]?.bytes, rows: 1 }]);
    expect(await store.list("pending/")).toEqual([]);
    const again = await invoke("symbol-updater", asked, environment);
    expect(again.returned).toMatchObject({ symbolBatches: [], lanes: [] });

    expect(emittedMetrics(batch, "batch-fetcher")).toEqual(metricsOf("batch-fetcher"));
    const absent = ["backfillPartial", "backfillFailed"];
    expect(emittedMetrics(summary, "run-summary").sort()).toEqual(
      metricsOf("run-summary")
        .filter((name) => name.startsWith("backfill") && !absent.includes(name))
        .sort(),
    );
  });

  it("read a batch file without a seal in a thread of their own, which runs the bundle too", async () => {
    const store = createLocalStore(join(folder, "older"));
    const bytes = await encodeBatchFile({
      bars: [],
      reports: [{ symbol: "CBA", outcome: "noTrade" }],
      source: "stand-in",
    });
    await store.put(`raw-data/${DAY}-batch-1.parquet`, unsealed(bytes));
    const environment = { STORE_URL: store.url, YAHOO_URL: sandbox.url, REQUESTS_PER_SECOND: "unlimited" };
    const event = { date: DAY, batchNumber: 0, symbols: ["BHP", "CBA"] };
    expect(await invoke("batch-fetcher", event, environment)).toMatchObject({ returned: { rows: 1 } });
    await store.put(`raw-data/${DAY}-batch-1.parquet`, unsealed(bytes).fill(0xff, 4, bytes.length - 8));
    expect((await invoke("batch-fetcher", event, environment)).thrown).toMatchObject({ name: "StoredFileError" });
  });

  it.each(LAMBDAS)("of the %s refuses an environment without a store by name", async (name) => {
    const { thrown } = await invoke(name, {}, {});
    expect(thrown).toEqual({ name: "InvalidInputError", message: expect.stringContaining("STORE_URL is missing") });
  });

  it.each([
    ["symbol-updater", { date: "2024-02-30" }, "date is"],
    ["batch-fetcher", { symbols: ["../x"], date: DAY }, "symbols.0 is"],
    ["run-summary", { date: DAY }, "tradingDay is missing"],
  ] as const)(
    "of the %s refuses the event %j with the bad field, under a name that the workflow does not retry",
    async (name, event, message) => {
      const { thrown, lines } = await invoke(name, event, { STORE_URL: `file:${folder}` });
      expect(thrown).toEqual({ name: "InvalidInputError", message: expect.stringContaining(message) });
      expect(lines).toContainEqual(expect.objectContaining({ level: "ERROR" }));
    },
  );
});
