/** One stock as the exchange's directory lists it. */
export interface Listing {
  /** ASX code. */
  readonly symbol: string;
  /** Company name; may be empty in the source. */
  readonly name: string;
  readonly industryGroup: string;
  /** `YYYY-MM-DD`, or null where the source has none or gives the placeholder 1 January 1970. */
  readonly listingDate: string | null;
  /** AUD, or null where the source has none. */
  readonly marketCap: number | null;
}
