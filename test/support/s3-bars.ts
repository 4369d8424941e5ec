import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Aggregator, type AggregatorOptions } from "../../aggregator/index.ts";
import type { Bar } from "../../domain/bar.ts";
import { runKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { createS3Store } from "../../stores/s3-store.ts";
import { sha256 } from "../../stores/sha256.ts";
import { type S3Front, startS3Front } from "./s3-front.ts";
import { startS3Server } from "./s3-server.ts";

/** Environment variables by which the AWS SDK talks to the test's server as whom it knows, and asks nobody else. */
export const S3_ENVIRONMENT: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: "S3RVER",
  AWS_SECRET_ACCESS_KEY: "S3RVER",
  AWS_REGION: "ap-southeast-2",
  AWS_EC2_METADATA_DISABLED: "true",
};

/** A bar of a date, right in itself. */
export function barOf(symbol: string, date: string, values: Partial<Bar> = {}): Bar {
  return {
    ...{ symbol, date, open: 44.3, high: 44.59, low: 43.95, close: 44.51, adjustedClose: 42.1, volume: 18_577_219 },
    ...{ dividend: null, splitRatio: null, fetchTimestamp: 1_717_148_400_123, batchNumber: 0 },
    ...values,
  };
}

/** What a run summary says of a stored batch. */
export interface StoredBatch {
  readonly key: string;
  readonly sha256: string;
  readonly rows: number;
  readonly bytes: number;
}

/** Stores a batch file and gives what a summary says of it. */
export async function putBatch(
  store: ObjectStore,
  date: string,
  batchNumber: number,
  bars: readonly Bar[],
): Promise<StoredBatch> {
  const bytes = await encodeBatchFile({ bars, reports: [] });
  const key = `raw-data/${date}-batch-${batchNumber}.parquet`;
  await store.put(key, bytes);
  return { key, sha256: sha256(bytes), rows: bars.length, bytes: bytes.length };
}

/** Stores the summary of a complete run. */
export async function putRun(store: ObjectStore, date: string, batches: readonly StoredBatch[]): Promise<void> {
  const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
  const changes = { comparedTo: null, added: [], removed: [] };
  const summary = {
    ...{ version: 1, date, status: "complete", rows, outcomes: [] },
    ...{ startedAt: `${date}T09:30:00.000Z`, finishedAt: `${date}T09:37:00.000Z` },
    symbols: { s3Key: null, source: "event", changes, warnings: [], total: rows },
    counts: { fetched: rows, noTrade: 0, notFound: 0, invalid: 0, failed: 0, deferred: 0 },
    batches: batches.map((batch, batchNumber) => ({ batchNumber, durationMs: 1, ...batch })),
  };
  await store.put(runKey(date), new TextEncoder().encode(JSON.stringify(summary)));
}

/** Stores a day of one bar a batch, with its summary. */
export async function putDay(store: ObjectStore, date: string, closes: Readonly<Record<string, number>>) {
  const batches: StoredBatch[] = [];
  for (const [batchNumber, [symbol, close]] of Object.entries(closes).entries()) {
    const bar = barOf(symbol, date, { close, high: close, low: close, open: close, batchNumber });
    batches.push(await putBatch(store, date, batchNumber, [bar]));
  }
  await putRun(store, date, batches);
}

/** A bucket, and a folder for caches; every request of an aggregator goes through a front. */
export interface S3Bars {
  /** Writes into the bucket past the front. */
  readonly store: ObjectStore;
  readonly url: string;
  readonly front: S3Front;
  readonly cacheDir: string;
  /** Opens an aggregator; all are closed in the end. */
  open(options?: AggregatorOptions): Promise<Aggregator>;
  /** Requests since the last call, by kind: `GET`, `LIST`. */
  requests(): { readonly gets: string[]; readonly lists: string[] };
  /** Each request is answered with this status; undefined: by the bucket. */
  answers(status: number | undefined): void;
  /** Is awaited ahead of each answer of the bucket. */
  onRequest(before: (request: string) => Promise<void>): void;
  close(): Promise<void>;
}

/** Starts an S3 server with an empty bucket. */
export async function startS3Bars(): Promise<S3Bars> {
  const server = await startS3Server();
  const cacheDir = await mkdtemp(join(tmpdir(), "asx-eod-s3-bars-"));
  const bucket = await server.makeBucket();
  const store = createS3Store({ bucket, prefix: "" }, server.configuration);
  let status: number | undefined;
  let before: (request: string) => Promise<void> = async () => undefined;
  const front = await startS3Front(server.endpoint, async (request) => {
    await before(request);
    return status;
  });
  const opened: Aggregator[] = [];
  let isClosed = false;
  return {
    store,
    url: `s3://${bucket}`,
    front: {
      ...front,
      async close() {
        if (!isClosed) await front.close();
        isClosed = true;
      },
    },
    cacheDir,
    async open(options = {}) {
      const aggregator = await Aggregator.open(`s3://${bucket}`, { endpoint: front.endpoint, cacheDir, ...options });
      opened.push(aggregator);
      return aggregator;
    },
    requests() {
      const all = front.requests.splice(0);
      const of = (kind: string): string[] =>
        all.filter((request) => request.startsWith(`${kind} `)).map((request) => request.slice(kind.length + 1));
      return { gets: of("GET"), lists: of("LIST") };
    },
    answers(given) {
      status = given;
    },
    onRequest(given) {
      before = given;
    },
    async close() {
      for (const aggregator of opened) await aggregator.close();
      if (!isClosed) await front.close();
      isClosed = true;
      await server.close();
      await rm(cacheDir, { recursive: true, force: true });
    },
  };
}
