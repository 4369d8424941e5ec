import { describe, expect, it } from "vitest";
import { RunUnderWayError } from "../../domain/errors.ts";
import { runLockKey } from "../../domain/object-keys.ts";
import { RUN_LOCK_EXPIRES_MS, type RunOwner, takeRunLock } from "../../lambdas/runtime/run-lock.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { createTestClock } from "../support/test-clock.ts";
import { EVENING } from "../support/test-runtime.ts";

const DAY = "2024-05-31";
const FIRST: RunOwner = { host: "one", pid: 1 };
const SECOND: RunOwner = { host: "two", pid: 2 };

function setUp(isDead: (owner: RunOwner) => boolean = () => false) {
  const store = createMemoryStore();
  const clock = createTestClock(EVENING);
  return { store, clock, take: (owner: RunOwner, date = DAY) => takeRunLock(store, date, owner, { clock, isDead }) };
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

  it("does not keep another date from being run", async () => {
    const { take } = setUp();
    await take(FIRST);
    await expect(take(SECOND, "2024-05-30")).resolves.toBeDefined();
  });

  it("is one run's of twelve that want it at once", async () => {
    const { take } = setUp();
    const ends = await Promise.allSettled(Array.from({ length: 12 }, (_, pid) => take({ host: "one", pid })));
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  it("is free when it is released", async () => {
    const { take } = setUp();
    await (await take(FIRST)).release();
    await expect(take(SECOND)).resolves.toBeDefined();
  });

  it("is kept while it is renewed, and free when its owner has been silent for a minute", async () => {
    const { take, clock } = setUp();
    const lock = await take(FIRST);
    await clock.sleep(RUN_LOCK_EXPIRES_MS - 1);
    await lock.renew();
    await clock.sleep(RUN_LOCK_EXPIRES_MS - 1);
    await expect(take(SECOND)).rejects.toThrow(RunUnderWayError);
    await clock.sleep(1);
    await expect(take(SECOND)).resolves.toBeDefined();
  });

  it("of a run that was taken over can be neither renewed nor released by it", async () => {
    const { take, clock } = setUp();
    const lost = await take(FIRST);
    await clock.sleep(RUN_LOCK_EXPIRES_MS);
    await take(SECOND);
    await expect(lost.renew()).rejects.toThrow("another run has taken 2024-05-31 over");
    await lost.release();
    await expect(take(FIRST)).rejects.toThrow("process 2 on two");
  });

  it("of a run that is known to be dead is taken over at once", async () => {
    const { take } = setUp(({ host }) => host === "one");
    await take(FIRST);
    await expect(take(SECOND)).resolves.toBeDefined();
  });

  it.each(["", "{", "[]", '{"run":"x"}'])("that cannot be read holds nothing: %j", async (text) => {
    const { take, store } = setUp();
    await store.put(runLockKey(DAY), new TextEncoder().encode(text));
    await expect(take(FIRST)).resolves.toBeDefined();
  });
});
