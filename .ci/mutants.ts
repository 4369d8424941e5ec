/**
 * Breaks promises on purpose, each in a copy of the project, and runs the tests that must notice. A mutant that lives is
 * a promise without a test.
 *
 *   node .ci/mutants.ts [NAME]
 */
import { spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Mutant {
  readonly name: string;
  readonly file: string;
  /** A text that stands in the file once, and what is put in its place. */
  readonly change: readonly [from: string, to: string];
  /** Folders or files of tests, one of which must fail. */
  readonly tests: readonly string[];
}

const MUTANTS: readonly Mutant[] = [
  {
    name: "a local store that writes over whatever is there",
    file: "stores/local-store.ts",
    change: ["if ((before === undefined ? undefined : sha256(before)) !== version) {", "if (before === null) {"],
    tests: ["test/stores/local-store.test.ts"],
  },
  {
    name: "an S3 store without conditional writes",
    file: "stores/s3-store.ts",
    change: ['version === undefined ? { IfNoneMatch: "*" } : { IfMatch: version }', "version === key ? {} : {}"],
    tests: ["test/stores/s3-store.test.ts"],
  },
  {
    name: "a batch that does not read again what another writer changed",
    file: "lambdas/batch-fetcher/store-session.ts",
    change: ["merge(current?.contents, fetched", "merge(before?.contents, fetched"],
    tests: ["test/lambdas/fetch-batch.test.ts"],
  },
  {
    name: "a reader that does not check the SHA-256",
    file: "aggregator/stored-days.ts",
    change: [
      "({ key, sha256 }): WantedFile => ({ key, date, sha256 })",
      "({ key }): WantedFile => ({ key, date, sha256: undefined })",
    ],
    tests: ["test/aggregator/load-date.test.ts", "test/aggregator/damage.test.ts"],
  },
  {
    name: "compacted bars that count although their date was run again",
    file: "aggregator/stored-days.ts",
    change: ["((file) => file.days[date]?.sums === sums)", "((file) => file.days[date]?.sums !== undefined)"],
    tests: ["test/aggregator/compact.test.ts"],
  },
  {
    name: "of bars that stand twice the older one",
    file: "aggregator/bar-order.ts",
    change: ["if (isLater(row, other)) table[place]", "if (isLater(other, row)) table[place]"],
    tests: ["test/aggregator/load-date.test.ts", "test/aggregator/bar-order.test.ts"],
  },
  {
    name: "a range that does not name its missing days",
    file: "aggregator/day-coverage.ts",
    change: ["!stored.has(date) && !runs.has(date)", 'date === ""'],
    tests: ["test/documented-examples.test.ts"],
  },
  {
    name: "a manifest that is written over another compaction's",
    file: "aggregator/manifest-store.ts",
    change: ["await store.replace(curatedManifestKey, bytes, version);", "await store.put(curatedManifestKey, bytes);"],
    tests: ["test/aggregator/compact-together.test.ts"],
  },
  {
    name: "bars of a file that was replaced while it was read",
    file: "aggregator/bar-reader.ts",
    change: [
      "fresh.mark === current.catalog.mark && areThere && (await areUnchanged(current.plan))",
      "current.catalog.mark !== undefined",
    ],
    tests: [
      "test/aggregator/compact-together.test.ts",
      "test/aggregator/s3-compacted.test.ts",
      "test/aggregator/damage.test.ts",
    ],
  },
  {
    name: "a batch file whose seal nobody compares",
    file: "stores/batch-file-reader.ts",
    change: ['if (seal === "broken") throw', "if (seal === undefined) throw"],
    tests: ["test/lambdas/damaged-batch-file.test.ts"],
  },
  {
    name: "a symbols CSV that a spreadsheet runs",
    file: "domain/formula-text.ts",
    change: ["return FORMULA.test(text) ?", "return FORMULA.test(`x${text}`) ?"],
    tests: ["test/lambdas/symbols-csv.test.ts"],
  },
  {
    name: "a run summary that does not miss what a file has lost",
    file: "lambdas/run-summary/collect-outcomes.ts",
    change: ["rows < result.rows - withdrawn", "rows < 0"],
    tests: ["test/lambdas/summarise-run.test.ts"],
  },
  {
    name: "dates of UTC",
    file: "domain/trading-date.ts",
    change: ['export const EXCHANGE_TIME_ZONE = "Australia/Sydney";', 'export const EXCHANGE_TIME_ZONE = "UTC";'],
    tests: ["test/domain"],
  },
  {
    name: "a workflow without the gate on whole days",
    file: "state-machines/daily.asl.json",
    change: ['"Default": "NotifyFailed"', '"Default": "Done"'],
    tests: ["test/cli/daily-workflow.test.ts"],
  },
  {
    name: "a partial day that counts as whole",
    file: "domain/run-summary.ts",
    change: ["counts.failed + counts.deferred > 0 ?", "counts.failed + counts.deferred < 0 ?"],
    tests: ["test/domain/run-summary.test.ts"],
  },
  {
    name: "a lock that does not keep the second run out",
    file: "lambdas/runtime/run-lock.ts",
    change: ["Date.parse(stored.expiresAt) > now &&", "Date.parse(stored.expiresAt) < 0 &&"],
    tests: ["test/lambdas/run-lock.test.ts"],
  },
  {
    name: "workers that take each other's share of the request budget",
    file: "lambdas/batch-fetcher/request-slots.ts",
    change: ["return first + ((((lane - first) % lanes) + lanes) % lanes);", "return first;"],
    tests: ["test/lambdas/upstream-gate.test.ts"],
  },
  {
    name: "a breaker that never opens",
    file: "lambdas/batch-fetcher/upstream-gate.ts",
    change: ["badInARow === BAD_ANSWERS_TO_CLOSE", "badInARow === -BAD_ANSWERS_TO_CLOSE"],
    tests: ["test/lambdas/upstream-gate.test.ts", "test/lambdas/fetch-batch.test.ts"],
  },
  {
    name: "a bar that is replaced without a record",
    file: "lambdas/batch-fetcher/store-session.ts",
    change: ["await storeRevisions(key, revisions, runtime);", "await storeRevisions(key, [], runtime);"],
    tests: ["test/lambdas/fetch-batch.test.ts", "test/cli/daily-workflow.test.ts"],
  },
  {
    name: "yesterday's market taken for today's",
    file: "lambdas/run-summary/day-gates.ts",
    change: ["repeated * 100 <= traded * REPEATED_STOP_PERCENT", "repeated <= traded"],
    tests: ["test/lambdas/day-gates.test.ts"],
  },
  {
    name: "a run that gives up on what is unfinished",
    file: "lambdas/run-summary/plan-redrive.ts",
    change: ["if (batches.length === 0) return null;", "if (batches.length >= 0) return null;"],
    tests: ["test/cli/daily-workflow.test.ts"],
  },
  {
    name: "a fetcher that may write everywhere in the bucket",
    file: "stacks/functions.ts",
    change: ["resources: objects(writes) }", "resources: [`${bucketArn}/*`, ...objects(writes)] }"],
    tests: ["test/stacks/permissions.test.ts"],
  },
  {
    name: "prices rescaled for splits that they were fetched after",
    file: "domain/split-basis.ts",
    change: ["return Math.max(observedAt, toEpochDays(date)", "return Math.max(0, toEpochDays(date)"],
    tests: ["test/domain/adjustment.test.ts", "test/aggregator/adjust.test.ts"],
  },
  {
    name: "a history file that is not compared with what its record names",
    file: "aggregator/history-files.ts",
    change: ["const hash = sha256(bytes);", "const hash = named;"],
    tests: ["test/aggregator/history.test.ts"],
  },
  {
    name: "compacted bars that count although a backfill has others since",
    file: "aggregator/history-sums.ts",
    change: ["return rawSums + backfills.map(", "return rawSums + backfills.slice(backfills.length).map("],
    tests: ["test/aggregator/history.test.ts", "test/aggregator/history-compaction.test.ts"],
  },
  {
    name: "a backfill that asks again for what it has kept",
    file: "lambdas/batch-fetcher/fetch-history.ts",
    change: ["if (history !== undefined) pending.set(symbol, history);", ""],
    tests: ["test/lambdas/fetch-history.test.ts", "test/lambdas/backfill-killed.test.ts"],
  },
  {
    name: "a backfill that keeps nothing until its file is whole",
    file: "lambdas/batch-fetcher/fetch-history.ts",
    change: ["await store.put(pendingKey({ ...span, symbol }), encodePending(history, source.name));", ""],
    tests: ["test/lambdas/backfill-killed.test.ts"],
  },
  {
    name: "a catch-up that trusts files by their names",
    file: "lambdas/symbol-updater/find-gaps.ts",
    change: ["bytes !== undefined && sha256(bytes) === named", "bytes !== undefined"],
    tests: ["test/lambdas/find-gaps.test.ts", "test/simulation/catch-up.test.ts"],
  },
  {
    name: "a day that counts as whole by a backfill of some named symbols",
    file: "aggregator/history-coverage.ts",
    change: ["isFull && status !== BACKFILL_STATUSES.failed", "status !== BACKFILL_STATUSES.failed"],
    tests: ["test/aggregator/history.test.ts", "test/aggregator/history-coverage.test.ts"],
  },
  {
    name: "a code's next company taken for a rename",
    file: "domain/listing-history.ts",
    change: ["if (!isListed(last)) return isAlike(name, listing.name);", "if (!isListed(last)) return true;"],
    tests: ["test/domain/listing-history.test.ts"],
  },
  {
    name: "weeks that begin on Sundays",
    file: "aggregator/period-ends.ts",
    change: ["Math.floor((day + 3) / 7) * 7 + 4", "Math.floor((day + 4) / 7) * 7 + 3"],
    tests: ["test/aggregator/periods.test.ts"],
  },
];

const wanted = process.argv[2];
const alive: string[] = [];
for (const mutant of MUTANTS.filter(({ name }) => wanted === undefined || name.includes(wanted))) {
  const lives = await survives(mutant);
  process.stdout.write(`${lives ? "LIVES" : "died"}: ${mutant.name}\n`);
  if (lives) alive.push(mutant.name);
}
if (alive.length > 0) {
  process.stderr.write(`${alive.length} mutants live: no test notices ${alive.join("; ")}\n`);
  process.exitCode = 1;
}

async function survives({ name, file, change: [from, to], tests }: Mutant): Promise<boolean> {
  const copy = await mkdtemp(join(tmpdir(), "asx-eod-mutant-"));
  try {
    const left = new Set(["node_modules", ".git", "dist", "cdktf.out", "data", "sandbox-data"]);
    await cp(ROOT, copy, { recursive: true, filter: (path) => join(path, "/") === ROOT || !left.has(basename(path)) });
    await symlink(join(ROOT, "node_modules"), join(copy, "node_modules"));
    const path = join(copy, file);
    const source = await readFile(path, "utf8");
    if (source.split(from).length !== 2) throw new Error(`${name}: ${file} does not have ${JSON.stringify(from)} once`);
    await writeFile(
      path,
      source.replace(from, () => to),
    );
    const { status, stdout } = spawnSync(process.execPath, ["node_modules/vitest/vitest.mjs", "run", ...tests], {
      cwd: copy,
      encoding: "utf8",
      env: { ...process.env, REAL_DATA: "" },
    });
    // A mutant that does not even load tells nothing of the tests.
    if (status !== 0 && !/Tests .*\d+ failed/s.test(stdout))
      throw new Error(`${name}: no test ran:\n${stdout.slice(-2_000)}`);
    return status === 0;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
