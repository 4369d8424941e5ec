/** Writes the ASX directory in its two forms, quoted and ended as the exchange does. */
import { Temporal } from "temporal-polyfill";
import type { Listing } from "../domain/listing.ts";
import { compareSymbols } from "../domain/symbol.ts";
import { EXCHANGE_TIME_ZONE } from "../domain/trading-date.ts";

/** The newer form: header first, ordered by code, dates as DD/MM/YYYY, no newline at the end. */
export function newerDirectoryFile(listings: readonly Listing[]): Uint8Array {
  const header = `"ASX code","Company name","GICs industry group","Listing date","Market Cap"`;
  const lines = listings
    .toSorted((left, right) => compareSymbols(left.symbol, right.symbol))
    .map(({ symbol, name, industryGroup, listingDate, marketCap }) =>
      [
        quoted(symbol),
        quoted(name),
        quoted(industryGroup),
        quoted(dayFirst(listingDate)),
        marketCap ?? quoted("--"),
      ].join(","),
    );
  return new TextEncoder().encode([header, ...lines].join("\n"));
}

/** The older form: a title, an empty line, three columns, ordered by name. */
export function olderDirectoryFile(listings: readonly Listing[], epochMs: number): Uint8Array {
  const lines = listings
    .toSorted((left, right) => compareSymbols(left.name, right.name))
    .map(({ symbol, name, industryGroup }) => [name, symbol, industryGroup].map(quoted).join(","));
  const header = ["Company name,ASX code,GICS industry group", ...lines].join("\n");
  return new TextEncoder().encode(`ASX listed companies as at ${titleInstant(epochMs)}\n\n${header}\n`);
}

/** `Wed Apr 01 11:24:19 AEDT 2026` */
function titleInstant(epochMs: number): string {
  const at = Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(EXCHANGE_TIME_ZONE);
  const weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][at.dayOfWeek - 1] ?? "";
  const month =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][at.month - 1] ?? "";
  const zone = at.offset === "+11:00" ? "AEDT" : "AEST";
  const day = String(at.day).padStart(2, "0");
  return `${weekday} ${month} ${day} ${at.toPlainTime().toString({ smallestUnit: "second" })} ${zone} ${at.year}`;
}

function dayFirst(date: string | null): string {
  return date === null ? "" : date.split("-").reverse().join("/");
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
