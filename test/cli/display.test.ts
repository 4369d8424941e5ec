import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { openDisplay } from "../../cli/display.ts";
import { createTestClock } from "../support/test-clock.ts";
import { EVENING } from "../support/test-runtime.ts";

/** A display on a terminal, and what it has printed since it was last asked. */
function setUp() {
  const clock = createTestClock(EVENING);
  const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 120 });
  const display = openDisplay({ stderr, clock, interactive: true }, true);
  return { clock, display, printed: () => String(stderr.read() ?? "") };
}

describe("the display of a command on a terminal", () => {
  it("tells of trouble at once before there is a line, and holds it back while there is one", () => {
    const { display, printed } = setUp();
    display.logger.warn("throttled");
    expect(printed()).toBe("2024-05-31T09:30:00.000Z WARN throttled\n");
    display.line?.start({ symbols: 10, batches: 1 }, 0);
    printed();
    display.logger.info("a batch");
    display.logger.error("a batch is lost");
    expect(printed()).not.toContain("lost");
    display.stop();
    expect(printed()).toMatch(/2024-05-31T09:30:00\.000Z ERROR a batch is lost\n$/);
    display.stop();
    display.logger.warn("the end");
    expect(printed()).toBe("2024-05-31T09:30:00.000Z WARN the end\n");
  });

  it("works out the rate from the start that it is given", async () => {
    const { clock, display, printed } = setUp();
    display.line?.start({ symbols: 400, batches: 4 }, clock.now() - 10_000);
    printed();
    display.line?.addOutcomes("fetched", 100);
    display.stop();
    expect(printed()).toMatch(/100\/400 symbols {2}0\/4 batches {2}fetched 100 {2}10\/s {2}30 s left/);
  });
});

it("is a plain log where nobody watches or no line is wanted", () => {
  const stderr = new PassThrough();
  for (const [interactive, isLive] of [
    [false, true],
    [true, false],
  ] as const) {
    const { line, logger } = openDisplay({ stderr, clock: createTestClock(EVENING), interactive }, isLive);
    expect(line).toBeUndefined();
    logger.info("a\u001b[31m batch\n");
    expect(String(stderr.read())).toBe("2024-05-31T09:30:00.000Z INFO a [31m batch\n");
  }
});
