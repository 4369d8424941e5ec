import type { BackfillDigest, BackfillPlan, BackfillSummaryEvent, HistoryBatchResult } from "../../domain/backfill.ts";
import type { LostBatch } from "../../domain/batch.ts";
import type { DateSpan } from "../../domain/date-span.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { fetchHistory } from "../../lambdas/batch-fetcher/fetch-history.ts";
import { createYahooSource } from "../../lambdas/batch-fetcher/yahoo.ts";
import { summariseBackfill } from "../../lambdas/run-summary/summarise-backfill.ts";
import type { Runtime } from "../../lambdas/runtime/runtime.ts";
import { parseSymbolUpdaterEnvironment } from "../../lambdas/symbol-updater/env.ts";
import { planBackfill } from "../../lambdas/symbol-updater/plan-backfill.ts";

/** How the rounds of a backfill are run in a test. */
export interface BackfillRounds {
  readonly span: DateSpan;
  readonly runtime: Runtime;
  /** The name of the execution. */
  readonly run: string;
  readonly symbols?: readonly string[];
  readonly batchSize?: number;
  readonly lanes?: number;
  readonly requestsPerSecond?: number | null;
  /** Told of every plan. */
  readonly onPlan?: (plan: BackfillPlan) => void;
}

const ADDRESSES = { ASX_DIRECTORY_URL: "http://sandbox/asx-research/1.0/companies/directory/file" };
const calendar = createTradingCalendar();

/** Plans, fetches and summarises as the workflow does, round by round, with the use cases of the three functions. */
export async function runBackfill(rounds: BackfillRounds): Promise<BackfillDigest> {
  const { span, runtime, symbols, batchSize = 3, lanes = 2, requestsPerSecond = null, onPlan } = rounds;
  const { clock, fetch } = runtime;
  const startedAt = new Date(clock.now()).toISOString();
  const config = parseSymbolUpdaterEnvironment({
    ...ADDRESSES,
    BATCH_SIZE: String(batchSize),
    MAX_CONCURRENCY: String(lanes),
  });
  const source = createYahooSource({ baseUrl: "http://sandbox", userAgent: "test", fetch, clock });
  let run: BackfillPlan["run"] = { id: rounds.run, attempt: 1, upstream: NOTHING };
  for (;;) {
    const event = { backfill: span, run, ...(symbols !== undefined && { symbols: [...symbols] }) };
    const plan = await planBackfill(event, { config, calendar, runtime });
    onPlan?.(plan);
    const results = await Promise.all(
      plan.lanes.map(async (lane, index) => {
        const ofLane: (HistoryBatchResult | LostBatch)[] = [];
        for (const position of lane) {
          const batch = plan.symbolBatches[position];
          if (batch === undefined) throw new Error(`lane ${index} names batch ${position}, which is not there`);
          const message = { backfill: plan.backfill, ...batch, lanes: plan.lanes.length, lane: index, run };
          ofLane.push(await fetchHistory(message, { source, calendar, requestsPerSecond, runtime }));
        }
        return ofLane;
      }),
    );
    const { backfill, symbolBatches, metadata } = plan;
    const summary: BackfillSummaryEvent = { backfill, symbolBatches, metadata, startedAt, run, results };
    const digest = await summariseBackfill(summary, { runtime });
    if (digest.redrive === null) return digest;
    await clock.sleep(digest.redrive.waitSeconds * 1000);
    run = digest.redrive.run;
  }
}

const NOTHING = { requests: 0, retries: 0, rateLimited: 0, breakerOpenings: 0, waitedMs: 0 };
