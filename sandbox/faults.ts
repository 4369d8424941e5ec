/** Faults of the upstreams as they have been seen, made at chance moments that a seed decides, or at chosen ones. */
import { InvalidInputError } from "../domain/errors.ts";
import { CHART_FAULTS } from "./faults/chart-faults.ts";
import { CHART_ROW_FAULTS } from "./faults/chart-row-faults.ts";
import { DIRECTORY_FAULTS } from "./faults/directory-faults.ts";
import type { Fault } from "./faults/fault.ts";
import { TRANSPORT_FAULTS } from "./faults/transport-faults.ts";
import { hashText, uniform } from "./random.ts";
import type { Delivery, SandboxRequest } from "./server.ts";
import { hostSleep, type Sleep } from "./sleep.ts";

export { FAULT_EFFECTS, type Fault, type FaultEffect, type FaultTarget } from "./faults/fault.ts";

/** Every fault by its name. */
export const FAULTS = {
  ...TRANSPORT_FAULTS,
  ...CHART_FAULTS,
  ...CHART_ROW_FAULTS,
  ...DIRECTORY_FAULTS,
} as const;

/** The name of a fault. */
export type FaultName = keyof typeof FAULTS;

/** The names of all faults. */
export const FAULT_NAMES: readonly FaultName[] = Object.keys(FAULTS).filter(isFaultName);

/** The faults by subject, for people. */
export const FAULT_GROUPS: readonly { readonly title: string; readonly faults: Readonly<Record<string, Fault>> }[] = [
  { title: "Faults of charts and directory alike", faults: TRANSPORT_FAULTS },
  { title: "Faults of charts", faults: CHART_FAULTS },
  { title: "Faults in the rows of charts", faults: CHART_ROW_FAULTS },
  { title: "Faults of the directory", faults: DIRECTORY_FAULTS },
];

/** How often each fault is made, as a share from 0 to 1 of the requests that it can be made of. */
export type FaultShares = Readonly<Partial<Record<FaultName, number>>>;

/**
 * Says which fault is made of a request, if any. `time` is how often the same thing has been asked for, this request
 * included; `chance` is a number from 0 (inclusive) to 1 (exclusive) that the seed decides. A fault that cannot be
 * made of the request is not made.
 */
export type FaultChoice = (request: SandboxRequest, time: number, chance: number) => FaultName | undefined;

/** What making faults can be given. */
export interface FaultOptions {
  /** How slow answers pass the time. Default: the host's clock. */
  readonly sleep?: Sleep;
  /** Told of every answer that a fault changed. */
  readonly onFault?: (name: FaultName, request: SandboxRequest) => void;
}

/**
 * Reads `rate-limit=0.1,html=0.05`.
 * @throws InvalidInputError that names what is wrong and what is allowed.
 */
export function parseFaultShares(text: string): FaultShares {
  const shares: Partial<Record<FaultName, number>> = {};
  for (const part of text.split(",")) {
    const [, name = "", share = ""] = /^\s*([a-z-]+)=(\d(?:\.\d+)?)\s*$/.exec(part) ?? [];
    if (!isFaultName(name) || Number(share) > 1) {
      throw new InvalidInputError(
        `fault ${JSON.stringify(part.trim())} is no NAME=SHARE: the names stand in asx sandbox --help, a share is from 0 to 1`,
      );
    }
    shares[name] = Number(share);
  }
  for (const kind of ["chart", "directory"] as const) {
    const total = FAULT_NAMES.filter((name) => applies(FAULTS[name], kind)).reduce(
      (sum, name) => sum + (shares[name] ?? 0),
      0,
    );
    if (total > 1 + 1e-9)
      throw new InvalidInputError(
        `the shares of the faults of a ${kind} come to ${Number(total.toFixed(6))}; together they are 1 at most`,
      );
  }
  return shares;
}

/**
 * Makes faults at the moments that the seed decides: by what is asked for and how often that has been asked for before,
 * so that the order in which different symbols are asked for does not matter. Only bursts go on from one to the next.
 */
export function faulty(shares: FaultShares, seed: number, next: Delivery, options: FaultOptions = {}): Delivery {
  const chosen = Object.entries(shares).flatMap(([name, share]) => (isFaultName(name) ? { name, share } : []));
  const choose: FaultChoice = ({ kind }, _, chance) => {
    let left = chance;
    for (const { name, share } of chosen) {
      if (!applies(FAULTS[name], kind)) continue;
      if (left < share) return name;
      left -= share;
    }
    return undefined;
  };
  return scripted(choose, seed, next, options);
}

/** Makes the faults that are chosen, request by request; a burst that has begun comes before the choice. */
export function scripted(
  choose: FaultChoice,
  seed: number,
  next: Delivery,
  { sleep = hostSleep, onFault }: FaultOptions = {},
): Delivery {
  const asked = new Map<string, number>();
  let burst: { readonly name: FaultName; left: number } | undefined;
  return async (answer, request) => {
    const thing = request.ticker ?? request.path;
    const time = (asked.get(thing) ?? 0) + 1;
    asked.set(thing, time);
    const own = hashText(seed, thing);
    const chance = (use: number): number => uniform(own, time, use);
    const begun =
      burst !== undefined && burst.left > 0 && applies(FAULTS[burst.name], request.kind) ? burst : undefined;
    const name = begun?.name ?? choose(request, time, chance(0));
    if (name === undefined) return next(answer, request);
    const fault: Fault = FAULTS[name];
    if (!applies(fault, request.kind)) return next(answer, request);
    if (begun !== undefined) begun.left -= 1;
    else if (fault.burst !== undefined) {
      const [fewest, most] = fault.burst;
      burst = { name, left: fewest - 1 + Math.floor(chance(1) * (most - fewest + 1)) };
    }
    const changed = await fault.make(answer, { request, sleep, chance: (use) => chance(use + 2) });
    if (changed !== answer) onFault?.(name, request);
    return next(changed, request);
  };
}

/** Whether a fault can be made of a request of a kind. */
function applies({ target }: Fault, kind: SandboxRequest["kind"]): boolean {
  return target === "any" || target === kind;
}

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name);
}
