/**
 * Where daily bars come from. A provider answers with sessions as it has them; what they mean for a
 * date is decided in one place, `session-bar.ts`, for every provider alike.
 */

/** One row of a provider's answer; its values are not trusted yet. */
export interface SessionRow {
  /** The session's calendar date in the exchange's zone. */
  readonly date: string;
  /** False for a live row: one stamped with the last trade instead of the session's opening. */
  readonly stampedAtOpen: boolean;
  readonly open: unknown;
  readonly high: unknown;
  readonly low: unknown;
  readonly close: unknown;
  readonly adjustedClose: unknown;
  readonly volume: unknown;
}

/** The sessions of a symbol. */
export interface SessionChart {
  readonly kind: "chart";
  /** The ticker and the currency the answer says it is in; undefined where it says nothing. */
  readonly ticker: string | undefined;
  readonly currency: string | undefined;
  /** The IANA name of the zone that the dates of the rows are in; undefined where the answer does not say. */
  readonly zone: string | undefined;
  /** In the order of the answer. */
  readonly rows: readonly SessionRow[];
  /** Amount a share by ex-date. */
  readonly dividends: ReadonlyMap<string, unknown>;
  /** New shares for one old by ex-date. */
  readonly splits: ReadonlyMap<string, unknown>;
}

/** What a provider says of a symbol. */
export type ChartAnswer =
  | SessionChart
  /** Known, but there is nothing in the time asked for. */
  | { readonly kind: "noData" }
  /** The provider does not know the symbol. */
  | { readonly kind: "notFound" };

/** A chart answer and when it came, in milliseconds since 1970. */
export interface TimedAnswer {
  readonly answer: ChartAnswer;
  readonly answeredAt: number;
}

/** A provider of daily bars. */
export interface PriceSource {
  /** Recorded in every file, so that made-up bars are not taken for real ones. */
  readonly name: string;
  /** The provider's name for a symbol, which its answers repeat. */
  tickerOf(symbol: string): string;
  /**
   * Asks once for the sessions of a symbol from one trading date to another, both inclusive.
   * @throws UpstreamUnavailableError where asking again can help, UpstreamRefusedError where it cannot.
   */
  fetchChart(symbol: string, from: string, to: string): Promise<TimedAnswer>;
}
