/** Processes that can die: nothing that one of them had begun goes on after its death, as if it had been killed. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { ObjectStore } from "../../domain/object-store.ts";
import type { Clock } from "../../lambdas/runtime/clock.ts";
import type { Fetch } from "../../lambdas/runtime/http.ts";

/** A process; one that was begun inside of another dies with it. */
export interface Process {
  readonly parent: Process | undefined;
  isDead: boolean;
}

const running = new AsyncLocalStorage<Process>();

/** Runs something as a process of its own. */
export function asProcess<Result>(work: (process: Process) => Result): Result {
  const process: Process = { parent: running.getStore(), isDead: false };
  return running.run(process, () => work(process));
}

/** The process that is running now; undefined outside of any. */
export function runningProcess(): Process | undefined {
  return running.getStore();
}

/** What never comes. */
export function never<Result>(): Promise<Result> {
  return new Promise<Result>(() => undefined);
}

function isDead(process: Process | undefined): boolean {
  return process !== undefined && (process.isDead || isDead(process.parent));
}

/** A clock by which the dead do nothing. */
export function mortalClock(clock: Clock): Clock {
  const after: Clock["after"] = (ms, action) => {
    const process = running.getStore();
    return clock.after(ms, () => {
      if (!isDead(process)) action();
    });
  };
  return { now: clock.now, after, sleep: (ms) => new Promise((resolve) => void after(ms, resolve)) };
}

/** A store that the dead neither read nor change. */
export function mortalStore(store: ObjectStore): ObjectStore {
  async function call<Result>(method: () => Promise<Result>): Promise<Result> {
    const process = running.getStore();
    if (isDead(process)) return never();
    try {
      const result = await method();
      return isDead(process) ? never() : result;
    } catch (error) {
      if (isDead(process)) return never();
      throw error;
    }
  }
  return {
    url: store.url,
    locate: (key) => store.locate(key),
    get: (key) => call(() => store.get(key)),
    read: (key) => call(() => store.read(key)),
    put: (key, bytes) => call(() => store.put(key, bytes)),
    replace: (key, bytes, version) => call(() => store.replace(key, bytes, version)),
    remove: (key) => call(() => store.remove(key)),
    head: (key) => call(() => store.head(key)),
    stat: (keys) => call(() => store.stat(keys)),
    list: (prefix) => call(() => store.list(prefix)),
    groups: (prefix, delimiter) => call(() => store.groups(prefix, delimiter)),
    localPath: (key) => store.localPath(key),
  };
}

/** A `fetch` that the dead do not use. */
export function mortalFetch(fetch: Fetch): Fetch {
  return async (url, init) => {
    const process = running.getStore();
    if (isDead(process)) return never();
    const response = await fetch(url, init);
    return isDead(process) ? never() : response;
  };
}

/**
 * Does some work with the host's timers in the hands of a clock: the runner of the workflow knows no other, and waits by
 * them before it tries a state again.
 */
export async function withTimersOf<Result>(clock: Clock, work: () => Promise<Result>): Promise<Result> {
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  const callOffs = new WeakMap<object, () => void>();
  Reflect.set(globalThis, "setTimeout", (action: () => void, ms = 0) => {
    const timer = {};
    callOffs.set(timer, clock.after(ms, action));
    return timer;
  });
  Reflect.set(globalThis, "clearTimeout", (timer: object | undefined) => {
    if (timer !== undefined) callOffs.get(timer)?.();
  });
  try {
    return await work();
  } finally {
    Reflect.set(globalThis, "setTimeout", set);
    Reflect.set(globalThis, "clearTimeout", clear);
  }
}
