/** The body of a right chart answer, taken apart so that a fault can change it, and put together again. */
import { dateInSydney, sydneyInstant } from "../../domain/trading-date.ts";
import type { SandboxAnswer } from "../yahoo-answers.ts";
import type { FaultContext, MakeFault } from "./fault.ts";

/** Stands for a number beyond all doubles, which JSON can hold and JavaScript cannot write. */
export const BEYOND_ALL_NUMBERS = "<1e400>";

type Cell = number | string | null;

/** One row, its stamp in seconds since 1970. */
export interface ChartRow {
  readonly stamp: number;
  readonly open: Cell;
  readonly high: Cell;
  readonly low: Cell;
  readonly close: Cell;
  readonly volume: Cell;
  readonly adjclose: Cell;
}

/** A row with everything in it, as the sandbox's markets give it. */
export type FilledRow = { readonly [Field in keyof ChartRow]: number };

/** What of a chart faults change. */
export interface Chart {
  readonly meta: Readonly<Record<string, unknown>>;
  readonly rows: readonly ChartRow[];
  readonly events: Readonly<Record<string, unknown>> | undefined;
}

type Series<Name extends string> = { readonly [Field in Name]: readonly (number | null)[] };

/** The form of the sandbox's own answers. */
interface ChartResult {
  readonly meta: Readonly<Record<string, unknown>>;
  readonly timestamp: readonly number[];
  readonly events?: Readonly<Record<string, unknown>>;
  readonly indicators: {
    readonly quote: readonly [Series<"open" | "high" | "low" | "close" | "volume">];
    readonly adjclose: readonly [Series<"adjclose">];
  };
}

/** The chart of a right answer with rows; undefined for every other answer. */
export function readChart({ status, body }: SandboxAnswer): Chart | undefined {
  if (status !== 200 || typeof body !== "string") return undefined;
  const { chart }: { chart: { result: readonly [ChartResult] } } = JSON.parse(body);
  const { meta, timestamp, events, indicators } = chart.result[0];
  const [quote] = indicators.quote;
  const [{ adjclose }] = indicators.adjclose;
  const rows = timestamp.map((stamp, index) => ({
    stamp,
    open: quote.open[index] ?? null,
    high: quote.high[index] ?? null,
    low: quote.low[index] ?? null,
    close: quote.close[index] ?? null,
    volume: quote.volume[index] ?? null,
    adjclose: adjclose[index] ?? null,
  }));
  return { meta, rows, events };
}

/** The result object of a chart, to be sent as it is or changed further. */
export function chartResult({ meta, rows, events }: Chart) {
  return {
    meta,
    timestamp: rows.map(({ stamp }) => stamp),
    ...(events !== undefined && { events }),
    indicators: {
      quote: [
        {
          close: rows.map(({ close }) => close),
          low: rows.map(({ low }) => low),
          volume: rows.map(({ volume }) => volume),
          open: rows.map(({ open }) => open),
          high: rows.map(({ high }) => high),
        },
      ],
      adjclose: [{ adjclose: rows.map(({ adjclose }) => adjclose) }],
    },
  };
}

/** The answer with another result. */
export function withResult(answer: SandboxAnswer, result: unknown): SandboxAnswer {
  const body = JSON.stringify({ chart: { result: [result], error: null } });
  return { ...answer, body: body.replaceAll(`"${BEYOND_ALL_NUMBERS}"`, "1e400") };
}

/** A fault that changes a chart; `undefined` where there is nothing in it to change. */
export function inChart(change: (chart: Chart, context: FaultContext) => Chart | undefined): MakeFault {
  return (answer, context) => {
    const chart = readChart(answer);
    const changed = chart === undefined ? undefined : change(chart, context);
    return changed === undefined ? answer : withResult(answer, chartResult(changed));
  };
}

/** A fault that changes what the chart says of itself. */
export function inMeta(change: (meta: Chart["meta"]) => Chart["meta"]): MakeFault {
  return inChart((chart) => ({ ...chart, meta: change(chart.meta) }));
}

/** A fault that changes one of the rows with prices, whichever chance says. */
export function inOneRow(change: (row: FilledRow, context: FaultContext) => Partial<ChartRow>): MakeFault {
  return inChart((chart, context) => {
    const filled = chart.rows.filter(isFilled);
    const chosen = filled[Math.floor(context.chance(0) * filled.length)];
    if (chosen === undefined) return undefined;
    const changed = { ...chosen, ...change(chosen, context) };
    return { ...chart, rows: chart.rows.map((row) => (row === chosen ? changed : row)) };
  });
}

/** A fault that puts other rows in place of the last one, where that has prices. */
export function inLastRow(change: (row: FilledRow) => readonly ChartRow[]): MakeFault {
  return inChart((chart) => {
    const last = chart.rows.at(-1);
    if (last === undefined || !isFilled(last)) return undefined;
    return { ...chart, rows: [...chart.rows.slice(0, -1), ...change(last)] };
  });
}

/** The rows before those of an answer, as far back as two weeks; none where nothing is known. */
export function rowsBefore({ rows }: Chart, { request }: FaultContext): readonly ChartRow[] {
  const first = rows[0]?.stamp;
  const earlier = first === undefined ? undefined : request.answerFor?.({ from: first - 14 * 86_400, to: first });
  return (earlier === undefined ? undefined : readChart(earlier)?.rows) ?? [];
}

/** The stamp of a time of day in Sydney on a row's date. */
export function stampAt(row: ChartRow, timeOfDay: string, date = dateOf(row)): number {
  return sydneyInstant(date, timeOfDay) / 1000;
}

export function dateOf({ stamp }: ChartRow): string {
  return dateInSydney(stamp * 1000);
}

export function isFilled(row: ChartRow): row is FilledRow {
  return Object.values(row).every((value) => typeof value === "number");
}
