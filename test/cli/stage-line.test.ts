import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { createStageLine } from "../../cli/stage-line.ts";
import { createTestClock } from "../support/test-clock.ts";

const START = "2024-05-31T00:00:00.000Z";

/** A line, what it has written, and its clock. */
function open(interactive: boolean) {
  const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  const clock = createTestClock(START);
  const line = createStageLine({ stderr, clock, interactive });
  return { line, clock, written: () => String(stderr.read() ?? "") };
}

describe("the line about long work", () => {
  it("is not shown where nobody watches", () => {
    const { line, clock, written } = open(false);
    line.onProgress({ stage: "checking", done: 1, of: 100 });
    clock.set("2024-05-31T00:00:10.000Z");
    line.onProgress({ stage: "checking", done: 50, of: 100 });
    line.stop();
    expect(written()).toBe("");
  });

  it("is not shown for what is done at once", () => {
    const { line, written } = open(true);
    line.onProgress({ stage: "fetching", done: 1, of: 2 });
    line.onProgress({ stage: "fetching", done: 2, of: 2 });
    expect(written()).toBe("");
  });

  it("says what is done, how much of it and how long the rest takes, and goes away", () => {
    const { line, clock, written } = open(true);
    line.onProgress({ stage: "checking", done: 0, of: 1000 });
    clock.set("2024-05-31T00:00:10.000Z");
    line.onProgress({ stage: "checking", done: 250, of: 1000 });
    expect(written()).toContain("25 %  checking files  30 s left");
    line.onProgress({ stage: "checking", done: 1000, of: 1000 });
    expect(written().endsWith("\u001b[2K")).toBe(true); // the line is cleared
    line.onProgress({ stage: "compacting", done: 0, of: 5 });
    clock.set("2024-05-31T00:04:10.000Z");
    line.onProgress({ stage: "compacting", done: 2, of: 5 });
    expect(written()).toContain("40 %  compacting  6 min left");
    line.stop();
  });
});
