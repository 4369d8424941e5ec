import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { InvalidInputError } from "../domain/errors.ts";
import { compareSymbols } from "../domain/symbol.ts";
import { isTradingDate } from "../domain/trading-date.ts";
import type { Market, MarketBar, MarketSession } from "./market.ts";

/** Where the recorded market lies. */
export interface ReplayOptions {
  /** A folder of `YYYY/YYYYMMDD.csv`: `code,yyyymmdd,open,high,low,close,volume`, no header. */
  readonly folder: string;
  /** A file as the exchange served it; both addresses of the directory serve it as it is. */
  readonly directoryFile: string;
}

/**
 * A market that replays recorded days. A symbol is known where any day has it; a day without a line of
 * a symbol is a day on which it did not trade. There are no corporate actions.
 * @throws InvalidInputError where a file is missing or not of its form.
 */
export function createReplayMarket({ folder, directoryFile }: ReplayOptions): Market {
  const directory = readInput(directoryFile);
  const paths = dayFiles(folder);
  const days = new Map<string, ReadonlyMap<string, MarketBar>>();
  const known = new Set<string>();
  for (const path of paths.values()) {
    for (const line of readInput(path).toString("utf8").split("\n")) {
      if (line.includes(",")) known.add(line.slice(0, line.indexOf(",")));
    }
  }

  function day(date: string): ReadonlyMap<string, MarketBar> | undefined {
    const path = paths.get(date);
    if (path === undefined) return undefined;
    let bars = days.get(date);
    if (bars === undefined) {
      bars = parseDay(path, date);
      days.set(date, bars);
    }
    return bars;
  }

  return {
    directory: () => ({ current: directory, older: directory }),
    history(symbol, from, to) {
      if (!known.has(symbol)) return undefined;
      const sessions: MarketSession[] = [];
      for (const date of paths.keys()) {
        const bar = date >= from && date <= to ? day(date)?.get(symbol) : undefined;
        if (bar !== undefined) sessions.push({ date, bar });
      }
      return { sessions, dividends: [], splits: [] };
    },
  };
}

/** The path of each day's file by its date, in order of date. */
function dayFiles(folder: string): ReadonlyMap<string, string> {
  const files: [string, string][] = [];
  for (const year of list(folder).filter((name) => /^\d{4}$/.test(name))) {
    for (const name of list(join(folder, year))) {
      const [, y, m, d] = /^(\d{4})(\d{2})(\d{2})\.csv$/.exec(name) ?? [];
      const date = `${y}-${m}-${d}`;
      if (isTradingDate(date)) files.push([date, join(folder, year, name)]);
    }
  }
  if (files.length === 0) throw new InvalidInputError(`${folder} holds no YYYY/YYYYMMDD.csv to replay`);
  return new Map(files.sort(([left], [right]) => compareSymbols(left, right)));
}

function parseDay(path: string, date: string): ReadonlyMap<string, MarketBar> {
  const bars = new Map<string, MarketBar>();
  const stamp = date.replaceAll("-", "");
  for (const [index, line] of readInput(path).toString("utf8").split("\n").entries()) {
    if (line.trim() === "") continue;
    const [code, day, ...values] = line.trim().split(",");
    const [open, high, low, close, volume, ...rest] = values.map(Number);
    if (
      code === undefined ||
      day !== stamp ||
      rest.length > 0 ||
      open === undefined ||
      high === undefined ||
      low === undefined ||
      close === undefined ||
      volume === undefined ||
      !values.every((value) => value !== "" && Number.isFinite(Number(value)))
    ) {
      throw new InvalidInputError(
        `${path}:${index + 1} is not code,${stamp},open,high,low,close,volume: ${JSON.stringify(line.slice(0, 80))}`,
      );
    }
    bars.set(code, { open, high, low, close, adjustedClose: close, volume });
  }
  return bars;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (cause) {
    throw new InvalidInputError(`cannot read the folder ${folder}; name a folder of YYYY/YYYYMMDD.csv`, { cause });
  }
}

function readInput(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new InvalidInputError(`cannot read ${path}`, { cause });
  }
}
