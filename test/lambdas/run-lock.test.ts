import { describe, expect, it } from "vitest";
import { RunUnderWayError, StoreConflictError } from "../../domain/errors.ts";
import { runLockKey } from "../../domain/object-keys.ts";
import {
  EXECUTION_LOCK_EXPIRES_MS,
  type RunOwner,
  type RunProcess,
  releaseRunLock,
  releaseRunLocks,
  renewRunLock,
  renewRunLocks,
  resumeRunLocks,
  takeRunLock,
  takeRunLocks,
} from "../../lambdas/runtime/run-lock.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { createTestClock } from "../support/test-clock.ts";
import { EVENING } from "../support/test-runtime.ts";

const DAY = "2024-05-31";
const MINUTE = 60_000;
const FIRST: RunOwner = { run: "first", process: { host: "one", pid: 1 } };
const SECOND: RunOwner = { run: "second", process: { host: "two", pid: 2 } };

function setUp(isDead?: (owner: RunProcess) => boolean) {
  const store = createMemoryStore();
  const clock = createTestClock(EVENING);
  return {
    store,
    clock,
    take: (owner: RunOwner, { date = DAY, expiresAfterMs = MINUTE } = {}) =>
      takeRunLock(store, date, owner, { clock, expiresAfterMs, ...(isDead !== undefined && { isDead }) }),
    renew: ({ run }: RunOwner) => renewRunLock(store, DAY, run, clock),
    release: ({ run }: RunOwner) => releaseRunLock(store, DAY, run, clock),
    stored: (): unknown => JSON.parse(new TextDecoder().decode(store.objects.get(runLockKey(DAY)))),
    writes: () => store.calls.filter((call) => call.startsWith("replace")).length,
  };
}

describe("the lock on a date", () => {
  it("is one run's at a time; the other is told whose it is, since when and until when", async () => {
    const { take } = setUp();
    await take(FIRST);
    await expect(take(SECOND)).rejects.toThrow(RunUnderWayError);
    await expect(take(SECOND)).rejects.toThrow(
      "2024-05-31 is being run by process 1 on one since 2024-05-31T09:30:00.000Z; wait for it to end, " +
        "or run the date again after 2024-05-31T09:31:00.000Z if it has died",
    );
  });

  it("names an execution, where no process of one machine does all of the work", async () => {
    const { take } = setUp();
    await take({ run: "arn:aws:states:x:execution:daily:y" }, { expiresAfterMs: EXECUTION_LOCK_EXPIRES_MS });
    await expect(take(SECOND)).rejects.toThrow(
      "is being run by the execution arn:aws:states:x:execution:daily:y since 2024-05-31T09:30:00.000Z; wait for it to " +
        "end, or run the date again after 2024-05-31T10:00:00.000Z",
    );
  });

  it("does not keep another date from being run", async () => {
    const { take } = setUp();
    await take(FIRST);
    await expect(take(SECOND, { date: "2024-05-30" })).resolves.toBeUndefined();
  });

  it("is one run's of twelve that want it at once", async () => {
    const { take } = setUp();
    const ends = await Promise.allSettled(
      Array.from({ length: 12 }, (_, pid) => take({ run: `run ${pid}`, process: { host: "one", pid } })),
    );
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const end of ends) {
      if (end.status === "rejected") expect(end.reason).toBeInstanceOf(RunUnderWayError);
    }
  });

  it("that was released is not taken again by a worker that its run left behind", async () => {
    const { store, clock, take } = setUp();
    await take(FIRST);
    await releaseRunLock(store, DAY, FIRST.run, clock);
    await expect(renewRunLock(store, DAY, FIRST.run, clock)).rejects.toThrow(RunUnderWayError);
  });

  it("is free when it is released", async () => {
    const { take, release } = setUp();
    await take(FIRST);
    await release(FIRST);
    await expect(take(SECOND)).resolves.toBeUndefined();
  });

  it("is kept while it is renewed, and free when its run has been silent for as long as it was taken for", async () => {
    const { take, renew, clock } = setUp();
    await take(FIRST);
    await clock.sleep(MINUTE - 1);
    await renew(FIRST);
    await clock.sleep(MINUTE - 1);
    await expect(take(SECOND)).rejects.toThrow(RunUnderWayError);
    await clock.sleep(1);
    await expect(take(SECOND)).resolves.toBeUndefined();
  });

  it("of a run that was taken over can be neither renewed nor released by it", async () => {
    const { take, renew, release, clock, stored } = setUp();
    await take(FIRST);
    await clock.sleep(MINUTE);
    await take(SECOND);
    const held = stored();
    await expect(renew(FIRST)).rejects.toThrow("another run has taken 2024-05-31 over");
    await release(FIRST);
    expect(stored()).toEqual(held);
    await expect(take(FIRST)).rejects.toThrow("process 2 on two");
  });

  it("that was never taken can be neither renewed nor released", async () => {
    const { renew, release, store } = setUp();
    await expect(renew(FIRST)).rejects.toThrow(RunUnderWayError);
    await release(FIRST);
    expect(store.objects.size).toBe(0);
  });

  it("of a run that is known to be dead is taken over at once", async () => {
    const { take } = setUp(({ host }) => host === "one");
    await take(FIRST);
    await expect(take(SECOND)).resolves.toBeUndefined();
  });

  it("of an execution is never known to be dead: it expires", async () => {
    const { take, clock } = setUp(() => true);
    await take({ run: "execution" });
    await expect(take(SECOND)).rejects.toThrow(RunUnderWayError);
    await clock.sleep(MINUTE);
    await expect(take(SECOND)).resolves.toBeUndefined();
  });

  it.each(["", "{", "[]", '{"run":"x"}', '{"owner":{"host":"one","pid":1},"run":"x","takenAt":"x"}'])(
    "that cannot be read holds nothing: %j",
    async (text) => {
      const { take, store } = setUp();
      await store.put(runLockKey(DAY), new TextEncoder().encode(text));
      await expect(take(FIRST)).resolves.toBeUndefined();
    },
  );
});

describe("the lock of a run with workers", () => {
  it("keeps its process and its time where a worker takes it again in the run's name", async () => {
    const { take, clock, stored } = setUp();
    await take(FIRST);
    await clock.sleep(MINUTE / 2);
    await take({ run: "first" }, { expiresAfterMs: EXECUTION_LOCK_EXPIRES_MS });
    expect(stored()).toEqual({
      run: "first",
      process: { host: "one", pid: 1 },
      takenAt: "2024-05-31T09:30:00.000Z",
      expiresAt: "2024-05-31T09:31:30.000Z",
      expiresAfterMs: MINUTE,
    });
  });

  it("keeps its process and its time where a worker renews it", async () => {
    const { take, renew, clock, stored } = setUp();
    await take(FIRST);
    await clock.sleep(MINUTE / 2);
    await renew({ run: "first" });
    expect(stored()).toMatchObject({ process: FIRST.process, expiresAt: "2024-05-31T09:31:30.000Z" });
  });

  it("can be taken again after it was released or has expired", async () => {
    const { take, release, clock } = setUp();
    await take(FIRST);
    await release(FIRST);
    await take(FIRST);
    await clock.sleep(2 * MINUTE);
    await take(FIRST);
    await expect(take(SECOND)).rejects.toThrow(RunUnderWayError);
  });

  it("is not written again while it is fresh: it has nine tenths of its time left", async () => {
    const { take, renew, clock, writes } = setUp();
    await take(FIRST);
    await clock.sleep(MINUTE / 10 - 1);
    await renew(FIRST);
    expect(writes()).toBe(1);
    await clock.sleep(1);
    await renew(FIRST);
    expect(writes()).toBe(2);
  });

  it("is renewed by ten workers at once, and none of them fails", async () => {
    const { take, renew, clock, stored } = setUp();
    await take(FIRST);
    await clock.sleep(MINUTE / 2);
    await Promise.all(Array.from({ length: 10 }, () => renew(FIRST)));
    expect(stored()).toMatchObject({ run: "first", expiresAt: expect.stringMatching(/^2024-05-31T09:31:3/) });
    await expect(take(SECOND)).rejects.toThrow(RunUnderWayError);
  });

  it("is given up after eight conflicts, transiently", async () => {
    const { take, store, clock } = setUp();
    store.replace = async (key) => {
      throw new StoreConflictError(`${key} was changed`);
    };
    await expect(take(FIRST)).rejects.toThrow(StoreConflictError);
    expect(clock.slept).toHaveLength(7);
  });
});

describe("the locks of a run of several dates", () => {
  const DATES = ["2024-05-29", "2024-05-30", DAY];
  const OTHERS = { run: "others" };

  function several() {
    const { store, clock, take } = setUp();
    return {
      store,
      clock,
      take,
      takeAll: (owner: RunOwner) => takeRunLocks(store, DATES, owner, { clock, expiresAfterMs: MINUTE }),
      renewAll: ({ run }: RunOwner) => renewRunLocks(store, DATES, run, clock),
      resumeAll: ({ run }: RunOwner) => resumeRunLocks(store, DATES, run, clock),
      releaseAll: ({ run }: RunOwner) => releaseRunLocks(store, DATES, run, clock),
      /** Dates that another run cannot have. */
      held: async () => {
        const held: string[] = [];
        for (const date of DATES) {
          await take(OTHERS, { date }).catch(() => held.push(date));
          await releaseRunLock(store, date, OTHERS.run, clock);
        }
        return held;
      },
    };
  }

  it("are held together, renewed together and released together", async () => {
    const { takeAll, renewAll, releaseAll, held, clock } = several();
    await takeAll(FIRST);
    await clock.sleep(MINUTE - 1);
    await renewAll(FIRST);
    await clock.sleep(MINUTE - 1);
    expect(await held()).toEqual(DATES);
    await releaseAll(FIRST);
    expect(await held()).toEqual([]);
  });

  it.each(DATES)("are given back where another run holds one of them, %s: that one stays as it is", async (date) => {
    const { take, takeAll, held, store } = several();
    await take(SECOND, { date });
    const lock = store.objects.get(runLockKey(date));
    await expect(takeAll(FIRST)).rejects.toThrow(`${date} is being run by process 2 on two`);
    expect(await held()).toEqual([date]);
    expect(store.objects.get(runLockKey(date))).toEqual(lock);
  });

  it("are given back where one cannot be written", async () => {
    const { takeAll, held, store } = several();
    const replace = store.replace.bind(store);
    store.replace = async (key, ...rest) => {
      if (key === runLockKey(DAY)) throw new StoreConflictError(`${key} was changed`);
      await replace(key, ...rest);
    };
    await expect(takeAll(FIRST)).rejects.toThrow(StoreConflictError);
    store.replace = replace;
    expect(await held()).toEqual([]);
  });

  it.each(DATES)("are not renewed where another run has taken one over, %s", async (date) => {
    const { take, takeAll, renewAll, clock } = several();
    await takeAll(FIRST);
    await clock.sleep(MINUTE);
    await take(SECOND, { date });
    await expect(renewAll(FIRST)).rejects.toThrow(`another run has taken ${date} over`);
  });

  it("are taken back by what comes last in their run, where it is done again and nobody has taken them since", async () => {
    const { takeAll, resumeAll, releaseAll, renewAll, held } = several();
    await takeAll(FIRST);
    await releaseAll(FIRST);
    await expect(renewAll(FIRST)).rejects.toThrow(RunUnderWayError);
    await resumeAll(FIRST);
    expect(await held()).toEqual(DATES);
    await expect(renewAll(FIRST)).resolves.toBeUndefined();
  });

  it.each<[string, boolean]>([
    ["has one of them", false],
    ["had one of them, and has ended", true],
  ])("are not taken back where another run %s: the others are free", async (_, hasEnded) => {
    const { store, clock, take, takeAll, resumeAll, releaseAll, held } = several();
    await takeAll(FIRST);
    await releaseAll(FIRST);
    await take(SECOND);
    if (hasEnded) await releaseRunLock(store, DAY, SECOND.run, clock);
    await expect(resumeAll(FIRST)).rejects.toThrow(`another run has taken ${DAY} over`);
    expect(await held()).toEqual(hasEnded ? [] : [DAY]);
  });
});
