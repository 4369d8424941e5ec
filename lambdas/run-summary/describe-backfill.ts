import type { BackfillDigest, BackfillRecord } from "../../domain/backfill.ts";

/** How many symbols a message names. */
const SYMBOLS_NAMED = 5;

/** What a message is about besides the backfill itself. */
export interface BackfillDescription {
  readonly redrive: BackfillDigest["redrive"];
  /** Where the record is stored. */
  readonly where: string;
}

/** How a backfill stands, in one line for a notification. */
export function describeBackfill(record: BackfillRecord, { redrive, where }: BackfillDescription): string {
  const { from, to, status, counts, symbols, rows, leftOut, batches, outcomes } = record;
  const doubted = outcomes.filter(({ doubtedSince }) => doubtedSince !== undefined).length;
  const byName = outcomes.filter((report) => report.byName === true).map(({ symbol }) => symbol);
  const { fetched, noTrade, notFound, invalid, failed, deferred } = counts;
  return [
    `ASX backfill ${from} to ${to}: ${status}. ${fetched} of ${symbols.total} symbols have bars, ${rows} in ` +
      `${batches.length === 1 ? "1 file" : `${batches.length} files`}; ${noTrade} did not trade, ${notFound} are unknown ` +
      `to the provider, ${invalid} invalid, ${failed} failed, ${deferred} deferred.`,
    ...(leftOut > 0 ? [`Rows of answers that were kept out: ${leftOut}.`] : []),
    ...(doubted > 0
      ? [
          `${doubted} answers without a bar are not believed yet: run it again tomorrow, or once the provider has recovered.`,
        ]
      : []),
    ...(byName.length > 0
      ? [
          `Asked for by name alone and unfinished, which says nothing of the market: ${byName.slice(0, SYMBOLS_NAMED).join(", ")}${byName.length > SYMBOLS_NAMED ? `, and ${byName.length - SYMBOLS_NAMED} more` : ""}.`,
        ]
      : []),
    ...(redrive === null ? [] : [`What is unfinished is fetched again, in round ${redrive.run.attempt}.`]),
    `Details: ${where}`,
  ].join(" ");
}
