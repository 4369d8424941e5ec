import { BAR_COLUMN_NAMES, selectBars, selectBarsOnce } from "./bars-relation.ts";
import { type ReadPlan, rawParts, readPartsByMonth } from "./read-plan.ts";

/** A view over files: months of small files are passed over whole where a query's dates are others. */
export function barsView(name: string, { raw, curated, mayRepeat }: ReadPlan): string {
  const repeating = raw.filter(({ date }) => mayRepeat.has(date));
  const single = raw.filter(({ date }) => !mayRepeat.has(date));
  const queries = [selectBars(readPartsByMonth({ raw: single, curated }), BAR_COLUMN_NAMES)];
  if (repeating.length > 0) queries.push(selectBarsOnce(rawParts(repeating)));
  return `CREATE VIEW ${name} AS ${queries.join("\nUNION ALL ")}`;
}
