import { describeNotAdjusted } from "../domain/adjustment.ts";
import { type Adjustment, adjustBars, columnsForAdjusting } from "./adjust-bars.ts";
import type { BarQuestion, Seen } from "./bar-reader.ts";
import { Bars } from "./bars.ts";
import { Coverage } from "./coverage.ts";
import type { AggregatorParts } from "./open-parts.ts";

/** The bars of a question on one basis. What is read besides, to adjust by, is not given back. */
export async function loadAdjusted(
  { reader, actions }: Pick<AggregatorParts, "reader" | "actions">,
  question: BarQuestion,
  adjust: Exclude<Adjustment, "none">,
): Promise<{ readonly bars: Bars; readonly seen: Seen }> {
  const { bars, seen } = await reader.bars({ ...question, columns: columnsForAdjusting(question.columns) });
  const { factors, skipped } = await actions.known(question.onBadFile);
  const columns = adjustBars(bars.columns, adjust, question.columns, factors);
  const isForDividends = adjust === "all" || question.columns.includes("adjusted_close");
  const firsts = isForDividends ? firstDates(bars) : new Map<string, string>();
  const notAdjusted = factors.notAdjusted.filter(({ symbol, exDate }) => exDate >= (firsts.get(symbol) ?? "9999"));
  const known = new Set(bars.coverage.skipped.map(({ key }) => key));
  // Files of other dates count too: a split or a close before an ex-date that they hold changes these prices.
  const others = skipped.filter(({ key }) => !known.has(key));
  const coverage = new Coverage({
    ...bars.coverage.toJSON(),
    skipped: [...bars.coverage.skipped, ...others],
    notAdjusted: notAdjusted.map(describeNotAdjusted),
  });
  return { bars: new Bars(columns, coverage), seen };
}

/** The first date of every symbol that has a bar. */
function firstDates(bars: Bars): Map<string, string> {
  const { symbolCodes: codes, symbolDictionary: dictionary } = bars;
  const firsts = new Map<string, string>();
  for (let row = 0; row < codes.length; row += 1) {
    if (row > 0 && codes[row] === codes[row - 1]) continue;
    const symbol = dictionary[codes[row] ?? -1] ?? "";
    if (!firsts.has(symbol)) firsts.set(symbol, bars.dateAt(row));
  }
  return firsts;
}
