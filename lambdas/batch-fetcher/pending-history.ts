/** What a backfill has fetched of a symbol and not yet put into a batch's file: gzip JSON with a SHA-256 over its content. */
import { gunzipSync, gzipSync } from "node:zlib";
import * as z from "zod";
import { historyReport } from "../../domain/backfill.ts";
import { type Bar, checkBar } from "../../domain/bar.ts";
import { isFinal } from "../../domain/batch.ts";
import { messageOf } from "../../domain/errors.ts";
import { type PendingName, pendingKey } from "../../domain/object-keys.ts";
import { tradingDate } from "../../domain/trading-date.ts";
import { sha256 } from "../../stores/sha256.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { SymbolHistory } from "./history-bars.ts";

/** Of gzip: such an object is read once or never, and kept for minutes. */
const FASTEST = 1;

/** Bounds what a pending object unpacks to: forty years of sessions have under 2 MB. */
const LARGEST_BYTES = 10_000_000;

const values = z.array(z.number());

/** The bars column by column: names once instead of once a bar. */
const pendingHistory = z.object({
  version: z.literal(1),
  symbol: z.string(),
  source: z.string(),
  answeredAt: z.number().int().nonnegative(),
  report: historyReport,
  bars: z.object({
    date: z.array(tradingDate),
    open: values,
    high: values,
    low: values,
    close: values,
    adjustedClose: z.array(z.number().nullable()),
    volume: values,
    dividend: z.array(z.number().nullable()),
    splitRatio: z.array(z.number().nullable()),
  }),
  /** Values by ex-date; null for one that is no number. */
  dividends: z.record(tradingDate, z.number().nullable()),
  splits: z.record(tradingDate, z.number().nullable()),
});
type PendingHistory = z.infer<typeof pendingHistory>;

const envelope = z.object({ sha256: z.string(), history: z.unknown() });

/** A symbol's history with its source, as it is kept. */
export function encodePending(history: SymbolHistory, source: string): Uint8Array {
  const { report, bars, dividends, splits, answeredAt } = history;
  const kept: PendingHistory = {
    version: 1,
    symbol: report.symbol,
    source,
    answeredAt: answeredAt ?? 0,
    report,
    bars: {
      date: bars.map(({ date }) => date),
      open: bars.map(({ open }) => open),
      high: bars.map(({ high }) => high),
      low: bars.map(({ low }) => low),
      close: bars.map(({ close }) => close),
      adjustedClose: bars.map(({ adjustedClose }) => adjustedClose),
      volume: bars.map(({ volume }) => volume),
      dividend: bars.map(({ dividend }) => dividend),
      splitRatio: bars.map(({ splitRatio }) => splitRatio),
    },
    dividends: plainActions(dividends),
    splits: plainActions(splits),
  };
  const text = JSON.stringify(kept);
  return gzipSync(`{"sha256":"${sha256(new TextEncoder().encode(text))}","history":${text}}`, { level: FASTEST });
}

/**
 * Reads a symbol's history back.
 * @param batchNumber of the batch that it is to go into.
 * @throws Error that says what is wrong with it.
 */
export function decodePending(
  bytes: Uint8Array,
  { symbol, from, to }: PendingName,
  batchNumber: number,
): { readonly history: SymbolHistory; readonly source: string } {
  const text = gunzipSync(bytes, { maxOutputLength: LARGEST_BYTES }).toString();
  const packed = envelope.parse(JSON.parse(text));
  if (sha256(new TextEncoder().encode(JSON.stringify(packed.history))) !== packed.sha256) {
    throw new Error("its content is not that which it was written with");
  }
  const kept = pendingHistory.parse(packed.history);
  const { report, answeredAt, source } = kept;
  if (kept.symbol !== symbol || report.symbol !== symbol) throw new Error(`it is of ${report.symbol}`);
  const bars = kept.bars.date.map((date, row): Bar => {
    if (date < from || date > to) throw new Error(`it has a bar of ${date}, outside its dates`);
    const checked = checkBar({
      ...{ symbol, date, batchNumber, fetchTimestamp: answeredAt },
      open: kept.bars.open[row],
      high: kept.bars.high[row],
      low: kept.bars.low[row],
      close: kept.bars.close[row],
      adjustedClose: kept.bars.adjustedClose[row],
      volume: kept.bars.volume[row],
      dividend: kept.bars.dividend[row],
      splitRatio: kept.bars.splitRatio[row],
    });
    if (!checked.valid) throw new Error(checked.reason);
    return checked.bar;
  });
  if (bars.length !== report.bars || !isFinal(report.outcome)) throw new Error("its report is not of its bars");
  return {
    source,
    history: {
      ...{ report, bars, answeredAt },
      dividends: new Map(Object.entries(kept.dividends)),
      splits: new Map(Object.entries(kept.splits)),
    },
  };
}

/**
 * The pending history of a symbol; undefined where there is none, and where it is damaged or of another source: the symbol
 * is asked for again then.
 */
export async function readPending(
  name: PendingName,
  { source, batchNumber }: { readonly source: string; readonly batchNumber: number },
  { store, logger }: Pick<Runtime, "store" | "logger">,
): Promise<SymbolHistory | undefined> {
  const key = pendingKey(name);
  const bytes = await store.get(key);
  if (bytes === undefined) return undefined;
  try {
    const pending = decodePending(bytes, name, batchNumber);
    if (pending.source === source) return pending.history;
    logger.warn(`${key} is of another source (${pending.source}): the symbol is asked for again`, {
      symbol: name.symbol,
    });
  } catch (error) {
    logger.warn(`${key} is damaged: ${messageOf(error)}; the symbol is asked for again`, { symbol: name.symbol });
  }
  return undefined;
}

/** A value that is no number, NaN with them, is null: reading it as an action fails as the value itself would. */
function plainActions(actions: ReadonlyMap<string, unknown>): Record<string, number | null> {
  return Object.fromEntries(
    [...actions].map(([date, value]) => [date, typeof value === "number" && Number.isFinite(value) ? value : null]),
  );
}
