import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ActionsAnswer,
  actionsThatHold,
  type CorporateAction,
  observeActions,
} from "../../domain/corporate-action.ts";

const DAY_MS = 86_400_000;
const START = Date.parse("2024-05-01T09:00:00Z");

/** What the provider said a number of days after 1 May 2024, of the whole year where nothing else is said. */
function answer(
  day: number,
  { dividends = {}, splits = {}, symbol = "BHP", from = "2024-01-01", to = "2024-12-31" }: Partial<Told> = {},
): ActionsAnswer {
  return {
    ...{ symbol, span: { from, to }, answeredAt: START + day * DAY_MS },
    dividends: new Map(Object.entries(dividends)),
    splits: new Map(Object.entries(splits)),
  };
}

interface Told {
  readonly symbol: string;
  readonly from: string;
  readonly to: string;
  readonly dividends: Record<string, number | undefined>;
  readonly splits: Record<string, number | undefined>;
}

/** `2024-03-07 dividend 1.1 0-4`, with ` >5` where it is superseded: days after 1 May 2024. */
function told(actions: readonly CorporateAction[]): string[] {
  const day = (instant: number): number => (instant - START) / DAY_MS;
  return actions.map(
    ({ exDate, kind, value, firstSeen, lastConfirmed, supersededAt }) =>
      `${exDate} ${kind} ${value} ${day(firstSeen)}-${day(lastConfirmed)}${supersededAt === null ? "" : ` >${day(supersededAt)}`}`,
  );
}

const EX = "2024-03-07";

describe("observed actions", () => {
  it("are one however often they are seen, noise or not", () => {
    const seen = [0, 1, 2].map((day) => answer(day, { dividends: { [EX]: 1.1 + day * 2e-7 } }));
    expect(told(observeActions([], seen))).toEqual([`${EX} dividend ${1.1 + 4e-7} 0-2`]);
  });

  it("keep a revised value, with the time at which another came in its place", () => {
    const seen = [answer(0, { dividends: { [EX]: 1.1 } }), answer(3, { dividends: { [EX]: 1.2 } })];
    expect(told(observeActions([], seen))).toEqual([`${EX} dividend 1.1 0-0 >3`, `${EX} dividend 1.2 3-3`]);
  });

  it("keep a withdrawn value, which holds again when it is seen again", () => {
    const withdrawn = observeActions([], [answer(0, { splits: { [EX]: 2 } }), answer(3)]);
    expect(told(withdrawn)).toEqual([`${EX} split 2 0-0 >3`]);
    expect(told(observeActions(withdrawn, [answer(4, { splits: { [EX]: 2 } })]))).toEqual([`${EX} split 2 0-4`]);
  });

  it("are not withdrawn by answers over other dates or of other symbols, nor by a value that cannot be read", () => {
    const known = observeActions([], [answer(0, { dividends: { [EX]: 1.1 } })]);
    const silent = [
      answer(1, { to: "2024-03-06" }),
      answer(1, { from: "2024-03-08" }),
      answer(1, { symbol: "CBA" }),
      answer(1, { dividends: { [EX]: undefined } }),
      answer(1, { dividends: { [EX]: Number.NaN } }),
    ];
    expect(observeActions(known, silent)).toEqual(known);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, undefined])("are none for the value %s", (value) => {
    expect(observeActions([], [answer(0, { dividends: { [EX]: value }, splits: { [EX]: value } })])).toEqual([]);
  });

  it("do not change for an answer that comes late, but for what is known of the past", () => {
    const known = observeActions(
      [],
      [answer(2, { dividends: { [EX]: 1.1 } }), answer(5, { dividends: { [EX]: 1.2 } })],
    );
    const late = observeActions(known, [answer(1, { dividends: { [EX]: 1.1 } }), answer(3), answer(0)]);
    expect(told(late)).toEqual([`${EX} dividend 1.1 1-2 >5`, `${EX} dividend 1.2 5-5`]);
    const withdrawn = observeActions(known, [answer(9)]);
    expect(actionsThatHold(observeActions(withdrawn, [answer(8, { dividends: { [EX]: 1.2 } })]))).toEqual([]);
  });

  it("take an amount that a split has rescaled for the same dividend, in the newest shares", () => {
    const split = { "2024-05-03": 3 };
    const before = answer(0, { dividends: { [EX]: 1.6 } });
    const after = answer(2, { dividends: { [EX]: 0.533333 }, splits: split });
    const once = [`${EX} dividend 0.533333 0-2`, "2024-05-03 split 3 2-2"];
    expect(told(observeActions([], [before, after]))).toEqual(once);
    expect(told(observeActions(observeActions([], [after]), [before]))).toEqual(once);
  });

  it("tell a split from a revision only when it is known, and then unite what was two", () => {
    const seen = [answer(0, { dividends: { [EX]: 1.6 } }), answer(2, { dividends: { [EX]: 0.8 }, to: "2024-04-30" })];
    const two = observeActions([], seen);
    expect(told(two)).toEqual([`${EX} dividend 1.6 0-0 >2`, `${EX} dividend 0.8 2-2`]);
    expect(told(observeActions(two, [answer(3, { from: "2024-05-01", splits: { "2024-05-02": 2 } })]))).toEqual([
      `${EX} dividend 0.8 0-2`,
      "2024-05-02 split 2 3-3",
    ]);
  });

  it("take the old amount, given after the split, for a revision", () => {
    const split = { "2024-05-03": 2 };
    const seen = [1.6, 1.6].map((value, index) => answer(index * 4, { dividends: { [EX]: value }, splits: split }));
    expect(told(observeActions([], seen))).toEqual([
      `${EX} dividend 1.6 0-0 >4`,
      `${EX} dividend 1.6 4-4`,
      "2024-05-03 split 2 0-4",
    ]);
  });

  it("hand on what is known of other symbols, in order", () => {
    const cba = observeActions([], [answer(0, { symbol: "CBA", dividends: { [EX]: 2 } })]);
    const both = observeActions(cba, [answer(1, { dividends: { [EX]: 1 } })]);
    expect(both.map(({ symbol }) => symbol)).toEqual(["BHP", "CBA"]);
    expect(both[1]).toEqual(cba[0]);
  });
});

/** Answers of one symbol on days of their own, with few values, so that they agree, differ and withdraw. */
const anyAnswers = fc
  .uniqueArray(
    fc.record({
      day: fc.integer({ min: 0, max: 40 }),
      dividend: fc.constantFrom(undefined, 1.1, 1.1 + 1e-8, 1.3, 2),
      other: fc.constantFrom(undefined, 0.4, 0.5),
      split: fc.constantFrom(undefined, 2, 3),
      to: fc.constantFrom("2024-03-31", "2024-12-31"),
    }),
    { selector: ({ day }) => day, minLength: 1, maxLength: 8 },
  )
  .map((drawn) =>
    drawn.map(({ day, dividend, other, split, to }) =>
      answer(day, {
        to,
        dividends: {
          ...(dividend === undefined ? {} : { [EX]: dividend }),
          ...(other === undefined || to < "2024-08" ? {} : { "2024-08-15": other }),
        },
        splits: split === undefined ? {} : { "2024-02-01": split },
      }),
    ),
  );

/** Answers around a split that holds: the amounts in each are in the shares of its time. */
const answersAcrossSplit = fc
  .uniqueArray(fc.record({ day: fc.integer({ min: 0, max: 30 }), amount: fc.constantFrom(1.2, 1.8) }), {
    selector: ({ day }) => day,
    minLength: 1,
    maxLength: 8,
  })
  .map((drawn) =>
    drawn.map(({ day, amount }) => {
      const isSplit = day >= 10;
      return answer(day, {
        dividends: { [EX]: isSplit ? amount / 3 : amount },
        splits: isSplit ? { "2024-05-11": 3 } : {},
      });
    }),
  );

describe("any answers", () => {
  /** Takes answers in one after another, then all of them again: then no order knows less than another. */
  const takeIn = (answers: readonly ActionsAnswer[], again: readonly ActionsAnswer[] = []): CorporateAction[] =>
    [...answers, ...again].reduce<CorporateAction[]>((known, each) => observeActions(known, [each]), []);
  const inAnyOrder = (answers: fc.Arbitrary<ActionsAnswer[]>) =>
    answers.chain((given) =>
      fc.tuple(
        fc.constant(given),
        fc.shuffledSubarray(given, { minLength: given.length }),
        fc.shuffledSubarray(given, { minLength: given.length }),
      ),
    );

  it("come to the same in any order, one by one or at once", () => {
    fc.assert(
      fc.property(inAnyOrder(anyAnswers), ([answers, shuffled, again]) => {
        const atOnce = observeActions([], answers);
        expect(takeIn(shuffled, again)).toEqual(atOnce);
        expect(observeActions([], shuffled)).toEqual(atOnce);
        expect(observeActions(atOnce, again)).toEqual(atOnce);
      }),
      { numRuns: 500 },
    );
  });

  it("come to the same in any order across a split that rescales amounts", () => {
    fc.assert(
      fc.property(inAnyOrder(answersAcrossSplit), ([answers, shuffled, again]) => {
        const atOnce = observeActions([], answers);
        expect(takeIn(shuffled, again)).toEqual(atOnce);
        const dividends = atOnce.filter(({ kind }) => kind === "dividend");
        expect(dividends.length).toBe(
          new Set(
            answers.map(({ answeredAt, dividends: given }) => {
              const amount = given.get(EX) ?? 0;
              return Math.round((answeredAt >= START + 10 * DAY_MS ? amount * 3 : amount) * 10);
            }),
          ).size,
        );
      }),
      { numRuns: 500 },
    );
  });

  it("let the newest that covers a date decide what holds on it", () => {
    fc.assert(
      fc.property(inAnyOrder(anyAnswers), ([answers, shuffled, again]) => {
        const newest = answers.toSorted((a, b) => b.answeredAt - a.answeredAt)[0];
        const holding = actionsThatHold(takeIn(shuffled, again)).find(({ exDate }) => exDate === EX);
        expect(holding?.value).toBe(newest?.dividends.get(EX));
      }),
    );
  });
});
