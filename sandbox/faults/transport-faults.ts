/** Faults of the way between: the answer is late, broken, refused or in place of another. */
import { gzipSync } from "node:zlib";
import { bytesOf, faultsOf, pick } from "./fault.ts";
import { silentStream, trickle, zeros } from "./streams.ts";

const MEGABYTE = 1_000_000;
/** What the large bodies hold once they are unpacked. */
const LARGE_MEGABYTES = 100;
/** Far above what any client waits. */
const STALL_MS = 120_000;
/** A slow body comes in so many pieces, a second apart. */
const PIECES = 40;

/** 100 MB of zeros in 100 kB: a gzip file may have many members, which unpack to one body. */
const packedZeros = Buffer.concat(Array<Buffer>(LARGE_MEGABYTES).fill(gzipSync(new Uint8Array(MEGABYTE))));

export const TRANSPORT_FAULTS = faultsOf("any", {
  "rate-limit": {
    description: "429 as text, with a Retry-After of 2 s",
    catalogue: ["Y01"],
    effect: "transient",
    make: () => ({
      status: 429,
      contentType: "text/plain",
      body: "Too Many Requests\r\n",
      headers: { "retry-after": "2" },
    }),
  },
  "server-error": {
    description: "500, 502 or 503",
    catalogue: ["A16"],
    effect: "transient",
    make: (_, { chance }) => ({ status: pick([500, 502, 503], chance(0)), contentType: "text/plain", body: "" }),
  },
  "server-error-burst": {
    description: "500, 502 or 503 to 3 to 20 requests in a row; the share is that of the beginnings",
    catalogue: ["A16"],
    effect: "transient",
    burst: [3, 20],
    make: (_, { chance }) => ({ status: pick([500, 502, 503], chance(0)), contentType: "text/plain", body: "" }),
  },
  html: {
    description: "a page that says it is down, with status 200",
    catalogue: ["Y26"],
    effect: "transient",
    make: () => ({ status: 200, contentType: "text/html", body: "<html><body>Will be right back...</body></html>" }),
  },
  "wrong-type": {
    description: "the right body under another content type",
    catalogue: ["Y26"],
    effect: "harmless",
    make: (answer, { chance }) => ({
      ...answer,
      contentType: pick(["text/plain", "text/html", "application/octet-stream"], chance(0)),
    }),
  },
  "internal-redirect": {
    description: "302 to an address inside the client's own network",
    catalogue: ["X03"],
    effect: "transient",
    // Port 9 discards; nothing listens there.
    make: () => ({ status: 302, contentType: "text/html", body: "", headers: { location: "http://127.0.0.1:9/meta" } }),
  },
  reset: {
    description: "the connection breaks in the middle of the body",
    catalogue: ["Y27"],
    effect: "transient",
    make: (answer) => ({ ...answer, breaksAfter: Math.ceil(bytesOf(answer).length / 2) }),
  },
  "reset-at-once": {
    description: "the connection breaks before a byte is answered",
    catalogue: ["Y31"],
    effect: "transient",
    make: (answer) => ({ ...answer, breaksAfter: 0 }),
  },
  stall: {
    description: "no answer at all for two minutes, then the connection breaks",
    catalogue: ["Y28", "A16"],
    effect: "transient",
    make: async (answer, { sleep }) => {
      await sleep(STALL_MS);
      return { ...answer, breaksAfter: 0 };
    },
  },
  "stalled-body": {
    description: "status and headers, then two minutes of silence, then the end of a body without a byte",
    catalogue: ["Y28"],
    effect: "transient",
    make: (answer, { sleep }) => ({ ...answer, body: silentStream(STALL_MS, sleep) }),
  },
  trickle: {
    description: "the right body in forty pieces, a second apart",
    catalogue: ["Y29"],
    effect: "transient",
    make: (answer, { sleep }) => ({ ...answer, body: trickle(bytesOf(answer), PIECES, sleep) }),
  },
  oversized: {
    description: "a body of 100 MB",
    catalogue: ["Y30"],
    effect: "transient",
    make: () => ({ status: 200, contentType: "application/json", body: zeros(LARGE_MEGABYTES, MEGABYTE) }),
  },
  "gzip-bomb": {
    description: "100 MB in 100 kB",
    catalogue: ["Y30", "X08"],
    effect: "transient",
    make: () => ({
      status: 200,
      contentType: "application/json",
      body: zeros(LARGE_MEGABYTES, MEGABYTE),
      gzipped: packedZeros,
    }),
  },
});
