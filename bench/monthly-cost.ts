/**
 * Works out what the deployed system costs a month: runs the evening's run, the morning's catch-up over five stored
 * sessions, which looks for gaps in those of thirty days, and a run that finds the day whole, as the defaults deploy them, at their request budget, against a sandbox
 * that answers as late as the real upstream; counts what AWS meters; and multiplies it with `aws-prices.ts`. Takes about
 * a quarter of an hour, most of it waiting for the budget.
 *
 *   node bench/monthly-cost.ts [LATENCY_MS]
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { renderTable } from "../cli/table.ts";
import { createTradingCalendar } from "../domain/trading-calendar.ts";
import { addDays } from "../domain/trading-date.ts";
import { systemClock } from "../lambdas/runtime/clock.ts";
import { METRICS } from "../lambdas/runtime/metrics.ts";
import { startSandbox } from "../sandbox/server.ts";
import { createSyntheticMarket } from "../sandbox/synthetic-market.ts";
import type { LambdaName } from "../stacks/bundles.ts";
import { readConfig } from "../stacks/config.ts";
import { MEMORY_MEGABYTES } from "../stacks/functions.ts";
import { synthesise } from "../stacks/synthesise.ts";
import { AWS_PRICES, type PricedItem } from "./aws-prices.ts";
import { type MeasuredRun, measureRun, type Usage } from "./metered-run.ts";

const WEEKDAYS_A_MONTH = (365.25 - 2 * 52.18) / 12;
/** The evenings of a weekend and the mornings after them. */
const IDLE_RUNS_A_MONTH = (4 * 52.18) / 12;
const DATE = "2024-05-31";
/** What a catch-up finds stored: the sessions of the days that it looks at for gaps, the last one fetched at the request budget. */
const FILL_DAYS = 30;
const SESSIONS = createTradingCalendar([]).tradingDays(addDays(DATE, 1 - FILL_DAYS), DATE);
const HOURS_A_MONTH = 730;

/** Queries by hand in a month, over the whole of a year's files: assumed. Each is billed as 10 MB at least. */
const QUERIES_A_MONTH = 20;
const SMALLEST_QUERY_BYTES = 10_000_000;
/** Athena reads a small Parquet file in about two requests, its footer and its columns: assumed. */
const GETS_A_QUERIED_FILE = 2;
const TRADING_DAYS_A_YEAR = 252;
const KEYS_A_LISTING = 1_000;
/** Notifications in a month: assumed. */
const NOTIFICATIONS_A_MONTH = 5;

const stackForm = z.object({
  resource: z.object({
    aws_cloudwatch_metric_alarm: z.record(
      z.string(),
      z.object({ metric_query: z.array(z.object({ metric: z.unknown().optional() })) }),
    ),
    aws_cloudwatch_dashboard: z.record(z.string(), z.unknown()),
  }),
});

const latencyMs = Number(process.argv[2] ?? 200);
const config = readConfig({});
const folder = await mkdtemp(join(tmpdir(), "asx-eod-cost-"));
/** What is stored beforehand is stored as fast as can be. */
let isMeasured = false;
const sandbox = await startSandbox({
  market: createSyntheticMarket({ seed: 1, now: systemClock.now }),
  now: systemClock.now,
  delivery: async (answer) => {
    if (isMeasured) await systemClock.sleep(latencyMs);
    return answer;
  },
});
const measured: Omit<MeasuredRun, "input"> = { config, folder, sandboxUrl: sandbox.url, isPaced: true };
try {
  for (const date of SESSIONS.slice(0, -1)) await measureRun({ ...measured, input: { date }, isPaced: false });
  isMeasured = true;
  const evening = await measureRun({ ...measured, input: { date: DATE } });
  const catchUp = await measureRun({ ...measured, input: { date: DATE, catchUp: true, fillDays: FILL_DAYS } });
  const idle = await measureRun({ ...measured, input: { date: DATE } });
  print({ evening, catchUp, idle }, await countParts());
} finally {
  await sandbox.close();
  await rm(folder, { recursive: true, force: true });
}

/** The alarms' metrics and the dashboards of the stack as it is synthesised. */
async function countParts(): Promise<{ alarmMetrics: number; dashboards: number }> {
  const out = join(folder, "cdktf.out");
  const stack = await synthesise({ CDKTF_OUTDIR: out });
  const text = await readFile(join(stack.folder, "cdk.tf.json"), "utf8");
  const { aws_cloudwatch_metric_alarm: alarms, aws_cloudwatch_dashboard: dashboards } = stackForm.parse(
    JSON.parse(text),
  ).resource;
  const alarmMetrics = Object.values(alarms).reduce(
    (total, { metric_query: queries }) => total + queries.filter(({ metric }) => metric !== undefined).length,
    0,
  );
  return { alarmMetrics, dashboards: Object.keys(dashboards).length };
}

function print(
  { evening, catchUp, idle }: Readonly<Record<"evening" | "catchUp" | "idle", Usage>>,
  parts: { alarmMetrics: number; dashboards: number },
): void {
  const aMonth = (of: (usage: Usage) => number): number =>
    (of(evening) + of(catchUp)) * WEEKDAYS_A_MONTH + of(idle) * IDLE_RUNS_A_MONTH;
  const gigabyteSeconds = (usage: Usage): number =>
    Object.entries(MEMORY_MEGABYTES).reduce(
      (total, [name, megabytes]) => total + usage.seconds[lambdaOf(name)] * (megabytes / 1024),
      0,
    );
  const runs = 2 * WEEKDAYS_A_MONTH + IDLE_RUNS_A_MONTH;
  const filesOfYear = evening.batchFiles * TRADING_DAYS_A_YEAR;
  const queriedBytes = Math.max(SMALLEST_QUERY_BYTES, evening.batchBytes * TRADING_DAYS_A_YEAR);
  const yearOfStorage = (aMonth(({ storedBytes }) => storedBytes) * 12) / 1e9;
  const quantities: Partial<Record<PricedItem, number>> = {
    lambdaGigabyteSecond: aMonth(gigabyteSeconds),
    lambdaRequest: aMonth(({ invocations }) => invocations),
    stepFunctionsTransition: aMonth(({ transitions }) => transitions),
    s3StandardGigabyteMonth: yearOfStorage,
    s3PutRequest: aMonth(({ puts }) => puts) + (QUERIES_A_MONTH * filesOfYear) / KEYS_A_LISTING,
    s3GetRequest: aMonth(({ gets }) => gets) + QUERIES_A_MONTH * filesOfYear * GETS_A_QUERIED_FILE,
    cloudWatchMetricMonth: (metricsOfRuns().length * runs) / HOURS_A_MONTH,
    cloudWatchAlarmMetricMonth: parts.alarmMetrics,
    cloudWatchDashboardMonth: parts.dashboards,
    cloudWatchLogsIngestGigabyte: aMonth(({ logBytes }) => logBytes) / 1e9,
    cloudWatchLogsStorageGigabyteMonth: (aMonth(({ logBytes }) => logBytes) * 12) / 1e9,
    snsEmail: NOTIFICATIONS_A_MONTH,
    eventBridgeSchedulerInvocation: runs,
    xrayTraceRecorded: runs,
    athenaTerabyteScanned: (QUERIES_A_MONTH * queriedBytes) / 1e12,
  };
  let listTotal = 0;
  let toPayTotal = 0;
  const rows = Object.entries(AWS_PRICES).flatMap(([item, { usd, per, unit, freeAMonth, asOf, region }]) => {
    const quantity = quantities[pricedItem(item)];
    if (quantity === undefined) return [];
    const list = (quantity / per) * usd;
    const toPay = (Math.max(0, quantity - freeAMonth) / per) * usd;
    listTotal += list;
    toPayTotal += toPay;
    const price = `${usd}${per === 1 ? "" : ` / ${per.toLocaleString("en")}`}`;
    const of = `${asOf}${region === "ap-southeast-2" ? "" : `, ${region}`}`;
    return [
      [
        unit,
        number(quantity),
        price,
        of,
        money(list),
        freeAMonth === 0 ? "-" : freeAMonth.toLocaleString("en"),
        money(toPay),
      ],
    ];
  });
  const key = AWS_PRICES.kmsCustomerManagedKeyMonth;
  const total = ["all of it", "", "", "", money(listTotal), "", money(toPayTotal)];
  const [cpu] = cpus();
  process.stdout.write(
    `A month of ${config.batchSize}-symbol batches, ${config.concurrency} at a time, ${config.requestsPerSecond} requests a second; ` +
      `upstream ${latencyMs} ms late; Node ${process.version}, ${cpus().length} x ${cpu?.model.replace(/\s+\d.*$/, "") ?? "processor"}\n` +
      `Evening (${WEEKDAYS_A_MONTH.toFixed(1)} a month): ${describe(evening)}\n` +
      `Catch-up (${WEEKDAYS_A_MONTH.toFixed(1)} a month): ${describe(catchUp)}\n` +
      `Whole day (${IDLE_RUNS_A_MONTH.toFixed(1)} a month): ${describe(idle)}\n\n` +
      `${renderTable(
        [
          { heading: "metered", align: "left" },
          { heading: "a month", align: "right" },
          { heading: "USD each", align: "right" },
          { heading: "price of", align: "left" },
          { heading: "USD", align: "right" },
          { heading: "always free", align: "right" },
          { heading: "to pay, USD", align: "right" },
        ],
        [...rows, total],
      )}\nNot used: a ${key.unit} at ${key.usd} (${key.asOf}).\n`,
  );
}

function describe({ seconds, invocations, transitions, puts, gets, logBytes, storedBytes }: Usage): string {
  const billed = Object.entries(seconds)
    .map(([name, value]) => `${name} ${value.toFixed(1)} s`)
    .join(", ");
  return (
    `${billed}; ${invocations} invocations, ${transitions} transitions, ${puts} puts and listings, ${gets} gets, ` +
    `${(logBytes / 1000).toFixed(0)} kB of logs, ${(storedBytes / 1000).toFixed(0)} kB stored`
  );
}

/** What a run emits: a metric of backfills is billed in the hours of backfills alone. */
function metricsOfRuns(): string[] {
  return Object.keys(METRICS).filter((name) => !name.startsWith("backfill"));
}

function lambdaOf(name: string): LambdaName {
  return z.enum(["symbol-updater", "batch-fetcher", "run-summary"]).parse(name);
}

function pricedItem(name: string): PricedItem {
  return z.custom<PricedItem>((item) => typeof item === "string" && item in AWS_PRICES).parse(name);
}

function number(quantity: number): string {
  return quantity >= 100 ? Math.round(quantity).toLocaleString("en") : quantity.toPrecision(3);
}

function money(usd: number): string {
  return usd.toFixed(3);
}
