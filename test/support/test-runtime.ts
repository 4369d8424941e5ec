import type { Clock } from "../../lambdas/runtime/clock.ts";
import type { LogFields, Logger } from "../../lambdas/runtime/logger.ts";
import type { MetricName, Metrics } from "../../lambdas/runtime/metrics.ts";
import type { Runtime } from "../../lambdas/runtime/runtime.ts";
import { createSimulatedClock, type SimulatedClock } from "../../sandbox/simulated-clock.ts";
import { createMemoryStore, type MemoryStore } from "./memory-store.ts";
import { createTestClock, type TestClock } from "./test-clock.ts";

/** A runtime with nothing of the outside world in it, and what it was told. */
export interface TestRuntime<Time extends Clock = TestClock> extends Runtime {
  readonly store: MemoryStore;
  readonly clock: Time;
  /** `warn the message`, in the order they came. */
  readonly logs: string[];
  readonly measured: Map<MetricName, number>;
}

/** An evening after which the prices of Friday 31 May 2024 have settled. */
export const EVENING = "2024-05-31T19:30:00+10:00";

type Overrides<Time extends Clock> = Partial<Pick<TestRuntime<Time>, "store" | "clock" | "fetch" | "random">>;

export function createTestRuntime(overrides: Overrides<TestClock> = {}): TestRuntime {
  return { ...runtimeWith(createTestClock(EVENING)), ...overrides };
}

/** A runtime for work that waits for several things at once: it goes through `clock.run`. */
export function createSimulatedRuntime(overrides: Overrides<SimulatedClock> = {}): TestRuntime<SimulatedClock> {
  return { ...runtimeWith(createSimulatedClock(Date.parse(EVENING))), ...overrides };
}

function runtimeWith<Time extends Clock>(clock: Time): TestRuntime<Time> {
  const logs: string[] = [];
  const measured = new Map<MetricName, number>();
  return {
    store: createMemoryStore(),
    clock,
    fetch: async (url) => {
      throw new Error(`no test expected a request to ${url.href}`);
    },
    random: () => 0.5,
    logger: recordingLogger(logs),
    metrics: recordingMetrics(measured),
    logs,
    measured,
  };
}

function recordingLogger(logs: string[]): Logger {
  const record = (level: string) => (message: string, _fields?: LogFields) => void logs.push(`${level} ${message}`);
  return { debug: record("debug"), info: record("info"), warn: record("warn"), error: record("error") };
}

function recordingMetrics(measured: Map<MetricName, number>): Metrics {
  return {
    add: (name, value) => void measured.set(name, (measured.get(name) ?? 0) + value),
    publish: () => undefined,
  };
}
