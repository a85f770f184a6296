import { Arena, from } from "../device/arena.ts";
import type { TaskBuilder } from "../device/device.ts";
import { LANES, type Tensor } from "../device/kernels.ts";
import type { LiveSteps } from "../device/live.ts";
import { type Block, type DropoutMode, groupsOf, type Value } from "./layers/layer.ts";
import type { Sizes } from "./layers/node.ts";

/** The tensors that the outside reads or writes, batch first and dense, by name: see {@linkcode layOut}. */
export type IoTensors = ReadonlyMap<string, Tensor>;

/** A time axis of a block. */
interface Along extends Pick<Block, "T" | "lengths" | "mask"> {
  /** Its number, where the device looks for the ends of rows along it. */
  readonly axis: number | undefined;
}

/** A block of rows with memory of its own, along one of its time axes. */
export class BlockSpace implements Block {
  readonly B: number;
  readonly T: number;
  readonly row0: number;
  readonly rows: number;
  readonly groups: number;
  readonly lengths: Tensor;
  readonly mask: Tensor;
  readonly wholeBatch: boolean;
  readonly backward: boolean;
  readonly dropout: DropoutMode;
  readonly control: Tensor;
  readonly gradient: Tensor;
  readonly scratch = new Arena(0, true);
  readonly words: Tensor;
  private readonly axis: number | undefined;
  /** All of its axes: undefined is that of `Sequences.shape`. */
  readonly axes = new Map<string | undefined, BlockSpace>();
  // Not #private: the block along another axis is a copy of this one.
  private readonly tensors: IoTensors;
  private readonly published = new Set<string>();

  constructor(
    { B, T, axes = {}, row0, rows, wholeBatch, backward, dropout, control, gradient, io, ends }:
      & Pick<Block, "B" | "T" | "row0" | "rows" | "wholeBatch" | "backward" | "dropout" | "control" | "gradient">
      & { readonly io: IoTensors; readonly axes?: Sizes["axes"]; readonly ends: boolean },
  ) {
    this.B = B;
    this.T = T;
    this.row0 = row0;
    this.rows = rows;
    this.groups = groupsOf(rows);
    this.wholeBatch = wholeBatch;
    this.backward = backward;
    this.dropout = dropout;
    this.control = control;
    this.gradient = gradient;
    this.tensors = io;
    this.lengths = from(io.get("@lengths")!, row0);
    this.mask = this.scratch.allocate(T * this.groups * LANES);
    this.words = this.scratch.allocate(16);
    this.axis = ends ? 0 : undefined;
    this.axes.set(undefined, this);
    Object.entries(axes).forEach(([axis, T], i) => {
      const lengths = from(io.get(`@lengths.${axis}`)!, row0), mask = this.scratch.allocate(T * this.groups * LANES);
      const own: Along = { T, lengths, mask, axis: ends ? i + 1 : undefined };
      this.axes.set(axis, Object.assign(Object.create(BlockSpace.prototype), this, own));
    });
  }

  live(first = 0, count = this.T - first): LiveSteps | undefined {
    return this.axis === undefined ? undefined : { axis: this.axis, first, count };
  }

  /** What every task over it begins with. */
  begin(task: TaskBuilder): void {
    const { rows } = this;
    for (const { mask, lengths, T, axis } of this.axes.values()) {
      task.call("activeLanes", { mask, lengths, T, rows });
      if (axis !== undefined) task.call("measureSteps", { lengths, rows, axis });
    }
  }

  along(axis: string | undefined): BlockSpace {
    return this.axes.get(axis)!;
  }

  io(name: string): Tensor | null {
    return this.tensors.get(name) ?? null;
  }

  publish(task: TaskBuilder, source: string, { shape, data: src, stride: ldsrc }: Value): void {
    const { kind, size: F, axis, across } = shape, { rows, row0 } = this, { T, lengths } = this.along(axis);
    const wanted = this.io(source);
    if (!wanted || this.published.has(source) || kind === "tokens" || kind === "states") return;
    this.published.add(source);
    if (kind === "alignment") {
      const S = this.along(across).T;
      task.call("alignmentOut", { dst: from(wanted, row0 * T * S), src, lengths, U: T, T: S, rows });
    } else if (kind === "rows") {
      task.call("rowsOut", { dst: from(wanted, row0 * F), src, rows, F, lddst: F, ldsrc });
    } else {
      task.call("sequencesOut", { dst: from(wanted, row0 * T * F), src, lengths, T, rows, F, ldsrc });
    }
  }
}

/**
 * Rows of a block: as few as keep a task worth its while, so that there are blocks to share among threads, and more where
 * the weights are so large that reading them costs.
 */
export function blockRows(work: { readonly products: number; readonly state: number }, B: number, T: number): number {
  const least = work.state >= 256 ? 2 * LANES : LANES;
  return Math.min(B, Math.max(least, LANES * Math.ceil(WORK_PER_BLOCK / (6 * work.products * T * LANES))));
}

/** Floating-point operations that make a task worth its while. */
const WORK_PER_BLOCK = 4e6;
