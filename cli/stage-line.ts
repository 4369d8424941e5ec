import { Presets, SingleBar } from "cli-progress";
import type { Progress, ProgressReport } from "../aggregator/index.ts";
import type { Terminal } from "./terminal.ts";

/** A live line that tells how far the library is with long work. */
export interface StageLine {
  readonly onProgress: Progress;
  /** Takes the line away. It is shown again with the next report. */
  stop(): void;
}

const STAGES: Readonly<Record<ProgressReport["stage"], string>> = {
  fetching: "fetching files",
  checking: "checking files",
  compacting: "compacting",
};

/** What is done sooner needs no line, in milliseconds. */
const SHOWN_AFTER_MS = 300;

/** A line on standard error with the share that is done and the time left; none where nobody watches. */
export function createStageLine({ stderr, clock, interactive }: StageTerminal): StageLine {
  if (!interactive) return { onProgress: () => undefined, stop: () => undefined };
  const bar = new SingleBar(
    {
      format: "{bar} {percentage} %  {stage}{left}",
      stream: stderr,
      barsize: 24,
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  let current: { readonly stage: string; readonly startedAt: number } | undefined;
  return {
    onProgress({ stage, done, of }) {
      if (stage !== current?.stage) {
        bar.stop();
        current = { stage, startedAt: clock.now() };
      }
      const took = clock.now() - current.startedAt;
      if (took < SHOWN_AFTER_MS) return;
      const payload = { stage: STAGES[stage], left: timeLeft(took, done, of) };
      if (!bar.isActive) bar.start(of, done, payload);
      bar.setTotal(of);
      bar.update(done, payload);
      if (done >= of) bar.stop();
    },
    stop() {
      bar.stop();
      current = undefined;
    },
  };
}

type StageTerminal = Pick<Terminal, "stderr" | "clock" | "interactive">;

function timeLeft(tookMs: number, done: number, of: number): string {
  if (done === 0) return "";
  const seconds = (tookMs / done) * (of - done) * 0.001;
  return seconds < 60 ? `  ${Math.ceil(seconds)} s left` : `  ${Math.ceil(seconds / 60)} min left`;
}
