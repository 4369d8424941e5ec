import { fromEpochDays } from "../domain/trading-date.ts";
import { sha256 } from "../stores/sha256.ts";
import { areUnchanged } from "./bar-reader.ts";
import { selectBars } from "./bars-relation.ts";
import type { Engine } from "./engine.ts";
import type { BackfilledDay, HistoryPlan } from "./history-plan.ts";
import { sourceSums } from "./history-sums.ts";
import { historyOf, type ReadPlan, type ReadSources, readParts } from "./read-plan.ts";
import type { Remembered } from "./remembered.ts";

/** The files of dates that are not read from compacted ones. */
export interface UncountedFiles extends Pick<ReadPlan, "raw" | "history" | "mayRepeat">, Pick<HistoryPlan, "lacking"> {}

/** Counts bars of dates on which some stand twice, each once. What a date is made of is counted once. */
export class RowCounts {
  readonly #engine: Engine;
  readonly #known: Remembered<number>;

  constructor(engine: Engine, known: Remembered<number>) {
    this.#engine = engine;
    this.#known = known;
  }

  /**
   * Bars of dates that were counted before, by date.
   * @param sums what each date is made of.
   */
  async remembered(sums: ReadonlyMap<string, string>): Promise<Map<string, number>> {
    await this.#known.load([...sums.keys()].map(nameOf));
    const rows = new Map<string, number>();
    for (const [date, text] of sums) {
      const known = this.#known.get(nameOf(date), markOf(text));
      if (known !== undefined) rows.set(date, known);
    }
    return rows;
  }

  /**
   * Bars of dates, by date: as many as their files say they hold, or where some may stand twice, or a file cannot be read, a
   * count.
   */
  async ofDays(days: readonly BackfilledDay[], read: UncountedFiles): Promise<Map<string, number>> {
    const { raw, history, mayRepeat, lacking } = read;
    const rawOf = Map.groupBy(raw, ({ date }) => date);
    const rows = new Map<string, number>();
    const unsure = new Set<string>();
    const sums = new Map<string, string>();
    for (const { date, backfills, beside } of days) {
      const files = rawOf.get(date) ?? [];
      const counts = [...files.map((file) => file.rows), ...backfills.map((each) => each.days[date] ?? 0)];
      if (mayRepeat.has(date) || lacking.has(date)) unsure.add(date);
      else rows.set(date, total(counts));
      if (mayRepeat.has(date) && !lacking.has(date)) {
        const copy = beside === undefined ? "" : `${beside.sha256}  ${beside.key}\n`;
        sums.set(date, sourceSums(files, backfills) + copy);
      }
    }
    for (const [date, count] of await this.remembered(sums)) {
      rows.set(date, count);
      unsure.delete(date);
      sums.delete(date);
    }
    if (unsure.size === 0) return rows;
    const isUnsure = (date: string): boolean => unsure.has(date);
    const sources = {
      raw: raw.filter(({ date }) => isUnsure(date)),
      history: historyOf(history, isUnsure),
      curated: [],
    };
    for (const [date, count] of await this.#count(sources, sums)) rows.set(date, count);
    return rows;
  }

  /** @param sums what dates are made of, as far as that is remembered. */
  async #count(sources: ReadSources, sums: ReadonlyMap<string, string>): Promise<Map<string, number>> {
    const bars = selectBars(readParts(sources), ["symbol", "date"]);
    const columns = await this.#engine.query(
      `SELECT date, count(DISTINCT symbol) AS symbols FROM (${bars}) GROUP BY date`,
    );
    const [dates, counts] = [columns.get("date"), columns.get("symbols")];
    if (dates?.kind !== "date" || counts?.kind !== "number") throw new TypeError("dates and counts were asked for");
    const rows = new Map<string, number>();
    for (const [index, day] of dates.values.entries()) rows.set(fromEpochDays(day), counts.values[index] ?? 0);
    // What was counted while a file was replaced is asked for again by the reader, and is not to stay.
    if (await areUnchanged(sources)) {
      for (const [date, text] of sums) this.#known.set(nameOf(date), markOf(text), rows.get(date) ?? 0);
      await this.#known.save();
    }
    return rows;
  }
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

function nameOf(date: string): string {
  return `rows/${date}`;
}

function markOf(sums: string): string {
  return sha256(new TextEncoder().encode(sums));
}
