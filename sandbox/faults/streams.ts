/** Bodies that a client cannot simply read to their end. Nothing is made of them before it is read. */
import type { Sleep } from "../sleep.ts";

/** Nothing for so long, then the end. */
export function silentStream(ms: number, sleep: Sleep): ReadableStream<Uint8Array> {
  return lazily(async (controller) => {
    await sleep(ms);
    controller.close();
  });
}

/** The bytes in so many pieces, each a second after the one before. */
export function trickle(bytes: Uint8Array, pieces: number, sleep: Sleep): ReadableStream<Uint8Array> {
  const size = Math.max(1, Math.ceil(bytes.length / pieces));
  let sent = 0;
  return lazily(async (controller) => {
    await sleep(1_000);
    controller.enqueue(bytes.slice(sent, sent + size));
    sent += size;
    if (sent >= bytes.length) controller.close();
  });
}

/** So many pieces of zeros, all of them the same memory. */
export function zeros(pieces: number, size: number): ReadableStream<Uint8Array> {
  const piece = new Uint8Array(size);
  let sent = 0;
  return lazily((controller) => {
    controller.enqueue(piece);
    sent += 1;
    if (sent === pieces) controller.close();
  });
}

function lazily(
  pull: (controller: ReadableStreamDefaultController<Uint8Array>) => void | Promise<void>,
): ReadableStream<Uint8Array> {
  // A client that has gone cancels the stream, maybe while it sleeps; what is pulled then goes nowhere.
  let cancelled = false;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          await pull(controller);
        } catch (error) {
          if (!cancelled) throw error;
        }
      },
      cancel() {
        cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
}
