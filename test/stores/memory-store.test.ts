import { describeObjectStore } from "../contracts/object-store.ts";
import { createMemoryStore } from "../support/memory-store.ts";

// The store that other tests stand on must keep the promises of the real ones.
describeObjectStore("the tests' store in memory", async () => ({
  store: createMemoryStore(),
  close: async () => undefined,
}));
