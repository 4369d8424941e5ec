/**
 * Builds a store of years of batch files from a folder of real end-of-day CSVs: `2024/20240531.csv`, rows
 * `code,yyyymmdd,open,high,low,close,volume`, no header.
 *
 *   node bench/build-store.ts FOLDER_OF_CSVS STORE_FOLDER [--years 5] [--symbols 2300]
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { InvalidInputError } from "../domain/errors.ts";
import { findEodDays, type PlannedDay, planDays, type StoredDay, storeEodDay } from "./eod-store.ts";

/** The days that one thread writes. */
interface Share {
  readonly days: readonly PlannedDay[];
  readonly storeFolder: string;
  readonly mostSymbols: number;
}

if (isMainThread) await buildStore(process.argv.slice(2));
else parentPort?.postMessage(await storeShare(workerData));

async function buildStore(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { years: { type: "string", default: "5" }, symbols: { type: "string", default: "2300" } },
  });
  const [csvFolder, storeFolder] = positionals;
  if (csvFolder === undefined || storeFolder === undefined) {
    throw new InvalidInputError(
      "usage: node bench/build-store.ts FOLDER_OF_CSVS STORE_FOLDER [--years 5] [--symbols N]",
    );
  }
  const eodDays = await findEodDays(csvFolder);
  const plan = planDays(eodDays, wholeNumber("--years", values.years));
  const mostSymbols = wholeNumber("--symbols", values.symbols);
  const threads = availableParallelism();
  const total = addUp(
    await Promise.all(
      Array.from({ length: threads }, (_, thread) =>
        storeInThread({ days: plan.filter((_day, index) => index % threads === thread), storeFolder, mostSymbols }),
      ),
    ),
  );
  const borrowed = plan.filter(({ date }) => !eodDays.has(date)).length;
  process.stdout.write(
    `${plan.at(0)?.date} to ${plan.at(-1)?.date}: ${plan.length} trading days, ${total.files} batch files, ` +
      `${total.rows} rows, ${(total.bytes / 1e6).toFixed(1)} MB\n` +
      (borrowed === 0 ? "" : `${borrowed} of the days have no CSV: they hold the bars of the others, in turn.\n`),
  );
}

function wholeNumber(option: string, text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidInputError(`${option} is ${text}; give a whole number above 0`);
  return Number(text);
}

function storeInThread(share: Share): Promise<StoredDay> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: share });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

async function storeShare({ days, storeFolder, mostSymbols }: Share): Promise<StoredDay> {
  const stored: StoredDay[] = [];
  for (const day of days) stored.push(await storeEodDay(day, storeFolder, mostSymbols));
  return addUp(stored);
}

function addUp(stored: readonly StoredDay[]): StoredDay {
  return stored.reduce(
    (left, right) => ({
      files: left.files + right.files,
      rows: left.rows + right.rows,
      bytes: left.bytes + right.bytes,
    }),
    { files: 0, rows: 0, bytes: 0 },
  );
}
