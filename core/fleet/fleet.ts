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

/** Bytes that one exchange may take, at most one less: MPI counts in 32 bits. */
export const MOST_BYTES: number = 2 ** 31;

/** Where the share of each of `size` processes begins, of `count` things in a row; the last entry is the end. */
export function shares(count: number, size: number): number[] {
  return Array.from({ length: size + 1 }, (_, rank) => Math.floor(rank * count / size));
}

/** What each of them says, in order. */
export function gatherTexts(fleet: Gathering, own: string): string[] {
  return gatherBytes(fleet, new TextEncoder().encode(own)).map((bytes) => new TextDecoder().decode(bytes));
}

/** What can gather. */
type Gathering = Pick<Fleet, "rank" | "size" | "gather">;

/** The bytes of each of them, in order: as many as each likes. */
export function gatherBytes(fleet: Gathering, own: Uint8Array): Uint8Array<ArrayBuffer>[] {
  const { rank, size } = fleet, lengths = new Float64Array(size);
  lengths[rank] = own.length;
  fleet.gather(new Uint8Array(lengths.buffer), Array(size).fill(8));
  const counts = [...lengths], starts = startsOf(counts), all = new Uint8Array(starts.at(-1)! + counts.at(-1)!);
  all.set(own, starts[rank]);
  fleet.gather(all, counts);
  return counts.map((length, r) => all.subarray(starts[r], starts[r]! + length));
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
