import { readdirSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type Bar, checkBar } from "../../domain/bar.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import {
  type DayEvidence,
  type DayFinding,
  dayEvidence,
  judgeDay,
  LARGE_COMPANIES,
} from "../../lambdas/run-summary/day-gates.ts";
import { type SuspectBar, suspectBars } from "../../lambdas/run-summary/suspect-bars.ts";
import { hasRealData, readRealData, realDataPath } from "../support/real-data.ts";

const FOLDER = "asx-eod/2024";

/** A recorded session, and what a run of its date would know of the ones before. */
interface Session {
  readonly date: string;
  readonly bars: readonly Bar[];
  readonly previousBars: ReadonlyMap<string, Bar>;
  readonly lastBars: ReadonlyMap<string, Bar>;
  readonly tradedBefore: readonly number[];
}

/**
 * Shares and funds of a file: codes of three characters that traded, as the thresholds were measured on. Without
 * volume the files have only indices, which no directory lists. A row that breaks an invariant is kept out, as a run does.
 */
function readBars(file: string): Bar[] {
  const date = file.replace(/^(\d{4})(\d\d)(\d\d)\.csv$/, "$1-$2-$3");
  const lines = new TextDecoder()
    .decode(readRealData(`${FOLDER}/${file}`))
    .trim()
    .split(/\r?\n/);
  return lines.flatMap((line) => {
    const [symbol = "", , open, high, low, close, volume] = line.split(",");
    if (symbol.length !== 3 || !(Number(volume) > 0)) return [];
    const check = checkBar({
      symbol,
      date,
      open: Number(open),
      high: Number(high),
      low: Number(low),
      close: Number(close),
      adjustedClose: null,
      volume: Number(volume),
      dividend: null,
      splitRatio: null,
      fetchTimestamp: 0,
      batchNumber: null,
    });
    return check.valid ? [check.bar] : [];
  });
}

function bySymbol(bars: readonly Bar[]): Map<string, Bar> {
  return new Map(bars.map((bar) => [bar.symbol, bar]));
}

function readSessions(): Session[] {
  const sessions: Session[] = [];
  let previousBars: ReadonlyMap<string, Bar> = new Map();
  let lastBars: ReadonlyMap<string, Bar> = new Map();
  const traded: number[] = [];
  for (const file of readdirSync(realDataPath(FOLDER)).sort()) {
    const bars = readBars(file);
    sessions.push({ date: bars[0]?.date ?? file, bars, previousBars, lastBars, tradedBefore: [...traded] });
    previousBars = bySymbol(bars);
    lastBars = new Map([...lastBars, ...previousBars]);
    traded.push(bars.length);
  }
  return sessions;
}

interface Judgement {
  readonly suspects: SuspectBar[];
  readonly evidence: DayEvidence;
  readonly findings: DayFinding[];
}

/** Judges bars as those of a session. Listed is whatever traded before or in truth that day. */
function judge(session: Session, bars: readonly Bar[] = session.bars): Judgement {
  const { previousBars, lastBars, tradedBefore } = session;
  const suspects = suspectBars(bars, lastBars);
  const listed = [...lastBars.keys(), ...session.bars.map(({ symbol }) => symbol)];
  const evidence = dayEvidence({ bars, previousBars, tradedBefore, listed, suspects });
  return { suspects, evidence, findings: judgeDay(evidence) };
}

function scaled(bar: Bar, scale: number): Bar {
  return {
    ...bar,
    open: bar.open * scale,
    high: bar.high * scale,
    low: bar.low * scale,
    close: bar.close * scale,
  };
}

function stale({ date, previousBars }: Session): Bar[] {
  return [...previousBars.values()].map((bar) => ({ ...bar, date }));
}

describe.skipIf(!hasRealData)("the gates of a day over the sessions of 2024", () => {
  let sessions: Session[] = [];
  let judgements: Judgement[] = [];

  beforeAll(() => {
    sessions = readSessions();
    judgements = sessions.map((session) => judge(session));
  });

  it("have 105 genuine sessions: all trading days of five months, and none that is listed as wrong", () => {
    expect(sessions.map(({ date }) => date)).toEqual(createTradingCalendar().tradingDays("2024-01-02", "2024-05-31"));
    const wrong = new TextDecoder().decode(readRealData("asx-calendar/price-file-irregularities.csv"));
    const wrongDates = wrong.match(/^\d{4}-\d\d-\d\d/gm) ?? [];

    expect(wrongDates).toHaveLength(52);
    expect(wrongDates.toSorted().at(-1)).toBe("2020-05-29");
  });

  it("pass every one of them, without a warning", () => {
    const found = judgements.flatMap(({ findings }, index) =>
      findings.map((finding) => `${sessions[index]?.date}: ${finding.detail}`),
    );

    expect(found).toEqual([]);
    expect(judgements.every(({ evidence }) => evidence.largeListed === 10 && evidence.largeTraded === 10)).toBe(true);
  });

  it("are far from their thresholds on all of them", () => {
    const repeated = judgements.map(({ evidence }) => evidence.repeated / evidence.traded);
    const jumped = judgements.map(({ evidence }) => evidence.jumped / evidence.traded);

    expect(Math.max(...repeated)).toBeLessThan(0.0025);
    expect(Math.max(...jumped)).toBeLessThan(0.0013);
  });

  it("come with few suspect bars", () => {
    const inAll: Record<string, number> = {};
    const most: Record<string, number> = {};
    for (const { suspects } of judgements) {
      const today: Record<string, number> = {};
      for (const { kind } of suspects) today[kind] = (today[kind] ?? 0) + 1;
      for (const [kind, count] of Object.entries(today)) {
        inAll[kind] = (inAll[kind] ?? 0) + count;
        most[kind] = Math.max(most[kind] ?? 0, count);
      }
    }

    expect(inAll).toEqual({ repeated: 128, "unapplied-split": 19, "implausible-volume": 4 });
    expect(most).toEqual({ repeated: 4, "unapplied-split": 2, "implausible-volume": 1 });
  });

  it("see the consolidation of Paladin Energy, whose file has no split event", () => {
    const index = sessions.findIndex(({ date }) => date === "2024-04-22");

    expect(judgements[index]?.suspects).toContainEqual({
      symbol: "PDN",
      kind: "unapplied-split",
      detail:
        "open 14.12 and close 14.04 are 9.23 times and 9.18 times the close 1.53 of 2024-04-10, " +
        "with no split event: a consolidation may be missing",
    });
  });

  // The session from which on there is enough to compare with: coverage takes five before it.
  it.each<[what: string, gate: string, from: number, alter: (session: Session) => readonly Bar[]]>([
    ["cut in half", "coverage", 5, ({ bars }) => bars.slice(0, bars.length / 2)],
    ["without its first half", "coverage", 5, ({ bars }) => bars.slice(bars.length / 2)],
    [
      "cut as that of 2011-04-07 was: 85 of 1,543",
      "coverage",
      5,
      ({ bars }) => bars.slice(0, bars.length * (85 / 1543)),
    ],
    ["a stub of two rows, as that of 2018-03-17 was", "large-companies", 0, ({ bars }) => bars.slice(0, 2)],
    ["empty", "large-companies", 0, () => []],
    ["empty, seen by its size", "coverage", 5, () => []],
    ["the session before under this date", "repeated", 1, stale],
    [
      "stale in 13 % of its rows",
      "repeated",
      1,
      (session) => {
        const old = stale(session);
        const kept = new Set(old.slice(0, session.bars.length * 0.13).map(({ symbol }) => symbol));
        return [
          ...old.filter(({ symbol }) => kept.has(symbol)),
          ...session.bars.filter((bar) => !kept.has(bar.symbol)),
        ];
      },
    ],
    [
      "without the ten large companies",
      "large-companies",
      0,
      ({ bars }) => bars.filter(({ symbol }) => !LARGE_COMPANIES.includes(symbol)),
    ],
    [
      "100 times too high for a tenth of the codes",
      "jumps",
      1,
      ({ bars }) => bars.map((bar, index) => (index % 10 === 0 ? scaled(bar, 100) : bar)),
    ],
    [
      "100 times too low for a tenth of the codes",
      "jumps",
      1,
      ({ bars }) => bars.map((bar, index) => (index % 10 === 0 ? scaled(bar, 0.01) : bar)),
    ],
  ])("stop every session whose file is %s", (_what, gate, from, alter) => {
    const passed = sessions.slice(from).filter((session) => {
      const { findings } = judge(session, alter(session));
      return !findings.some((finding) => finding.gate === gate && finding.stops);
    });

    expect(passed.map(({ date }) => date)).toEqual([]);
  });

  it("come with a warning for every price that is 100 times too high", () => {
    for (const session of sessions.slice(1)) {
      const wrong = session.bars.filter(({ symbol }, index) => index % 10 === 0 && session.lastBars.has(symbol));
      const { suspects } = judge(
        session,
        wrong.map((bar) => scaled(bar, 100)),
      );
      const jumps = suspects.filter(({ kind }) => kind === "price-jump").map(({ symbol }) => symbol);
      expect(jumps).toEqual(wrong.map(({ symbol }) => symbol));
    }
  });
});
