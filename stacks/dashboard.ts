import { CloudwatchDashboard } from "@cdktf/provider-aws/lib/cloudwatch-dashboard/index.js";
import type { Construct } from "constructs";
import { METRICS, METRICS_NAMESPACE, type MetricName } from "../lambdas/runtime/metrics.ts";
import type { Deployment } from "./deployment.ts";

const DAY = 86_400;
const HALF_WIDTH = 12;
const HEIGHT = 6;

/** A graph: metrics of ours under their ids, or expressions over them. */
interface Graph {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
  readonly stacked?: boolean;
}

type Line =
  | {
      readonly metric: MetricName;
      readonly label: string;
      readonly statistic: "Sum" | "Maximum" | "Minimum";
      readonly id?: string;
    }
  | { readonly expression: string; readonly label: string };

const MINUTE_MS = 60_000;

const GRAPHS: readonly Graph[] = [
  {
    title: "Symbols by outcome, a day",
    unit: "symbols",
    stacked: true,
    // A date that is run again reports all of its symbols again: the most is the day's, the sum would count twice.
    lines: [
      { metric: "symbolsFetched", label: "fetched", statistic: "Maximum" },
      { metric: "symbolsNoTrade", label: "no trade", statistic: "Maximum" },
      { metric: "symbolsNotFound", label: "not found", statistic: "Maximum" },
      { metric: "symbolsInvalid", label: "invalid", statistic: "Maximum" },
      { metric: "symbolsFailed", label: "failed", statistic: "Maximum" },
      { metric: "symbolsDeferred", label: "deferred", statistic: "Maximum" },
    ],
  },
  {
    title: "Runs by status, a day",
    unit: "runs",
    stacked: true,
    lines: [
      { metric: "runComplete", label: "complete", statistic: "Sum" },
      { metric: "runPartial", label: "partial", statistic: "Sum" },
      { metric: "runFailed", label: "failed", statistic: "Sum" },
      { metric: "runMarketClosed", label: "market closed", statistic: "Sum" },
    ],
  },
  {
    title: "Duration of the day's longest run",
    unit: "minutes",
    lines: [
      { metric: "runDuration", label: "run, ms", statistic: "Maximum", id: "duration" },
      { expression: `duration / ${MINUTE_MS}`, label: "run" },
    ],
  },
  {
    title: "Symbols a minute, over all runs and backfills of the day",
    unit: "symbols a minute",
    lines: [
      { metric: "symbolsAsked", label: "symbols asked", statistic: "Sum", id: "asked" },
      { metric: "runDuration", label: "runs, ms", statistic: "Sum", id: "running" },
      { metric: "backfillDuration", label: "backfills, ms", statistic: "Sum", id: "backfilling" },
      { expression: `asked / (SUM(FILL([running, backfilling], 0)) / ${MINUTE_MS})`, label: "symbols a minute" },
    ],
  },
  {
    title: "What the price source had to be asked again, a day",
    unit: "requests",
    lines: [
      { metric: "upstreamRequests", label: "requests", statistic: "Sum" },
      { metric: "upstreamRetries", label: "retries", statistic: "Sum" },
      { metric: "upstreamRateLimited", label: "rate limited (429)", statistic: "Sum" },
    ],
  },
  {
    title: "Batches that stopped asking, and minutes that requests waited, a day",
    unit: "batches, minutes",
    lines: [
      { metric: "upstreamBreakerOpenings", label: "batches that gave an ailing price source up", statistic: "Sum" },
      { metric: "upstreamWaiting", label: "waiting, ms", statistic: "Sum", id: "waiting" },
      { expression: `waiting / ${MINUTE_MS}`, label: "waiting" },
    ],
  },
  {
    title: "Bars that were corrected, or look unlikely, a day",
    unit: "bars",
    lines: [
      { metric: "barsRevised", label: "changed after they were stored", statistic: "Sum" },
      { metric: "barsSuspect", label: "unlikely", statistic: "Maximum" },
    ],
  },
  {
    title: "Backfills by status, a day",
    unit: "backfills",
    stacked: true,
    lines: [
      { metric: "backfillComplete", label: "complete", statistic: "Sum" },
      { metric: "backfillPartial", label: "partial", statistic: "Sum" },
      { metric: "backfillFailed", label: "failed", statistic: "Sum" },
    ],
  },
  {
    title: "Symbols of the day's largest backfill",
    unit: "symbols",
    stacked: true,
    lines: [
      { metric: "backfillSymbolsFinished", label: "with an outcome", statistic: "Maximum" },
      { metric: "backfillSymbolsUnfinished", label: "failed or deferred", statistic: "Maximum" },
    ],
  },
  {
    title: "Bars of the day's largest backfill",
    unit: "bars",
    lines: [
      { metric: "backfillBars", label: "stored", statistic: "Maximum" },
      { metric: "backfillRowsLeftOut", label: "kept out", statistic: "Maximum" },
    ],
  },
  {
    title: "From the closing auction to the data",
    unit: "hours",
    lines: [
      { metric: "dataLag", label: "lag, ms", statistic: "Minimum", id: "lag" },
      { expression: `lag / ${60 * MINUTE_MS}`, label: "lag" },
    ],
  },
];

/** The dashboard of a deployment, a number a day. Gives its name. */
export function createDashboard(scope: Construct, deployment: Deployment): string {
  const { region, stage } = deployment.config;
  const widgets = GRAPHS.map((graph, index) => ({
    type: "metric",
    x: (index % 2) * HALF_WIDTH,
    y: Math.floor(index / 2) * HEIGHT,
    width: HALF_WIDTH,
    height: HEIGHT,
    properties: {
      title: graph.title,
      region,
      view: "timeSeries",
      stacked: graph.stacked ?? false,
      period: DAY,
      yAxis: { left: { min: 0, label: graph.unit, showUnits: false } },
      metrics: graph.lines.map((line) => lineJson(line, stage)),
    },
  }));
  const dashboardName = deployment.name("daily");
  new CloudwatchDashboard(scope, "dashboard", {
    dashboardName,
    dashboardBody: JSON.stringify({ start: "-P1M", widgets }),
  });
  return dashboardName;
}

function lineJson(line: Line, stage: string): unknown[] {
  if ("expression" in line) return [{ expression: line.expression, label: line.label, period: DAY }];
  const { metric, label, statistic, id } = line;
  const dimensions = ["service", METRICS[metric].service, "stage", stage];
  // A metric that only feeds an expression is not drawn.
  const rendering = { label, stat: statistic, period: DAY, ...(id !== undefined && { id, visible: false }) };
  return [METRICS_NAMESPACE, metric, ...dimensions, rendering];
}
