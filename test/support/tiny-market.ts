import type { Fetch } from "../../lambdas/runtime/http.ts";
import type { Market, MarketBar, MarketDividend, MarketSplit } from "../../sandbox/market.ts";
import { createSandboxApp, type Delivery } from "../../sandbox/server.ts";

/** A market of a few symbols, written out in a test. */
export interface TinyMarket {
  /** Directory file; by default one that lists `bars`. */
  directory?: string;
  /** Bars by symbol and date; a symbol with no date is known and never trades; null is a row without prices. */
  readonly bars: Readonly<Record<string, Readonly<Record<string, Partial<MarketBar> | null>>>>;
  readonly dividends?: Readonly<Record<string, readonly MarketDividend[]>>;
  readonly splits?: Readonly<Record<string, readonly MarketSplit[]>>;
}

const PLAIN_BAR: MarketBar = { open: 10, high: 11, low: 9, close: 10.5, adjustedClose: 10.25, volume: 1000 };

/** The market of a description. */
export function createTinyMarket(tiny: TinyMarket): Market {
  return {
    directory() {
      const listed = Object.keys(tiny.bars).map(
        (symbol) => `"${symbol}","${symbol} LIMITED","Materials","01/02/2003",1000`,
      );
      const header = `"ASX code","Company name","GICs industry group","Listing date","Market Cap"`;
      const file = new TextEncoder().encode(tiny.directory ?? [header, ...listed].join("\n"));
      return { current: file, older: file };
    },
    history(symbol, from, to) {
      const bars = tiny.bars[symbol];
      if (bars === undefined) return undefined;
      const sessions = Object.entries(bars)
        .filter(([date]) => date >= from && date <= to)
        .map(([date, bar]) => ({ date, bar: bar === null ? null : { ...PLAIN_BAR, ...bar } }));
      return { sessions, dividends: tiny.dividends?.[symbol] ?? [], splits: tiny.splits?.[symbol] ?? [] };
    },
  };
}

/** A `fetch` that a sandbox answers in the process, and the paths it was asked for. */
export interface SandboxFetch {
  readonly fetch: Fetch;
  readonly paths: string[];
}

/** @param now the sandbox's clock, milliseconds since 1970. */
export function sandboxFetch(market: Market, now: () => number, delivery?: Delivery): SandboxFetch {
  const app = createSandboxApp({ market, now, ...(delivery !== undefined && { delivery }) });
  const paths: string[] = [];
  return {
    paths,
    fetch: async (url, init) => {
      paths.push(url.pathname);
      return app.fetch(new Request(url, init));
    },
  };
}
