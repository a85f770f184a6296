/**
 * Processes that train one model together: each computes the gradients of some blocks of every batch. They exchange bytes and
 * nothing else; what is added up is added up by the kernels, in an order that does not depend on how many processes there are.
 *
 * @module
 */

/**
 * The processes that train together, as one of them sees it. All of them must call `gather` and `exchange` in the same order,
 * with counts that fit: each call waits for the others.
 */
export interface Fleet {
  /** Which of them this is, from 0. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
  /** The host of each. */
  readonly hosts: readonly string[];
  /** What connects them, such as "Open MPI 4.1.4". */
  readonly library: string;
  /** Milliseconds spent in exchanges so far, waiting included, and bytes that came from others. */
  readonly spent: { readonly ms: number; readonly bytes: number };
  /** Part r of `bytes`, of counts[r] bytes, comes from process r: afterwards all parts are there, in every process. */
  gather(bytes: Uint8Array, counts: readonly number[]): void;
  /** Part r of `sent` goes to process r; part r of `received` comes from it. */
  exchange(
    sent: Uint8Array,
    sentCounts: readonly number[],
    received: Uint8Array,
    receivedCounts: readonly number[],
  ): void;
  /** Ends all of them with this exit code, at once: some may be waiting for what never comes. */
  abort(code: number): void;
  /** Leaves, when all have come so far. */
  close(): void;
}

/** One process by itself. */
export const ALONE: Fleet = {
  rank: 0,
  size: 1,
  hosts: [""],
  library: "",
  spent: { ms: 0, bytes: 0 },
  gather() {},
  exchange(sent, _, received) {
    received.set(sent);
  },
  abort() {},
  close() {},
};

/** Where the share of each of `size` processes begins, of `count` things in a row; the last entry is the end. */
export function shares(count: number, size: number): number[] {
  return Array.from({ length: size + 1 }, (_, rank) => Math.floor(rank * count / size));
}

/** What each of them says, in order. */
export function gatherTexts(fleet: Pick<Fleet, "rank" | "size" | "gather">, own: string): string[] {
  const { rank, size } = fleet, bytes = new TextEncoder().encode(own), lengths = new Int32Array(size);
  lengths[rank] = bytes.length;
  fleet.gather(new Uint8Array(lengths.buffer), Array(size).fill(4));
  const counts = [...lengths], starts = startsOf(counts), all = new Uint8Array(starts.at(-1)! + counts.at(-1)!);
  all.set(bytes, starts[rank]);
  fleet.gather(all, counts);
  return counts.map((length, r) => new TextDecoder().decode(all.subarray(starts[r]!, starts[r]! + length)));
}

/** Where each part begins. */
export function startsOf(counts: readonly number[]): number[] {
  let sum = 0;
  return counts.map((count) => (sum += count) - count);
}

/** A process in words: "process 3 on host b". */
export function processName({ hosts }: Pick<Fleet, "hosts">, rank: number): string {
  return `process ${rank}${hosts[rank] ? ` on host ${hosts[rank]}` : ""}`;
}
