import { Arena, from } from "../device/arena.ts";
import type { TaskBuilder } from "../device/device.ts";
import { LANES, type Tensor } from "../device/kernels.ts";
import { type Block, type DropoutMode, groupsOf, type Value } from "./layers/layer.ts";

/** The tensors that the outside reads or writes, batch first and dense, by name: see {@linkcode layOut}. */
export type IoTensors = ReadonlyMap<string, Tensor>;

/** A block of rows with memory of its own. */
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
  readonly #io: IoTensors;
  readonly #published = new Set<string>();

  constructor(
    { B, T, row0, rows, wholeBatch, backward, dropout, control, gradient, io }:
      & Pick<Block, "B" | "T" | "row0" | "rows" | "wholeBatch" | "backward" | "dropout" | "control" | "gradient">
      & { readonly io: IoTensors },
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
    this.#io = io;
    this.lengths = from(io.get("@lengths")!, row0);
    this.mask = this.scratch.allocate(T * this.groups * LANES);
    this.words = this.scratch.allocate(16);
  }

  io(name: string): Tensor | null {
    return this.#io.get(name) ?? null;
  }

  publish(task: TaskBuilder, source: string, { shape: { kind, size: F }, data: src, stride: ldsrc }: Value): void {
    const wanted = this.io(source), { T, rows, row0, lengths } = this;
    if (!wanted || this.#published.has(source) || kind === "tokens") return;
    this.#published.add(source);
    if (kind === "rows") {
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
