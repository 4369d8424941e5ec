/**
 * Bodies of the chart endpoint, built by hand in the shape that recorded ones have. Nothing is
 * checked here: a test that wants a value wrong puts it in.
 */

/** One row of a chart; a value left out is an ordinary one. */
export interface BodyRow {
  /** When the row is stamped: ISO 8601 with an offset. */
  readonly at: string;
  readonly open?: unknown;
  readonly high?: unknown;
  readonly low?: unknown;
  readonly close?: unknown;
  readonly volume?: unknown;
  readonly adjustedClose?: unknown;
}

/** A chart; what is left out is as an ASX stock has it. */
export interface BodyChart {
  /** Laid over the ordinary meta; a field set to undefined is left out of the body. */
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly rows?: readonly BodyRow[];
  readonly events?: unknown;
}

/** One series of values a name, as the endpoint keeps them. */
export type BodySeries = Record<"open" | "high" | "low" | "close" | "volume", unknown[]>;

/** What stands at `chart.result[0]` when there are rows. */
export interface BodyResult {
  meta: Record<string, unknown>;
  timestamp: number[];
  events?: unknown;
  indicators: { quote: [BodySeries]; adjclose: [{ adjclose: unknown[] }] };
}

/** Whole seconds since 1970 of an instant in ISO 8601 with an offset. */
export function epochSeconds(instant: string): number {
  return Date.parse(instant) / 1000;
}

/** The result of a chart with its rows, for a test to deform before it becomes a body. */
export function chartResult({ meta = {}, rows = [], events }: BodyChart = {}): BodyResult {
  const filled = rows.map(
    ({ at, open = 30.25, high = 30.75, low = 30, close = 30.5, volume = 1200, adjustedClose = 30.5 }) => {
      return { at, open, high, low, close, volume, adjustedClose };
    },
  );
  return {
    meta: {
      currency: "AUD",
      symbol: "BHP.AX",
      instrumentType: "EQUITY",
      gmtoffset: 36_000,
      exchangeTimezoneName: "Australia/Sydney",
      currentTradingPeriod: { regular: { start: epochSeconds("2024-06-03T10:00:00+10:00"), gmtoffset: 36_000 } },
      dataGranularity: "1d",
      ...meta,
    },
    timestamp: filled.map(({ at }) => epochSeconds(at)),
    ...(events === undefined ? {} : { events }),
    indicators: {
      quote: [
        {
          open: filled.map(({ open }) => open),
          high: filled.map(({ high }) => high),
          low: filled.map(({ low }) => low),
          close: filled.map(({ close }) => close),
          volume: filled.map(({ volume }) => volume),
        },
      ],
      adjclose: [{ adjclose: filled.map(({ adjustedClose }) => adjustedClose) }],
    },
  };
}

/** The body of a chart. */
export function chartBody(chart: BodyChart = {}): Uint8Array {
  return resultBody(chartResult(chart));
}

/** The body of a chart with this result, whatever it is. */
export function resultBody(result: unknown): Uint8Array {
  return jsonBody({ chart: { result: [result], error: null } });
}

/** The body of a chart without rows: no time stamps and an empty quote. */
export function emptyChartBody(meta: Readonly<Record<string, unknown>> = {}): Uint8Array {
  return resultBody({ meta: chartResult({ meta }).meta, indicators: { quote: [{}], adjclose: [{}] } });
}

/** The body of an error with a code, under `chart` or, as session trouble has it, under `finance`. */
export function errorBody(
  code: unknown,
  root: "chart" | "finance" = "chart",
  description = "no more is said",
): Uint8Array {
  return jsonBody({ [root]: { result: null, error: { code, description } } });
}

export function jsonBody(value: unknown): Uint8Array {
  return textBody(JSON.stringify(value));
}

export function textBody(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
