import { expect, it } from "vitest";
import { ByteBudget } from "../../aggregator/byte-budget.ts";

/** Work that ends when it is told to. */
function startWork(budget: ByteBudget, bytes: number, started: number[]) {
  const end = Promise.withResolvers<void>();
  const done = budget.hold(bytes, async () => {
    started.push(bytes);
    await end.promise;
  });
  return { end: end.resolve, fail: end.reject, done };
}

it("starts work as far as bytes are free, in the order asked, and one too large alone", async () => {
  const budget = new ByteBudget(100);
  const started: number[] = [];
  const [first, second, third, huge, last] = [60, 40, 1, 500, 2].map((bytes) => startWork(budget, bytes, started));
  await Promise.resolve();
  expect(started).toEqual([60, 40]);
  second?.end();
  await second?.done;
  expect(started).toEqual([60, 40, 1]);
  first?.fail(new Error("broken"));
  await expect(first?.done).rejects.toThrow("broken");
  expect(started).toEqual([60, 40, 1]);
  third?.end();
  await third?.done;
  expect(started).toEqual([60, 40, 1, 500]);
  huge?.end();
  await huge?.done;
  expect(started).toEqual([60, 40, 1, 500, 2]);
  last?.end();
  await last?.done;
});

it("lets work of no bytes through beside other work", async () => {
  const budget = new ByteBudget(10);
  const started: number[] = [];
  const works = [10, 0, 0].map((bytes) => startWork(budget, bytes, started));
  await Promise.resolve();
  expect(started).toEqual([10, 0, 0]);
  for (const { end, done } of works) {
    end();
    await done;
  }
});
