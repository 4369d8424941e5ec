import { compareSymbols } from "../domain/symbol.ts";
import { addDays } from "../domain/trading-date.ts";
import { hash32, uniform } from "./random.ts";

/** A made-up company and how its price behaves. */
export interface SyntheticListing {
  readonly symbol: string;
  readonly name: string;
  readonly industryGroup: string;
  /** Seed of all its chance. */
  readonly seed: number;
  readonly listedFrom: string;
  /** First date on which it is no longer listed; null while it is. */
  readonly delistedFrom: string | null;
  /** AUD at its start. */
  readonly firstPrice: number;
  /** Standard deviation of a day's logarithmic return. */
  readonly dailyVolatility: number;
  /** Shares on an ordinary day. */
  readonly ordinaryVolume: number;
  /** Share of days on which nothing trades. */
  readonly idleShare: number;
  /** Whether the price provider knows it: debt issuers are listed and have no quotes. */
  readonly isQuoted: boolean;
  /** Dividend yield a year, paid in two halves; 0 for most. */
  readonly dividendYield: number;
}

/** The first session of the synthetic market. */
export const SYNTHETIC_MARKET_START = "2000-01-04";
/** Days over which companies of the synthetic market were listed and delisted: 2000 to 2030. */
const MARKET_SPAN_DAYS = 11_300;
/** How many companies there ever were; about 2,000 of them are listed at a time. */
const COMPANIES = 2_600;

/** Codes every reader knows, so that examples can name them. Their prices are made up like all others. */
const LARGE_COMPANIES = ["BHP", "CBA", "CSL", "NAB", "WBC", "WES", "TLS", "MQG", "RIO", "WOW"];

const INDUSTRY_GROUPS = [
  "Materials",
  "Energy",
  "Banks",
  "Software & Services",
  "Capital Goods",
  "Health Care Equipment & Services",
  "Pharmaceuticals, Biotechnology & Life Sciences",
  "Financial Services",
  "Food, Beverage & Tobacco",
  "Not Applic",
  "Equity Real Estate Investment Trusts (REITs)",
  "Consumer Services",
  "Utilities",
  "Commercial & Professional Services",
];
const NAME_STEMS = [
  "NORTHERN",
  "PACIFIC",
  "EUREKA",
  "SOUTHERN CROSS",
  "GOLDEN",
  "RED RIVER",
  "COASTAL",
  "HARBOUR",
  "PIONEER",
  "TASMAN",
];
const NAME_TAILS = [
  "RESOURCES LIMITED",
  "GROUP LIMITED",
  "HOLDINGS LIMITED",
  "MINERALS, NL",
  "CAPITAL TRUST",
  "ENERGY LIMITED..",
];

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const CHARACTERS = `${LETTERS}0123456789`;

/** All companies of the market of a seed, in order of symbol. */
export function createSyntheticListings(seed: number): SyntheticListing[] {
  const symbols = new Set(LARGE_COMPANIES);
  for (let attempt = 0; symbols.size < COMPANIES; attempt += 1) symbols.add(drawSymbol(seed, attempt));
  return [...symbols]
    .map((symbol, index) => drawListing(seed, symbol, index))
    .sort((a, b) => compareSymbols(a.symbol, b.symbol));
}

function drawSymbol(seed: number, attempt: number): string {
  const first = pick(LETTERS.split(""), uniform(seed, attempt, 1));
  const second = pick(CHARACTERS.split(""), uniform(seed, attempt, 2));
  const third = pick(LETTERS.split(""), uniform(seed, attempt, 3));
  return `${first}${second}${third}`;
}

function drawListing(marketSeed: number, symbol: string, index: number): SyntheticListing {
  const seed = hash32(marketSeed, index);
  const chance = (use: number): number => uniform(seed, 0, use);
  const isLarge = index < LARGE_COMPANIES.length;
  const isOld = isLarge || chance(1) < 0.7;
  const listedFrom = isOld
    ? SYNTHETIC_MARKET_START
    : addDays(SYNTHETIC_MARKET_START, Math.floor(chance(2) * MARKET_SPAN_DAYS));
  const isDelisted = !isLarge && chance(3) < 0.25;
  const lifeDays = 200 + Math.floor(chance(4) * MARKET_SPAN_DAYS);
  return {
    symbol,
    name: `${pick(NAME_STEMS, chance(5))} ${symbol} ${pick(NAME_TAILS, chance(6))}`,
    industryGroup: pick(INDUSTRY_GROUPS, chance(7)),
    seed,
    listedFrom,
    delistedFrom: isDelisted ? addDays(listedFrom, lifeDays) : null,
    firstPrice: isLarge ? 10 + 80 * chance(8) : Math.exp(-4 + 7 * chance(8)),
    dailyVolatility: isLarge ? 0.012 : 0.01 + 0.04 * chance(9),
    ordinaryVolume: Math.round(Math.exp((isLarge ? 14 : 7) + 4 * chance(10))),
    idleShare: isLarge ? 0 : chance(11) < 0.3 ? 0.5 * chance(12) : 0.02,
    isQuoted: isLarge || chance(15) > 0.08,
    dividendYield: isLarge || chance(13) < 0.3 ? 0.01 + 0.06 * chance(14) : 0,
  };
}

function pick<Item>(items: readonly Item[], chance: number): Item {
  const item = items[Math.floor(chance * items.length)];
  if (item === undefined) throw new RangeError("nothing to pick from");
  return item;
}
