import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { uniform } from "../../sandbox/random.ts";
import { CompactionTrial } from "../support/compaction-trial.ts";

// The long form of this is `npm run hurt:compaction`.
const SEED = 20_240_531;

let folder: string;
let trial: CompactionTrial;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-killed-"));
  trial = new CompactionTrial({ folder, seed: SEED, days: 12, batches: 3, symbols: 5 });
  await trial.begin();
});
afterEach(async () => {
  await trial.close();
  await rm(folder, { recursive: true, force: true });
});

describe("a compaction in a process of its own, while ranges are loaded and compared", { timeout: 120_000 }, () => {
  it("leaves every bar once wherever it is killed", async () => {
    const [whole] = await trial.compactWhileReading([{}]);
    for (let kill = 0; kill < 4; kill += 1) {
      await trial.rerun(2);
      await trial.compactWhileReading([{ afterMs: uniform(SEED, kill, 0) * (whole?.tookMs ?? 0) }]);
      await trial.verify();
    }
    // From the first file stored to the publication and the removals: what comes before only reads.
    for (let atCall = 8; ; atCall += 2) {
      await trial.rerun(1);
      const [end] = await trial.compactWhileReading([{ atCall }]);
      await trial.verify();
      if (end?.wasKilled !== true) break;
    }
    await trial.finish();
  });

  it("and another at once both end well, with every bar once", async () => {
    await trial.compactWhileReading([{}]);
    await trial.rerun(2);
    const ends = await trial.compactWhileReading([{}, {}]);
    expect(ends.map(({ exitCode, errors }) => [exitCode, errors])).toEqual([
      [0, ""],
      [0, ""],
    ]);
    await trial.verify();
    await trial.finish();
  });
});
