import { BAR_COLUMN_NAMES, selectBars, selectBarsOnce } from "./bars-relation.ts";
import { historyOf, type ReadPlan, readParts, readPartsByMonth } from "./read-plan.ts";

/** A view over files: months of small files are passed over whole where a query's dates are others. */
export function barsView(name: string, { raw, history, curated, mayRepeat }: ReadPlan): string {
  const single = {
    raw: raw.filter(({ date }) => !mayRepeat.has(date)),
    history: historyOf(history, (date) => !mayRepeat.has(date)),
    curated,
  };
  const repeating = {
    raw: raw.filter(({ date }) => mayRepeat.has(date)),
    history: historyOf(history, (date) => mayRepeat.has(date)),
    curated: [],
  };
  const queries = [selectBars(readPartsByMonth(single), BAR_COLUMN_NAMES)];
  if (mayRepeat.size > 0) queries.push(selectBarsOnce(readParts(repeating)));
  return `CREATE VIEW ${name} AS ${queries.join("\nUNION ALL ")}`;
}
