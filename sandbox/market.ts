/** A market behind the stand-in upstreams: what was listed and what it traded at. */

/** Prices in AUD, adjusted for splits that came later; the adjusted close for dividends too. */
export interface MarketBar {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly adjustedClose: number;
  /** Shares. */
  readonly volume: number;
}

/** One session of one stock as the provider would show it. */
export interface MarketSession {
  readonly date: string;
  /** Null where the provider has a row for the date without prices: nothing traded. */
  readonly bar: MarketBar | null;
}

/** A dividend in AUD a share, adjusted for later splits, on its ex-date. */
export interface MarketDividend {
  readonly date: string;
  readonly amount: number;
}

/** A split on its ex-date: so many new shares (numerator) for so many old ones. */
export interface MarketSplit {
  readonly date: string;
  readonly numerator: number;
  readonly denominator: number;
}

/** What the provider has of a symbol, in order of date. */
export interface MarketHistory {
  readonly sessions: readonly MarketSession[];
  readonly dividends: readonly MarketDividend[];
  readonly splits: readonly MarketSplit[];
}

/** The exchange's list of companies as its two addresses serve it. */
export interface MarketDirectory {
  /** The file at the current address. */
  readonly current: Uint8Array;
  /** The file at the older address. */
  readonly older: Uint8Array;
}

/** What the sandbox serves. */
export interface Market {
  directory(): MarketDirectory;
  /** What the provider has of a symbol between two dates, both inclusive; undefined where it does not know the symbol. */
  history(symbol: string, from: string, to: string): MarketHistory | undefined;
}
