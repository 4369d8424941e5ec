import { type BackfillEvent, type BackfillPlan, backfillPlan } from "../domain/backfill.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { printable } from "../domain/text.ts";
import type { Environment, Runtime } from "../lambdas/runtime/runtime.ts";
import { createSymbolUpdater } from "../lambdas/symbol-updater/handler.ts";
import { RUN_PRICES } from "./aws-prices.ts";
import { type BackfillDollars, type BackfillEstimate, backfillDollars, estimateBackfill } from "./backfill-cost.ts";
import { counted, size, whole } from "./numbers.ts";
import { renderTable } from "./table.ts";

/** What a backfill would take. */
export interface BackfillForecast {
  readonly backfill: BackfillPlan["backfill"];
  /** Trading days of the span. */
  readonly sessions: number;
  readonly symbols: number;
  /** Symbols whose outcome stands: they would not be asked for. */
  readonly finished: number;
  readonly estimate: BackfillEstimate;
  /** Requests a second; null where they are not limited. */
  readonly requestsPerSecond: number | null;
  readonly dollars: {
    /** By `asx backfill`, from this machine; null for a folder, which costs nothing. */
    readonly here: BackfillDollars | null;
    /** By the state machine; null for a folder, which it cannot reach. */
    readonly aws: BackfillDollars | null;
  };
  readonly warnings: readonly string[];
}

/** What a forecast needs of its surroundings. */
export interface ForecastOptions {
  readonly environment: Environment;
  readonly runtime: Runtime;
  /** Requests a second; undefined where they are not limited. */
  readonly budget: number | undefined;
}

/**
 * What a backfill would take, by the plan that it would begin with. Nothing is written, no lock is taken and no price is
 * asked for; the directory is downloaded.
 * @throws DirectoryUnavailableError, DirectoryRefusedError, StoreUnavailableError, StoreRefusedError
 */
export async function forecastBackfill(
  event: BackfillEvent,
  { environment, runtime, budget }: ForecastOptions,
): Promise<BackfillForecast> {
  const { store } = runtime;
  const planBackfill = createSymbolUpdater(environment, { ...runtime, store: withoutWriting(store) });
  const { run: _, ...unnamed } = event;
  const { backfill, symbolBatches, lanes, metadata } = backfillPlan.parse(await planBackfill(unnamed));
  const planned = {
    symbols: symbolBatches.reduce((sum, { symbols }) => sum + symbols.length, 0),
    sessions: metadata.sessions,
    files: symbolBatches.length,
    lanes: lanes.length,
    budget,
    years: Number(backfill.to.slice(0, 4)) - Number(backfill.from.slice(0, 4)) + 1,
  };
  const isBucket = store.url.startsWith("s3://");
  return {
    backfill,
    sessions: metadata.sessions,
    symbols: metadata.totalSymbols,
    finished: metadata.finished,
    estimate: estimateBackfill(planned),
    requestsPerSecond: budget ?? null,
    dollars: {
      here: isBucket ? backfillDollars(planned, "this machine") : null,
      aws: isBucket ? backfillDollars(planned, "aws") : null,
    },
    warnings: metadata.warnings,
  };
}

/** The store as a looker-on has it: what is written is as good as written, and is nowhere. */
function withoutWriting(store: ObjectStore): ObjectStore {
  return {
    url: store.url,
    locate: (key) => store.locate(key),
    get: (key) => store.get(key),
    read: (key) => store.read(key),
    head: (key) => store.head(key),
    stat: (keys) => store.stat(keys),
    list: (prefix) => store.list(prefix),
    groups: (prefix, delimiter) => store.groups(prefix, delimiter),
    localPath: (key) => store.localPath(key),
    put: async () => undefined,
    replace: async () => undefined,
    remove: async () => undefined,
  };
}

/** A forecast for people. */
export function describeForecast(forecast: BackfillForecast): string {
  const { backfill, sessions, symbols, finished, estimate, requestsPerSecond, dollars, warnings } = forecast;
  const { requests, minutes, files, bars, bytes } = estimate;
  const time =
    minutes === null
      ? "no limit to requests"
      : `${minutes.toFixed(1)} at ${whole(requestsPerSecond ?? 0)} requests a second`;
  const rows = [
    ["requests", `${whole(requests)}, one a symbol, and the directory's`],
    ["minutes", time],
    ["files", whole(files)],
    ["bytes", `${size(bytes)} at most (${counted(bars, "bar")})`],
    ["dollars here", dollars.here === null ? "0: the store is a folder" : describeDollars(dollars.here)],
    ...(dollars.aws === null ? [] : [["dollars in AWS", describeDollars(dollars.aws)]]),
  ];
  if (requests === 0) {
    return [
      `ASX ${backfill.from} to ${backfill.to}: nothing to fetch: all ${counted(symbols, "symbol")} have an outcome that stands.`,
      ...warnings.map((warning) => `Warning: ${printable(warning)}`),
    ].join("\n");
  }
  return [
    `ASX ${backfill.from} to ${backfill.to}: ${counted(sessions, "trading day")}, ${counted(symbols, "symbol")}, ${whole(finished)} of them stored already.`,
    "",
    renderTable(
      ["a backfill takes", "about"].map((heading) => ({ heading, align: "left" })),
      rows,
    ),
    "",
    ...warnings.map((warning) => `Warning: ${printable(warning)}`),
    ...(dollars.aws === null ? [] : [pricesLine()]),
    "No price was asked for, and nothing was written.",
  ].join("\n");
}

function describeDollars({ once, s3Requests, lambda, transitions, s3StorageMonth }: BackfillDollars): string {
  const functions =
    lambda + transitions === 0 ? "" : `, Lambda ${money(lambda)}, state transitions ${money(transitions)}`;
  return `${money(once)} (S3 requests ${money(s3Requests)}${functions}), and ${money(s3StorageMonth)} a month for the files`;
}

/** Where the prices are from. */
function pricesLine(): string {
  const { s3PutRequest, lambdaGigabyteSecond, stepFunctionsTransition } = RUN_PRICES;
  const sources = [s3PutRequest, lambdaGigabyteSecond, stepFunctionsTransition].map(
    ({ source, asOf }) => `${source} (${asOf})`,
  );
  return `List prices of ${s3PutRequest.region} in USD before tax, free tiers left out: ${sources.join(", ")}`;
}

function money(usd: number): string {
  return usd.toFixed(usd < 0.1 ? 4 : 2);
}
