/** Processes for tests: workers of one program, which share memory. */

import { ALONE, type Fleet, startsOf } from "../../core/fleet/fleet.ts";

/** What the workers of a fleet share. */
export interface Shared {
  readonly size: number;
  /** How many have come to the barrier, and how often it was passed. */
  readonly barrier: SharedArrayBuffer;
  /** For each its own part of the bytes, and where in it the part for each other begins. */
  readonly starts: SharedArrayBuffer;
  readonly bytes: SharedArrayBuffer;
}

/** Bytes that one of them can give at a time. */
const ROOM = 1 << 22;

/** What `size` workers are to share. */
export function sharedBy(size: number): Shared {
  const buffer = (bytes: number) => new SharedArrayBuffer(bytes);
  return { size, barrier: buffer(8), starts: buffer(4 * size * size), bytes: buffer(size * ROOM) };
}

/** The fleet as one of the workers sees it. */
export function sharedFleet({ size, ...shared }: Shared, rank: number): Fleet {
  if (size === 1) return ALONE;
  const barrier = new Int32Array(shared.barrier), starts = new Int32Array(shared.starts);
  const bytes = new Uint8Array(shared.bytes), spent = { ms: 0, bytes: 0 };
  const wait = () => {
    const passed = Atomics.load(barrier, 1);
    if (Atomics.add(barrier, 0, 1) < size - 1) return void Atomics.wait(barrier, 1, passed);
    Atomics.store(barrier, 0, 0);
    Atomics.add(barrier, 1, 1);
    Atomics.notify(barrier, 1);
  };
  const exchange: Fleet["exchange"] = (sent, sends, received, gets) => {
    bytes.set(sent, rank * ROOM);
    starts.set(startsOf(sends), rank * size);
    wait();
    let at = 0;
    gets.forEach((count, from) => {
      const start = from * ROOM + starts[from * size + rank]!;
      received.set(bytes.subarray(start, start + count), at);
      at += count;
      if (from !== rank) spent.bytes += count;
    });
    wait();
  };
  return {
    rank,
    size,
    hosts: Array.from({ length: size }, () => "here"),
    library: "workers",
    spent,
    gather(all, counts) {
      const start = startsOf(counts)[rank]!, own = all.slice(start, start + counts[rank]!);
      const everywhere = new Uint8Array(size * own.length);
      for (let r = 0; r < size; r++) everywhere.set(own, r * own.length);
      exchange(everywhere, Array(size).fill(own.length), all, counts);
    },
    exchange,
    abort() {},
    close() {},
  };
}
