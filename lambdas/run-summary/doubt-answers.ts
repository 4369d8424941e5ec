/** Whether the answers of a backfill without a bar are believed: a provider's bad hour is not to stand for good. */
import type { RecordedReport } from "../../domain/backfill.ts";
import { isFinal, type SymbolBatch } from "../../domain/batch.ts";
import { contains, type DateSpan } from "../../domain/date-span.ts";
import type { RunSummary } from "../../domain/run-summary.ts";
import { unfinishedReport } from "../runtime/resolve-backfill.ts";

/** Of the symbols with a bar in the newest run, those that may have none now. In three months 2 % of codes leave (UPSTREAM.md). */
const LARGEST_GONE_SHARE = 0.05;
/** Of the list's symbols, those that may be unknown where no run tells: 17 to 21 % of codes have no price (UPSTREAM.md). */
const LARGEST_UNKNOWN_SHARE = 0.35;
/** Fewer symbols without a bar are believed at once. */
const FEWEST_DOUBTED = 3;
/** An answer that says the same so much later stands, in milliseconds. */
const STANDS_AFTER_MS = 20 * 3_600_000;
const ADVICE =
  "run the backfill again tomorrow, or now if the provider has recovered; the same answer stands then from 20 hours later on";

/** What the answers of a backfill are judged by. */
export interface AnswersToJudge {
  readonly span: DateSpan;
  /** One report a symbol. */
  readonly outcomes: readonly RecordedReport[];
  /** Symbols whose outcome no summary has judged yet. */
  readonly unjudged: ReadonlySet<string>;
  /** The batches of this round. */
  readonly symbolBatches: readonly SymbolBatch[];
  /** Whether the market was asked for, and not only symbols named by hand: their answers alone tell of no fault. */
  readonly isOfList: boolean;
  /** Symbols of the list. */
  readonly listed: number;
  /** Whether an earlier round of the run got bars. */
  readonly foundBars: boolean;
  /** The newest run of a list that has bars; undefined where none is stored. */
  readonly reference: Pick<RunSummary, "date" | "outcomes"> | undefined;
  /** In milliseconds since 1970. */
  readonly now: number;
}

/** Whether there is anything to judge: without it no reference is needed. */
export function hasDoubtful({ outcomes, unjudged }: Pick<AnswersToJudge, "outcomes" | "unjudged">): boolean {
  return outcomes.some((report) => unjudged.has(report.symbol) && isWithoutBar(report));
}

/**
 * The outcomes of a backfill, of which those without a bar that are not believed have failed, each with the instant of its
 * first doubt. What an earlier summary let stand stands.
 */
export function judgeAnswers(answers: AnswersToJudge): RecordedReport[] {
  const { unjudged, isOfList, now } = answers;
  const reasonOf = reasonToDoubt(answers);
  const numbers = new Set(answers.symbolBatches.map(({ batchNumber }) => batchNumber));
  return answers.outcomes.map((report) => {
    const { doubtedSince, ...plain } = report;
    if (!unjudged.has(report.symbol) || !isWithoutBar(report)) return report;
    // A file that no record names may be of the run that was doubted first.
    const isNewer = report.batchNumber !== undefined && numbers.has(report.batchNumber);
    const wasDoubted = doubtedSince !== undefined;
    if (wasDoubted && isNewer && now - Date.parse(doubtedSince) >= STANDS_AFTER_MS) return plain;
    const isOpen = wasDoubted && !(isOfList && isNewer);
    const reason = reasonOf(report) ?? (isOpen ? "its answer was doubted before" : undefined);
    if (reason === undefined) return plain;
    return {
      ...unfinishedReport(report.symbol, "failed", `${reason}: ${report.outcome} is not believed yet; ${ADVICE}`),
      doubtedSince: doubtedSince ?? new Date(now).toISOString(),
    };
  });
}

/** Why the answer of a symbol is not believed; undefined where it is. */
type ReasonOf = (report: RecordedReport) => string | undefined;

function reasonToDoubt(answers: AnswersToJudge): ReasonOf {
  const { outcomes, unjudged, isOfList } = answers;
  if (!isOfList) return () => undefined;
  const asked = new Set(answers.symbolBatches.flatMap(({ symbols }) => symbols));
  const open = outcomes.filter(
    (report) => report.doubtedSince !== undefined || (unjudged.has(report.symbol) && isWithoutBar(report)),
  );
  if (open.length < FEWEST_DOUBTED) return () => undefined;
  const ofRun = outcomes.filter(({ symbol }) => asked.has(symbol) || unjudged.has(symbol));
  if (!answers.foundBars && ofRun.length >= FEWEST_DOUBTED && ofRun.every(({ bars }) => bars === 0)) {
    return () => `none of the ${ofRun.length} symbols asked for has a bar`;
  }
  return answers.reference === undefined ? byList(answers) : byReference(answers, answers.reference);
}

/** What is doubted still, as it failed when it was asked for again, counts with the answers. */
function byReference(
  { span, outcomes }: AnswersToJudge,
  { date, outcomes: before }: Pick<RunSummary, "date" | "outcomes">,
): ReasonOf {
  const healthy = new Set(before.filter(({ outcome }) => outcome === "fetched").map(({ symbol }) => symbol));
  const isCovered = contains(span, { from: date, to: date });
  const isGone = ({ symbol, outcome, doubtedSince }: RecordedReport): boolean =>
    healthy.has(symbol) &&
    (outcome === "notFound" || (outcome === "noTrade" && isCovered) || doubtedSince !== undefined);
  const answered = outcomes.filter(
    ({ symbol, outcome, doubtedSince }) => healthy.has(symbol) && (isFinal(outcome) || doubtedSince !== undefined),
  );
  const gone = answered.filter(isGone).length;
  if (gone < FEWEST_DOUBTED || gone <= answered.length * LARGEST_GONE_SHARE) return () => undefined;
  const reason = `${gone} of ${answered.length} symbols that had a bar on ${date} have none now`;
  return (report) => (isGone(report) ? reason : undefined);
}

function byList({ outcomes, listed }: AnswersToJudge): ReasonOf {
  const unknown = outcomes.filter(
    ({ outcome, doubtedSince }) => outcome === "notFound" || doubtedSince !== undefined,
  ).length;
  if (unknown < FEWEST_DOUBTED || unknown <= listed * LARGEST_UNKNOWN_SHARE) return () => undefined;
  const reason = `the provider knows ${unknown} of ${listed} symbols not`;
  return ({ outcome }) => (outcome === "notFound" ? reason : undefined);
}

function isWithoutBar({ outcome, bars }: RecordedReport): boolean {
  return isFinal(outcome) && bars === 0;
}
