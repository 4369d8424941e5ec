import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GateClosedError, UpstreamRefusedError, UpstreamUnavailableError } from "../../domain/errors.ts";
import {
  createUpstreamGate,
  type UpstreamGate,
  type UpstreamGateOptions,
} from "../../lambdas/batch-fetcher/upstream-gate.ts";
import type { Clock } from "../../lambdas/runtime/clock.ts";
import { uniform } from "../../sandbox/random.ts";
import { createSimulatedClock } from "../../sandbox/simulated-clock.ts";

const START = Date.parse("2024-05-31T19:30:00.007+10:00");

const limited = (retryAfterMs?: number) =>
  new UpstreamUnavailableError("HTTP 429", { rateLimited: true, retryAfterMs });
const down = (retryAfterMs?: number) => new UpstreamUnavailableError("HTTP 503", { retryAfterMs });
const refused = () => new UpstreamRefusedError("HTTP 403");

/** A chance of our own for each seed, from 0 (inclusive) to 1 (exclusive). */
function seeded(seed: number): () => number {
  let drawn = 0;
  return () => {
    drawn += 1;
    return uniform(seed, drawn, 0);
  };
}

/** A host whose timers fire up to so many milliseconds late. */
function late(clock: Clock, mostMs: number, random: () => number): Clock {
  const delayed = (ms: number) => ms + Math.floor(random() * (mostMs + 1));
  return {
    now: clock.now,
    sleep: (ms) => clock.sleep(delayed(ms)),
    after: (ms, action) => clock.after(delayed(ms), action),
  };
}

/** One gate on a simulated clock, and an upstream that gives the errors in turn and answers after that. */
function setUp(
  answers: readonly (Error | undefined)[] = [],
  { latencyMs = 100, ...options }: Partial<UpstreamGateOptions> & { latencyMs?: number } = {},
) {
  const clock = createSimulatedClock(START);
  const gate = createUpstreamGate({
    requestsPerSecond: null,
    lane: 0,
    lanes: 1,
    clock,
    random: () => 0.5,
    ...options,
  });
  /** When each request began, in milliseconds from the start. */
  const begun: number[] = [];
  let underWay = 0;
  const seen = { mostUnderWay: 0 };
  const operation = async (): Promise<string> => {
    const answer = answers[begun.push(clock.now() - START) - 1];
    underWay += 1;
    seen.mostUnderWay = Math.max(seen.mostUnderWay, underWay);
    await clock.sleep(latencyMs);
    underWay -= 1;
    if (answer !== undefined) throw answer;
    return "bars";
  };
  const askAll = (operations: number) =>
    clock.run(() => Promise.all(Array.from({ length: operations }, () => endOf(gate.ask(operation)))));
  return { clock, gate, begun, seen, operation, askAll };
}

/** The result, or the error. */
function endOf<Result>(asked: Promise<Result>): Promise<Result | unknown> {
  return asked.catch((error: unknown) => error);
}

interface Fleet {
  readonly lanes: number;
  readonly perLane: number;
  readonly requestsPerSecond: number;
  readonly seed: number;
  /** The share of the answers that are 429 or 503, half of them each. */
  readonly faults?: number;
  readonly retryAfterMs?: number;
  readonly latencyMs?: (random: () => number) => number;
  readonly lateMs?: number;
}

/** Workers that begin at chance moments of the first two seconds. Gives the instants of all requests, in order. */
async function runFleet({
  lanes,
  perLane,
  requestsPerSecond,
  seed,
  faults = 0,
  retryAfterMs,
  lateMs = 0,
  ...rest
}: Fleet) {
  const { latencyMs = () => 120 } = rest;
  const simulated = createSimulatedClock(START);
  const begun: number[] = [];
  const gates: UpstreamGate[] = [];
  await simulated.run(() =>
    Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        const random = seeded(seed * 1_000 + lane);
        const clock = lateMs === 0 ? simulated : late(simulated, lateMs, random);
        const gate = createUpstreamGate({ requestsPerSecond, lane, lanes, clock, random });
        gates.push(gate);
        await simulated.sleep(Math.floor(random() * 2_000));
        const operation = async (): Promise<void> => {
          begun.push(simulated.now());
          await simulated.sleep(latencyMs(random));
          const chance = random();
          if (chance < faults / 2) throw limited(retryAfterMs);
          if (chance < faults) throw down();
        };
        await Promise.all(Array.from({ length: perLane }, () => endOf(gate.ask(operation))));
      }),
    ),
  );
  return { begun, gates, tookMs: simulated.now() - START };
}

/** The most instants that any half-open window of one second holds; the fullest of them begins with an instant. */
function fullestSecond(instants: readonly number[]): number {
  let fullest = 0;
  let last = 0;
  for (const [first, instant] of instants.entries()) {
    while (last < instants.length && (instants[last] ?? 0) < instant + 1_000) last += 1;
    fullest = Math.max(fullest, last - first);
  }
  return fullest;
}

describe("the budget over all workers", () => {
  const jittered = (random: () => number) => 20 + Math.floor(random() * 600);

  it("is kept in every second and used to more than 95 %", async () => {
    const { begun } = await runFleet({ lanes: 10, perLane: 60, requestsPerSecond: 10, seed: 1, latencyMs: jittered });
    expect(begun).toHaveLength(600);
    expect(fullestSecond(begun)).toBe(10);
    const spanMs = (begun.at(-1) ?? 0) - (begun[0] ?? 0);
    expect(begun.length / (spanMs / 1_000)).toBeGreaterThan(9.5);
  });

  it.each([1, 2, 3])("is kept with faults, pauses and timers that fire late, with seed %i", async (seed) => {
    for (const retryAfterMs of [undefined, 2_000]) {
      const { begun, gates } = await runFleet({
        lanes: 10,
        perLane: 40,
        requestsPerSecond: 10,
        seed,
        faults: 0.3,
        lateMs: 15,
        latencyMs: jittered,
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      });
      expect(fullestSecond(begun)).toBeLessThanOrEqual(10);
      expect(gates.reduce((sum, { counters }) => sum + counters.requests, 0)).toBe(begun.length);
    }
  });

  it("is kept whatever the budget, the lanes, the faults and the lateness of timers", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          lanes: fc.integer({ min: 1, max: 12 }),
          perLane: fc.integer({ min: 1, max: 25 }),
          requestsPerSecond: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constantFrom(0.3, 0.5, 1.5, 7.5)),
          seed: fc.nat({ max: 1_000_000 }),
          faults: fc.constantFrom(0, 0.2, 0.6),
          lateMs: fc.constantFrom(0, 3, 15, 400),
        }),
        async (fleet) => {
          const { begun } = await runFleet({ ...fleet, latencyMs: jittered });
          expect(fullestSecond(begun)).toBeLessThanOrEqual(Math.ceil(fleet.requestsPerSecond));
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([
    [15, 3],
    [16, 0],
  ])(
    "is kept by leaving a slot that a timer is too late for: of those %i ms late come %i requests",
    async (ms, requests) => {
      const clock = createSimulatedClock(START);
      const lateClock: Clock = { ...clock, after: (delayMs, action) => clock.after(delayMs + ms, action) };
      const gate = createUpstreamGate({ requestsPerSecond: 1, lane: 0, lanes: 1, clock: lateClock, random: () => 0 });
      let begun = 0;
      const operation = async () => {
        begun += 1;
      };
      await clock.run(async () => {
        for (let asked = 0; asked < 3; asked += 1) void gate.ask(operation);
        await clock.sleep(10_000);
      });
      expect(begun).toBe(requests);
    },
  );

  it("without a limit is no wait", async () => {
    const { askAll, begun } = setUp([], { latencyMs: 0 });
    await askAll(20);
    expect(begun).toEqual(new Array(20).fill(0));
  });
});

describe("requests under way", () => {
  it("are four at most, and those in back-off hold no place", async () => {
    const answers = [undefined, down(), down(), down()];
    const { askAll, begun, seen, gate } = setUp(answers);
    expect(await askAll(9)).toEqual(new Array(9).fill("bars"));
    expect(seen.mostUnderWay).toBe(4);
    // The first alone, four, the four left, and after half a second the three that failed.
    expect(begun).toEqual([0, 100, 100, 100, 100, 200, 200, 200, 200, 700, 700, 700]);
    expect(gate.counters).toEqual({ requests: 12, retries: 3, rateLimited: 0, breakerOpenings: 0, waitedMs: 1_500 });
  });

  it("are one until an answer has come that is no block", async () => {
    const { askAll, begun } = setUp([limited(), refused()]);
    const ends = await askAll(6);
    expect(begun).toEqual([0, 100, 200, 300, 300, 300, 600]);
    expect(ends).toEqual(["bars", expect.any(UpstreamRefusedError), "bars", "bars", "bars", "bars"]);
  });

  it("ask again before they ask what was never asked", async () => {
    const { clock, gate, operation } = setUp([down(), down()], { requestsPerSecond: 1 });
    const order: string[] = [];
    const ask = (name: string) =>
      gate.ask(() => {
        order.push(name);
        return operation();
      });
    await clock.run(() => Promise.all(["a", "b", "c", "d", "e"].map(ask)));
    expect(order).toEqual(["a", "a", "b", "a", "c", "d", "e"]);
  });
});

describe("a transient failure", () => {
  it("is asked up to six times, and its last error is thrown as it was", async () => {
    const errors = [down(), down(), down(), down(), down(), down()];
    const { askAll, begun, gate } = setUp(errors);
    expect(await askAll(1)).toEqual([errors[5]]);
    expect(begun).toEqual([0, 600, 1_700, 3_800, 7_900, 16_000]);
    expect(gate.counters).toEqual({ requests: 6, retries: 5, rateLimited: 0, breakerOpenings: 0, waitedMs: 15_500 });
    expect(gate.closed).toBeUndefined();
  });

  it("tells of each time it is asked again, and of no other", async () => {
    const { clock, gate, operation } = setUp([down(), limited()]);
    const told: unknown[] = [];
    await clock.run(() =>
      gate.ask(operation, ({ message }, attempt, delayMs) => told.push([message, attempt, delayMs])),
    );
    expect(told).toEqual([
      ["HTTP 503", 1, 500],
      ["HTTP 429", 2, 1_000],
    ]);
  });

  it.each([
    ["a refusal", refused()],
    ["a bug", new RangeError("a bug")],
  ])("is not what %s is: it ends at once, as it was thrown", async (_, error) => {
    const { askAll, begun } = setUp([error]);
    expect(await askAll(1)).toEqual([error]);
    expect(begun).toEqual([0]);
  });
});

describe("an upstream that asks to wait", () => {
  it("is asked nothing by the whole worker meanwhile", async () => {
    const { askAll, begun, gate } = setUp([undefined, limited(7_000)]);
    await askAll(12);
    // One alone, four, of which one is limited; those after them wait until 7 s after it.
    expect(begun).toEqual([0, 100, 100, 100, 100, 7_200, 7_200, 7_200, 7_200, 7_300, 7_300, 7_300, 7_700]);
    expect(gate.counters).toMatchObject({ rateLimited: 1, retries: 1, waitedMs: 7_000 + 7_500 });
  });

  it("for up to 45 seconds is waited for, for longer is left alone", async () => {
    const patient = setUp([undefined, down(45_000)]);
    await patient.askAll(2);
    expect(patient.begun).toEqual([0, 100, 45_700]);

    const { askAll, begun, gate } = setUp([undefined, down(45_001)]);
    const ends = await askAll(10);
    expect(gate.closed).toBe("the upstream asks to wait 46 s: HTTP 503");
    expect(gate.blocked).toBe(false);
    // Three requests were under way when it asked; they come to their ends.
    expect(begun).toEqual([0, 100, 100, 100, 100]);
    expect(ends.filter((end) => end === "bars")).toHaveLength(4);
    expect(ends.filter((end) => end instanceof GateClosedError)).toHaveLength(5);
  });

  it("without saying how long pauses the worker from the second 429 in a row on, for longer each time", async () => {
    const { askAll, begun } = setUp([undefined, limited(), undefined, limited(), limited(), limited()], {
      requestsPerSecond: 100,
      latencyMs: 5,
      random: () => 0.999,
    });
    await askAll(40);
    const gaps = begun.slice(1).map((at, index) => at - (begun[index] ?? 0));
    expect(gaps.filter((gap) => gap > 500).map((gap) => Math.round(gap / 1_000))).toEqual([1, 2]);
  });
});

describe("an upstream that fails one time after the other", () => {
  it("is asked no more after exactly eight bad answers, of whatever kind", async () => {
    const bad = [limited(), down(), refused(), down(), down(), refused(), down(), down()];
    const seven = setUp([undefined, ...bad.slice(0, 7), undefined, ...bad.slice(0, 7)]);
    await seven.askAll(30);
    expect(seven.gate.closed).toBeUndefined();

    const { askAll, begun, gate, clock } = setUp([undefined, ...bad], { requestsPerSecond: 5, latencyMs: 10 });
    const ends = await askAll(100);
    expect(begun).toHaveLength(9);
    expect(clock.now() - START).toBe((begun.at(-1) ?? 0) + 10);
    expect(gate.closed).toBe("8 bad answers in a row, the last: HTTP 503");
    expect(gate.blocked).toBe(false);
    expect(gate.counters).toMatchObject({ requests: 9, rateLimited: 1, breakerOpenings: 1 });
    const neverTried = ends.filter((end) => end instanceof GateClosedError).length;
    expect(100 - neverTried).toBe(gate.counters.requests - gate.counters.retries);
    expect(ends.filter((end) => bad.some((error) => error === end))).toHaveLength(99 - neverTried);
  });

  it("is asked on where a usable answer comes between", async () => {
    const row = [down(), down(), down(), down(), down(), down(), down(), undefined];
    const { askAll, gate } = setUp([undefined, ...row, ...row, ...row], { requestsPerSecond: 20, latencyMs: 10 });
    await askAll(40);
    expect(gate.closed).toBeUndefined();
    expect(gate.counters).toMatchObject({ breakerOpenings: 0 });
  });

  it("ends those that wait and those in back-off at once, and asks nothing that comes later", async () => {
    const { clock, gate, operation, begun } = setUp([undefined, down(), down(), down()], { requestsPerSecond: 2 });
    const ends = clock.run(async () => {
      const asked = Array.from({ length: 20 }, () => endOf(gate.ask(operation)));
      await clock.sleep(1_200);
      gate.close("half of the healthy symbols were not found");
      gate.close("another reason");
      const all = await Promise.all(asked);
      expect(clock.now()).toBe(START + 1_200);
      return [...all, await endOf(gate.ask(operation))];
    });
    const [first, second, ...others] = await ends;
    expect([first, second]).toEqual(["bars", expect.any(UpstreamUnavailableError)]);
    for (const end of others) {
      expect(end).toBeInstanceOf(GateClosedError);
      expect(end).toMatchObject({ message: "half of the healthy symbols were not found" });
    }
    expect(begun).toHaveLength(2);
    expect(gate.closed).toBe("half of the healthy symbols were not found");
    expect(gate.counters).toMatchObject({ requests: 2, retries: 0, breakerOpenings: 0 });
  });
});

describe("an upstream that blocks us", () => {
  it.each<[string, () => Error]>([
    ["429", () => limited()],
    ["a refusal", refused],
  ])("from the first call on with %s is asked exactly three times, one at a time", async (_, block) => {
    const { askAll, begun, seen, gate } = setUp(Array.from({ length: 50 }, block));
    await askAll(50);
    expect(begun).toHaveLength(3);
    expect(seen.mostUnderWay).toBe(1);
    expect(gate).toMatchObject({ blocked: true, closed: `blocked from the first call on: ${block().message}` });
    expect(gate.counters).toMatchObject({ requests: 3, breakerOpenings: 0 });
  });

  it("is not what one is that gave any other answer before", async () => {
    const { askAll, gate } = setUp([limited(), refused(), down(), ...Array.from({ length: 90 }, () => limited())]);
    await askAll(50);
    expect(gate).toMatchObject({ blocked: false, closed: "8 bad answers in a row, the last: HTTP 429" });
  });
});

describe("a worker whose time ends", () => {
  it("sleeps in no back-off that ends later, and gives up with the error that came", async () => {
    const error = down();
    const { askAll, clock, gate } = setUp([undefined, error], { endsAt: START + 650 });
    expect(await askAll(2)).toEqual(["bars", error]);
    expect(clock.now()).toBe(START + 200);
    expect(gate).toMatchObject({ closed: undefined, counters: { retries: 0, waitedMs: 0 } });
  });

  it("waits for no slot and no pause that ends later", async () => {
    const slow = setUp([], { requestsPerSecond: 1, endsAt: START + 5_000 });
    const ends = await slow.askAll(20);
    expect(slow.begun.length).toBeGreaterThanOrEqual(4);
    expect(slow.clock.now()).toBeLessThanOrEqual(START + 5_000);
    expect(ends.filter((end) => end instanceof GateClosedError)).toHaveLength(20 - slow.begun.length);
    expect(slow.gate.closed).toBeUndefined();

    const paused = setUp([undefined, limited(30_000)], { endsAt: START + 20_000 });
    const after = await paused.askAll(10);
    expect(paused.clock.now()).toBe(START + 200);
    expect(after.filter((end) => end instanceof GateClosedError)).toHaveLength(5);
  });
});
