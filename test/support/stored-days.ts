import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Delivery, startSandbox } from "../../sandbox/server.ts";
import { EVENING } from "./test-runtime.ts";
import { asx } from "./test-terminal.ts";
import { createTinyMarket } from "./tiny-market.ts";

/** A folder with a store, filled by runs. */
export interface StoredDays {
  readonly folder: string;
  /** The store's address. */
  readonly store: string;
  remove(): Promise<void>;
}

/** The days that {@link storeDays} can store: three sessions in a row, of BHP and CBA; NAB never trades. */
export const DAYS = ["2024-05-29", "2024-05-30", "2024-05-31"] as const;

/** Runs days of a tiny market into a store of their own. Of a partial day CBA cannot be fetched. */
export async function storeDays(days: Readonly<Partial<Record<(typeof DAYS)[number], "complete" | "partial">>>) {
  const folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  const store = `file:${join(folder, "store")}`;
  const closes = Object.fromEntries(DAYS.map((day, position) => [day, { close: 10.1 + position / 10 }]));
  const market = createTinyMarket({ bars: { BHP: closes, CBA: closes, NAB: {} } });
  for (const [day, status] of Object.entries(days)) {
    const delivery: Delivery = async (answer, { ticker }) =>
      status === "partial" && ticker === "CBA.AX" ? { status: 403, contentType: "text/plain", body: "" } : answer;
    const sandbox = await startSandbox({ market, now: () => Date.parse(EVENING), delivery });
    try {
      await asx(["run", "--source", sandbox.url, "--rate", "unlimited", "--store", store, "--date", day]);
    } finally {
      await sandbox.close();
    }
  }
  const stored: StoredDays = { folder, store, remove: () => rm(folder, { recursive: true, force: true }) };
  return stored;
}
