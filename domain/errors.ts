/**
 * The project's errors. `name` is a literal because Lambda reports it as the error's type and the
 * workflow's `ErrorEquals` matches it; `kind` says whether trying again can heal it.
 */
import { printable } from "./text.ts";

/** Whether the same call can succeed later (`transient`) or only after somebody changes something (`terminal`). */
export type ErrorKind = "transient" | "terminal";

/** Base of every error this project throws on purpose. */
export abstract class AsxEodError extends Error {
  abstract override readonly name: string;
  abstract readonly kind: ErrorKind;
}

/** An upstream answered with a rate limit, a server fault or nothing usable, or the network failed. */
export class UpstreamUnavailableError extends AsxEodError {
  override readonly name = "UpstreamUnavailableError";
  readonly kind = "transient";
  /** How long the upstream asked to wait, in milliseconds, where it said so (Retry-After). */
  readonly retryAfterMs: number | undefined;
  /** Whether the upstream said that we ask too much (429). */
  readonly rateLimited: boolean;

  constructor(
    message: string,
    options: ErrorOptions & { retryAfterMs?: number | undefined; rateLimited?: boolean } = {},
  ) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
    this.rateLimited = options.rateLimited ?? false;
  }
}

/** An upstream refused us in a way that repeating the request cannot change: a redirect to a consent page, 403. */
export class UpstreamRefusedError extends AsxEodError {
  override readonly name = "UpstreamRefusedError";
  readonly kind = "terminal";
}

/** Nothing was asked: the worker had stopped asking the upstream, for the reason in the message. A later run may ask. */
export class GateClosedError extends AsxEodError {
  override readonly name = "GateClosedError";
  readonly kind = "transient";
}

/** No ASX directory could be had: both addresses failed and no stored list is recent enough. */
export class DirectoryUnavailableError extends AsxEodError {
  override readonly name = "DirectoryUnavailableError";
  readonly kind = "transient";
}

/** A downloaded directory is empty, unparsable or suspiciously small; nothing was written. */
export class DirectoryRefusedError extends AsxEodError {
  override readonly name = "DirectoryRefusedError";
  readonly kind = "terminal";
}

/** No symbols CSV is stored on or before the date asked for. */
export class SymbolsMissingError extends AsxEodError {
  override readonly name = "SymbolsMissingError";
  readonly kind = "terminal";
}

/** The session of the date has not ended, or its prices are not settled yet. */
export class SessionNotSettledError extends AsxEodError {
  override readonly name = "SessionNotSettledError";
  readonly kind = "terminal";
}

/** Another run of the date is under way. It is not waited for; running the date again when it has ended is safe. */
export class RunUnderWayError extends AsxEodError {
  override readonly name = "RunUnderWayError";
  readonly kind = "terminal";
}

/** An event, an environment variable, an option or an address is not of the form it must have. */
export class InvalidInputError extends AsxEodError {
  override readonly name = "InvalidInputError";
  readonly kind = "terminal";
}

/** A stored file is not what its key or the run summary says: damaged, of another date, or not ours. */
export class StoredFileError extends AsxEodError {
  override readonly name = "StoredFileError";
  readonly kind = "terminal";
}

/** Nothing is stored for the date asked for. */
export class DateNotStoredError extends AsxEodError {
  override readonly name = "DateNotStoredError";
  readonly kind = "terminal";
}

/** A query over stored bars failed in the engine: its message says why. */
export class QueryFailedError extends AsxEodError {
  override readonly name = "QueryFailedError";
  readonly kind = "terminal";
}

/** A query did not end in its time, and was ended. */
export class QueryTimeoutError extends AsxEodError {
  override readonly name = "QueryTimeoutError";
  readonly kind = "transient";
}

/** A store could not be reached or answered with a fault of its own. Never used for an absent key. */
export class StoreUnavailableError extends AsxEodError {
  override readonly name = "StoreUnavailableError";
  readonly kind = "transient";
}

/** Another writer changed an object after it was read; nothing was written. Read it again, and decide anew. */
export class StoreConflictError extends AsxEodError {
  override readonly name = "StoreConflictError";
  readonly kind = "transient";
}

/** A store refused access, or does not exist. */
export class StoreRefusedError extends AsxEodError {
  override readonly name = "StoreRefusedError";
  readonly kind = "terminal";
}

/** Whether trying again can heal the error. Errors that are not the project's own count as terminal. */
export function isTransient(error: unknown): boolean {
  return error instanceof AsxEodError && error.kind === "transient";
}

/** The message of anything that was thrown, on one line and without what a terminal would obey. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return printable(message);
}
