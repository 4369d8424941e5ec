/**
 * Hurts compactions with real processes: kills them at chance moments and before each of their calls of the store, and runs
 * two at once, while ranges are loaded and compared all the time. Whatever happens, every bar is there once.
 *
 *   node .ci/hurt_compaction.ts [KILLS] [PAIRS] [SEED]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../domain/errors.ts";
import { uniform } from "../sandbox/random.ts";
import { CompactionTrial } from "../test/support/compaction-trial.ts";

const [kills = 30, pairs = 6, seed = 1] = process.argv.slice(2).map(Number);
const folder = await mkdtemp(join(tmpdir(), "asx-eod-hurt-"));
const trial = new CompactionTrial({ folder, seed, days: 45, batches: 6, symbols: 12 });
let at = "the beginning";

try {
  await trial.begin();
  await trial.compactWhileReading([{}]);
  await trial.rerun(3);
  const [whole] = await trial.compactWhileReading([{}]);
  const tookMs = whole?.tookMs ?? 0;

  let killed = 0;
  for (let kill = 1; kill <= kills; kill += 1) {
    const afterMs = uniform(seed, kill, 1) * tookMs;
    at = `a kill after ${afterMs.toFixed(1)} ms`;
    await trial.rerun(2);
    const [end] = await trial.compactWhileReading([{ afterMs }]);
    if (end?.wasKilled === true) killed += 1;
    else if (end?.exitCode !== 0) throw new Error(end?.errors);
    await trial.verify();
  }
  process.stdout.write(
    `ok: ${kills} compactions killed within ${Math.round(tookMs)} ms (${killed} before they ended)\n`,
  );

  let calls = 0;
  for (let isKilled = true; isKilled; ) {
    at = `a kill before call ${calls + 1}`;
    await trial.rerun(2);
    const [end] = await trial.compactWhileReading([{ atCall: calls + 1 }]);
    await trial.verify();
    isKilled = end?.wasKilled === true;
    if (isKilled) calls += 1;
  }
  process.stdout.write(`ok: ${calls} compactions killed, each before another of their calls of the store\n`);

  for (let pair = 1; pair <= pairs; pair += 1) {
    at = `pair ${pair}`;
    await trial.rerun(2);
    const ends = await trial.compactWhileReading([{}, {}]);
    for (const { exitCode, errors } of ends) if (exitCode !== 0) throw new Error(errors);
    await trial.verify();
  }
  process.stdout.write(`ok: ${pairs} times two compactions at once\n`);

  at = "the end";
  await trial.finish();
  process.stdout.write("ok: one undisturbed compaction holds every bar once, and no other file is left\n");
} catch (error) {
  throw new Error(`at ${at} (seed ${seed}): ${messageOf(error)}`, { cause: error });
} finally {
  await trial.close();
  await rm(folder, { recursive: true, force: true });
}
