import {
  type DayQuality,
  type Redrive,
  RUN_STATUSES,
  type RunDigest,
  type RunSummary,
} from "../../domain/run-summary.ts";

/** Most findings that a message names. */
const FINDINGS_NAMED = 3;

/** What a message is about besides the run's own date. */
export interface RunDescription {
  /** How the sessions before the date stand that the run asked for too. */
  readonly earlier: RunDigest["earlier"];
  readonly redrive: Redrive | null;
  /** Where the run summary is stored. */
  readonly where: string;
}

/** How a run stands, in one line for a notification. */
export function describeRun(summary: RunSummary, { earlier, redrive, where }: RunDescription): string {
  const { date, status, counts, symbols, quality, revised, unread } = summary;
  if (status === RUN_STATUSES.marketClosed) return `ASX ${date}: the market was closed.`;
  const { fetched, noTrade, notFound, invalid, failed, deferred } = counts;
  const findings = quality?.findings ?? [];
  const suspects = quality?.suspects.length ?? 0;
  const unwhole = earlier.filter((session) => session.status !== RUN_STATUSES.complete);
  return [
    `ASX ${date}: ${status}. ${fetched} of ${symbols.total} symbols have a bar; ${noTrade} did not trade, ` +
      `${notFound} are unknown to the provider, ${invalid} invalid, ${failed} failed, ${deferred} deferred.`,
    ...(quality === undefined ? [] : [describeCoverage(quality)]),
    ...findings.slice(0, FINDINGS_NAMED).map(({ gate, detail }) => `${gate}: ${detail}`),
    ...(suspects > 0 ? [`Suspect bars: ${suspects}.`] : []),
    ...(revised > 0 ? [`Bars changed by the provider after they were stored: ${revised}.`] : []),
    ...(unread > 0 ? [`Symbols that could not be read again: ${unread}.`] : []),
    ...(unwhole.length > 0
      ? [`Before it: ${unwhole.map((session) => `${session.date} is ${session.status}`).join(", ")}.`]
      : []),
    ...(redrive === null ? [] : [`What is unfinished is fetched again, in round ${redrive.run.attempt}.`]),
    `Details: ${where}`,
  ].join(" ");
}

/** How much of the market traded, against the days before. */
function describeCoverage({ traded, usual }: DayQuality): string {
  if (usual === null || usual === 0) return `${traded} traded.`;
  return `${traded} traded, ${Math.round((traded / usual) * 100)} % of the median of the last sessions.`;
}
