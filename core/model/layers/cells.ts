/** The cells of recurrent layers: all that differs between them. Formulas and sources are in core/kernels. */

import { from } from "../../device/arena.ts";
import type { TaskBuilder } from "../../device/device.ts";
import { LANES, type Tensor } from "../../device/kernels.ts";

/** One direction of one layer over a block. States and gates are laid out as the kernels' heads say. */
export interface CellTensors {
  /** States (T + 2, groups, H, 8), `ld` apart: one, or hidden and cell state. */
  readonly states: readonly Tensor[];
  readonly ld: number;
  /** (T, groups, 4·H, 8), `ldg` apart. */
  readonly gates: Tensor;
  readonly ldg: number;
  readonly panels: Tensor;
  readonly bias: Tensor;
  readonly mask: Tensor;
  readonly T: number;
  readonly groups: number;
  readonly H: number;
  readonly reverse: number;
}

/** A kind of recurrent cell. */
export interface Cell {
  /** Rows of the weights for each unit: PyTorch's gates. */
  readonly gates: number;
  /** PyTorch's names of the states: final h_n, initial h0. */
  readonly states: readonly { readonly final: string; readonly initial: string }[];
  /** Parts of H rows that the input's weight is rotated by, so that its product fits the buffer of gates. */
  readonly rotate: number;
  /** The part of the buffer of gates where those of the recurrent weight begin. */
  readonly recurrent: number;
  packBias(task: TaskBuilder, args: { bias: Tensor; biasIh: Tensor; biasHh: Tensor; H: number }): void;
  forward(task: TaskBuilder, cell: CellTensors): void;
  /** `dStates`: the hidden state's gradient (T + 2, groups, H, 8), `lddh` apart; the cell state's (groups, H, 8). */
  backward(task: TaskBuilder, cell: CellTensors, dStates: readonly Tensor[], lddh: number): void;
  /** One sequence by itself; Hp is H in whole vectors. */
  single(
    task: TaskBuilder,
    args: {
      readonly states: readonly Tensor[];
      readonly gates: Tensor;
      readonly columns: Tensor;
      readonly bias: Tensor;
      readonly T: number;
      readonly Hp: number;
      readonly ldh: number;
      readonly reverse: number;
    },
  ): void;
  /** The ONNX operator, its attributes, and the places of its gates among PyTorch's. */
  readonly onnx: {
    readonly operator: string;
    readonly attributes: Readonly<Record<string, number>>;
    readonly order: readonly number[];
  };
}

/** torch.nn.GRU: gates r, z, n. Its buffer holds n | r | z | n_h: see core/kernels/gru.ts. */
const GRU_CELL: Cell = {
  gates: 3,
  states: [{ final: "hidden", initial: "h0" }],
  rotate: 2,
  recurrent: 1,
  packBias: (task, args) => task.call("gruPackBias", args),
  forward: (task, { states: [h], ld, ldg, ...args }) => task.call("gruForward", { h: h!, ldh: ld, ldg, ...args }),
  backward(task, { states: [h], ld, bias: _, ...args }, [dh], lddh) {
    task.call("gruBackward", { dh: dh!, h: h!, ldh: ld, lddh, ...args });
  },
  single: (task, { states: [h], ...args }) => task.call("gruForwardSingle", { h: h!, ...args }),
  // linear_before_reset: r ⊙ (R·h + b), PyTorch's GRU, not the first paper's.
  onnx: { operator: "GRU", attributes: { linear_before_reset: 1 }, order: [1, 0, 2] },
};

/** torch.nn.LSTM: gates i, f, g, o. */
const LSTM_CELL: Cell = {
  gates: 4,
  states: [{ final: "hidden", initial: "h0" }, { final: "cell", initial: "c0" }],
  rotate: 0,
  recurrent: 0,
  packBias: (task, args) => task.call("lstmPackBias", args),
  forward(task, { states: [h, c], ld, bias: _, ...args }) {
    task.call("lstmForward", { h: h!, c: c!, ldh: ld, ldc: ld, ...args });
  },
  backward(task, { states: [, c], ld, bias: _, ...args }, [dh, dc], lddh) {
    task.call("lstmBackward", { dh: dh!, dc: dc!, c: c!, lddh, ldc: ld, ...args });
  },
  single: (task, { states: [h, c], ...args }) => task.call("lstmForwardSingle", { h: h!, c: c!, ...args }),
  onnx: { operator: "LSTM", attributes: {}, order: [0, 3, 1, 2] },
};

/** Every cell, by the name that its layers have. */
export const CELLS: Readonly<Record<CellName, Cell>> = { gru: GRU_CELL, lstm: LSTM_CELL };

/** The cell of recurrent layers. */
export type CellName = "gru" | "lstm";

/** The part of a buffer of gates from part number `part` on. */
export function gatesFrom(gates: Tensor, part: number, H: number): Tensor {
  return from(gates, part * H * LANES);
}
