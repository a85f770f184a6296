/**
 * How processes share a step: each computes some blocks of the batch, adds up every branch of the tree that lies among them,
 * gets one slice of all branches, finishes the tree over it, and gives the sum to the others.
 */

import { type Arena, from } from "../device/arena.ts";
import { type Program, type Task, TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import type { Fleet } from "../fleet/fleet.ts";

/** What a share depends on. */
export type Sharers = Pick<Fleet, "rank" | "size">;

/** Numbers that processes give one another: part r, of counts[r] numbers, comes from process r, or goes there. */
export type Transfer =
  | { readonly all: Tensor; readonly counts: readonly number[] }
  | {
    readonly sent: Tensor;
    readonly sends: readonly number[];
    readonly received: Tensor;
    readonly gets: readonly number[];
  };

/** A range of blocks. */
type Range = readonly [from: number, to: number];

/** The places of what processes send one another of their blocks' gradients. */
export interface Share extends Sharers {
  /** Where the blocks of each process begin. */
  readonly blocks: readonly number[];
  /** For each process the largest ranges of its blocks that are branches of the tree. */
  readonly roots: readonly (readonly Range[])[];
  /** Where the numbers begin that each process adds up. */
  readonly slices: readonly number[];
  readonly sent: Tensor;
  readonly received: Tensor;
}

/** The halves of a branch of the tree: the first is as large as a power of two can be. */
function halves([lo, hi]: Range): readonly [Range, Range] {
  let half = 1;
  while (2 * half < hi - lo) half *= 2;
  return [[lo, lo + half], [lo + half, hi]];
}

/** The largest branches within a range of blocks, of the tree over all of them. */
function rootsOf([first, end]: Range, tree: Range): Range[] {
  if (tree[0] >= first && tree[1] <= end) return [tree];
  if (tree[1] <= first || tree[0] >= end) return [];
  return halves(tree).flatMap((half) => rootsOf([first, end], half));
}

/**
 * Where the blocks of each process begin: each has as many as any other or one more, those have one more with whom all of them
 * have the fewest branches to send.
 */
export function blockBounds(blocks: number, size: number): number[] {
  const least = Math.floor(blocks / size), extras = blocks % size;
  // By how many processes so far have one more: the fewest branches of all of them, and which have.
  let best: { readonly count: number; readonly bounds: readonly number[] }[] = [{ count: 0, bounds: [0] }];
  for (let r = 0; r < size; r++) {
    const next: typeof best = [];
    best.forEach(({ count, bounds }, before) => {
      for (const extra of before < extras ? [0, 1] : [0]) {
        const from = r * least + before, to = from + least + extra, known = next[before + extra];
        const all = count + rootsOf([from, to], [0, blocks]).length;
        if (!known || all < known.count) next[before + extra] = { count: all, bounds: [...bounds, to] };
      }
    });
    best = next;
  }
  return [...best[extras]!.bounds];
}

/**
 * Where the vectors begin that each process adds up: so many for each that all of them receive equally much, of the others'
 * branches and of the sums. Who has many branches of its own adds up more.
 */
function sliceBounds(roots: Share["roots"], vectors: number): number[] {
  const all = roots.flat().length, others = roots.map((own) => all - own.length), least = Math.min(...others);
  // Where others have one branch together, it is as little as their sum would be.
  const weights = others.map((count) => least > 1 ? 1 / (count - 1) : Number(count === least));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  return [0, ...weights.map((weight) => Math.round(vectors * (sum += weight) / total))];
}

/** Lays out a share of so many blocks, with gradients of `partSize` numbers each. */
export function layOutShare({ rank, size }: Sharers, blocks: number, partSize: number, arena: Arena): Share {
  const bounds = blockBounds(blocks, size),
    roots = bounds.slice(1).map((end, r) => rootsOf([bounds[r]!, end], [0, blocks]));
  // Vectors stay whole.
  const slices = sliceBounds(roots, partSize / 4).map((vector) => 4 * vector);
  const sent = arena.allocate(roots[rank]!.length * partSize);
  const received = arena.allocate(roots.flat().length * (slices[rank + 1]! - slices[rank]!));
  return { rank, size, blocks: bounds, roots, slices, sent, received };
}

/** Numbers that one task adds up. */
const PIECE = 16384;

/** A task for each piece of n numbers. */
function inPieces(n: number, call: (task: TaskBuilder, at: number, count: number) => void): Task[] {
  return Array.from({ length: Math.ceil(n / PIECE) }, (_, i) => {
    const task = new TaskBuilder();
    call(task, i * PIECE, Math.min(PIECE, n - i * PIECE));
    return task.calls;
  });
}

/** The sums of a process's own branches, in the order in which they are sent: to each process its slice of every one. */
function ownSums({ rank, blocks, roots, slices, sent }: Share, parts: Tensor | null, stride: number): Task[] {
  const own = roots[rank]!;
  return slices.slice(1).flatMap((end, s) => {
    const start = slices[s]!, length = end - start;
    return own.flatMap(([first, to], k) =>
      inPieces(length, (task, at, n) => {
        const grads = from(sent, own.length * start + k * length + at, n);
        const leaves = from(parts!, (first - blocks[rank]!) * stride + start + at);
        task.call("sumBlocks", { grads, blocks: leaves, n, count: to - first, stride });
      })
    );
  });
}

/** The sum of all branches over a process's own slice. */
function sliceSums({ rank, blocks, roots, slices, received }: Share, gradient: Tensor): Task[] {
  const start = slices[rank]!, length = slices[rank + 1]! - start, all = roots.flat();
  return inPieces(length, (task, at, n) => {
    const places = new Map(all.map(([first], k) => [first, from(received, k * length + at, n)]));
    const ends = new Map(all);
    const add = (branch: Range): Tensor => {
      const [lo, hi] = branch;
      if (ends.get(lo) === hi) return places.get(lo)!;
      const [a, b] = halves(branch).map(add) as [Tensor, Tensor];
      task.call("sumBlocks", { grads: a, blocks: a, n, count: 2, stride: b.offset - a.offset });
      return a;
    };
    const sum = add([0, blocks.at(-1)!]);
    task.call("sumBlocks", { grads: from(gradient, start + at, n), blocks: sum, n, count: 1, stride: 0 });
  });
}

/** What is given to the others besides gradients: numbers of a block each. */
export interface PerBlock {
  readonly tensor: Tensor;
  /** Numbers of all blocks before one. */
  readonly before: (block: number) => number;
}

/**
 * The steps by which all processes get the gradient of the whole batch: programs of their own, and what they give one another.
 *
 * @param first The program's stages up to the gradients of the own blocks.
 * @param parts These gradients, each of `stride` numbers.
 * @param gradient Where the sum goes: as many numbers.
 */
export function shareSteps(
  share: Share,
  first: Program,
  { parts, stride, gradient, rows }: {
    readonly parts: Tensor | null;
    readonly stride: number;
    readonly gradient: Tensor;
    readonly rows: readonly PerBlock[];
  },
): (Program | Transfer)[] {
  const { rank, roots, slices, blocks, sent, received } = share, of = (r: number) => slices[r + 1]! - slices[r]!;
  const counts = (count: (r: number) => number) => roots.map((_, r) => count(r));
  return [
    [...first, ownSums(share, parts, stride)],
    {
      sent,
      sends: counts((r) => roots[rank]!.length * of(r)),
      received,
      gets: counts((r) => roots[r]!.length * of(rank)),
    },
    ...rows.map(({ tensor, before }) => ({
      all: tensor,
      counts: counts((r) => before(blocks[r + 1]!) - before(blocks[r]!)),
    })),
    [sliceSums(share, gradient)],
    { all: gradient, counts: counts(of) },
  ];
}
