import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSimulatedClock } from "../../sandbox/simulated-clock.ts";

const START = Date.parse("2024-05-31T19:30:00+10:00");

describe("a simulated clock", () => {
  it("jumps to each sleep's end, without real time passing", async () => {
    const clock = createSimulatedClock(START);
    const began = performance.now();
    const seen = await clock.run(async () => {
      await clock.sleep(3_600_000);
      const first = clock.now();
      await clock.sleep(86_400_000);
      return [first, clock.now()];
    });
    expect(seen).toEqual([START + 3_600_000, START + 90_000_000]);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it("calls what is due in the order of time, and at one time in the order it was handed in", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 20 }), { maxLength: 60 }), async (delays) => {
        const clock = createSimulatedClock(START);
        const called: [number, number][] = [];
        await clock.run(() =>
          Promise.all(
            delays.map(async (ms, index) => {
              await clock.sleep(ms);
              called.push([clock.now() - START, index]);
            }),
          ),
        );
        const due = delays.map((ms, index): [number, number] => [ms, index]);
        expect(called).toEqual(due.toSorted((left, right) => left[0] - right[0] || left[1] - right[1]));
      }),
      { numRuns: 30 },
    );
  });

  it("lets everything come to rest before time passes: promises, turns of the event loop and streams", async () => {
    const clock = createSimulatedClock(START);
    await clock.run(async () => {
      void clock.sleep(5);
      for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
      expect(await new Response(Readable.toWeb(Readable.from([Buffer.from("a"), Buffer.from("b")]))).text()).toBe("ab");
      expect(clock.now()).toBe(START);
    });
  });

  it("does not call what was called off, nor pass its time", async () => {
    const clock = createSimulatedClock(START);
    const called: string[] = [];
    await clock.run(async () => {
      const callOff = clock.after(10, () => called.push("called off"));
      clock.after(20, () => called.push("kept"));
      await clock.sleep(5);
      callOff();
      await clock.sleep(25);
      callOff();
    });
    expect(called).toEqual(["kept"]);
    await expect(
      clock.run(() => {
        clock.after(1_000, () => undefined)();
        return new Promise(() => undefined);
      }),
    ).rejects.toThrow("waits for ever");
    expect(clock.now()).toBe(START + 30);
  });

  it("hands back the work's error, and stands still afterwards", async () => {
    const clock = createSimulatedClock(START);
    const late: number[] = [];
    const work = async () => {
      clock.after(100, () => late.push(clock.now()));
      await clock.sleep(10);
      throw new RangeError("a bug");
    };
    await expect(clock.run(work)).rejects.toThrow(RangeError);
    expect([clock.now(), late]).toEqual([START + 10, []]);
    await clock.run(() => clock.sleep(100));
    expect(late).toEqual([START + 100]);
  });

  it("says when work waits for what never comes, or never ends", async () => {
    const clock = createSimulatedClock(START, 1_000);
    await expect(clock.run(() => new Promise(() => undefined))).rejects.toThrow(
      "the work waits for ever: nothing is to happen after 2024-05-31T09:30:00.000Z",
    );
    const endless = async () => {
      for (;;) await clock.sleep(1);
    };
    await expect(clock.run(endless)).rejects.toThrow("not ended after 1000 timers");
  });

  it("runs one thing at a time", async () => {
    const clock = createSimulatedClock(START);
    await expect(clock.run(() => clock.run(() => clock.sleep(1)))).rejects.toThrow("one thing at a time");
  });

  it("bears hundreds of thousands of timers", async () => {
    const clock = createSimulatedClock(START);
    let called = 0;
    await clock.run(async () => {
      for (let index = 0; index < 300_000; index += 1) {
        const callOff = clock.after((index * 7919) % 100_003, () => {
          called += 1;
        });
        if (index % 30 !== 0) callOff();
      }
      await clock.sleep(100_003);
    });
    expect(called).toBe(10_000);
  });
});
