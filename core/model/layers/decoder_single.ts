/** A decoder over one source by itself: what it begins with, and then one step of it, as a program of its own. */

import { from } from "../../device/arena.ts";
import type { Tensor } from "../../device/kernels.ts";
import { CELLS } from "./cells.ts";
import { type FullDecoderOptions, sizesOf } from "./decoder_options.ts";
import { besideName, type Node } from "./node.ts";
import {
  newSingle,
  pad4,
  paddedWidth,
  type SingleLayer,
  type SinglePlan,
  singleProduct,
  type SingleStore,
  type SingleValue,
} from "./single.ts";

/** tanh, as core/kernels/elementwise.ts numbers it. */
const TANH = 0;

/** The ports of a decoder's states before a step, of all layers those of the first kind first. */
export function statePorts({ options: { cell, numLayers } }: Node<FullDecoderOptions>): string[] {
  return CELLS[cell].states.flatMap((_, s) => Array.from({ length: numLayers }, (_, l) => `before${s}_${l}`));
}

/**
 * The layer over one source. Its first program asks the keys what they answer and puts the first states in their places; the
 * second takes a step from the states before it and what it is fed, in the order of decoder_pass.ts.
 *
 * Its ports: "output"; "fed", of E numbers; "weights"; "table", a row for each token; and `statePorts`: the states before a step,
 * those after it each `pad4(H)` numbers behind.
 */
export function decoderSingle(
  node: Node<FullDecoderOptions>,
  store: SingleStore,
  given: Readonly<Record<string, readonly number[]>>,
): SingleLayer {
  const { name, options: { numLayers: L, cell: cellName, bias, tied } } = node, cell = CELLS[cellName];
  const { H, E, O, A, tokens } = sizesOf(node), Hp = pad4(H), Ap = pad4(A), keyParts = given.keys!;
  const beside = (what: string) => besideName(name, what), own = (what: string) => `${name}.${cellName}.${what}`;
  const read = [H, ...keyParts, E], table = `${name}.embedding.weight`, rowParts = cell.gates, { rotate } = cell;
  const asks = store.columns(beside("attention.attn.weight"), [H]), query = store.vector(beside("attention.attn.bias"));
  const answers = store.columns(beside("attention.attn.weight"), keyParts, { skip: H });
  const v = store.vector(beside("attention.v.weight")), none = store.arena.allocate(Ap);
  const context = store.columns(own("weight_ih_l0"), keyParts, { rowParts, rotate, skip: E });
  const cells = Array.from({ length: L }, (_, l) => {
    const sums = store.arena.allocate(4 * H), padded = store.arena.allocate(4 * Hp);
    if (bias) {
      const [biasIh, biasHh] = ["bias_ih", "bias_hh"].map((what) => store.valuesOf(own(`${what}_l${l}`)));
      cell.packBias(store.pack, { bias: sums, biasIh: biasIh!, biasHh: biasHh!, H });
      store.pack.call("packParts", { dst: padded, src: sums, parts: 4, n: H, rotate: 0 });
    }
    return {
      input: store.columns(own(`weight_ih_l${l}`), [l ? H : E], { rowParts, rotate }),
      hidden: store.columns(own(`weight_hh_l${l}`), [H], { rowParts }),
      bias: padded,
    };
  });
  const rows = tokens ? store.vector(table, O) : undefined;
  const projection = tied
    ? { weight: store.columns(beside("projection.weight"), read), bias: store.vector(beside("projection.bias")) }
    : undefined;
  const fc = {
    weight: store.columns(tied ? table : beside("fc.weight"), tied ? [E] : read),
    bias: store.vector(beside("fc.bias")),
  };

  return {
    parts: { output: [O] },
    over(plan, { keys, state, cell: cellState }) {
      const { T, arena } = plan,
        row = (data: Tensor, n: number): SingleValue => ({ kind: "rows", data, parts: [n], ld: n, K: n });
      const one = (parts: readonly number[]) => newSingle(plan, "rows", parts);
      const answered = arena.allocate(T * Ap), asked = arena.allocate(Ap), weights = arena.allocate(pad4(T));
      // Of each layer and state what it was and what it becomes; behind the last hidden state, what the readout reads besides.
      const states = cell.states.map((_, s) =>
        cells.map((_, l) => arena.allocate((s || l < L - 1 ? 0 : paddedWidth(read) - Hp) + 2 * Hp))
      );
      const top = states[0]![L - 1]!, readout = row(from(top, Hp), paddedWidth(read));
      const found = row(from(readout.data, Hp), keys!.ld), fed = row(from(found.data, paddedWidth(keyParts)), pad4(E));
      const gates = arena.allocate(4 * Hp), output = one([O]);

      singleProduct(plan, answered, keys!, answers, { bias: none, rows: T, ldy: Ap });
      states.forEach((all, s) => begin(plan, all, s ? cellState : state, H));

      plan.part!();
      singleProduct(plan, asked, row(top, Hp), asks, { bias: query, rows: 1, ldy: Ap });
      plan.task.call("attentionForwardSingle", {
        context: found.data,
        weights,
        hidden: answered,
        answers: answered,
        encoded: keys!.data,
        query: asked,
        v,
        T,
        Dp: paddedWidth(keyParts),
        Ap,
        ldo: keys!.ld,
      });
      cells.forEach(({ input, hidden, bias }, l) => {
        const below = l ? row(from(states[0]![l - 1]!, Hp), Hp) : fed, args = { rows: 1, ldy: 4 * Hp };
        singleProduct(plan, gates, below, input, { bias, ...args });
        if (!l) singleProduct(plan, gates, { ...found, K: paddedWidth(keyParts) }, context, { bias: gates, ...args });
        const own = states.map((all) => all[l]!);
        cell.single(plan.task, { states: own, gates, columns: hidden.columns, bias, T: 1, Hp, ldh: Hp, reverse: 0 });
      });
      let said = readout;
      if (projection) {
        const y = said = one([E]), args = { rows: 1, F: E, ldy: y.ld, ldx: y.ld, which: TANH };
        singleProduct(plan, y.data, readout, projection.weight, { bias: projection.bias, rows: 1, ldy: y.ld });
        plan.task.call("elementwiseSingle", { y: y.data, x: y.data, ...args });
      }
      singleProduct(plan, output.data, said, fc.weight, { bias: fc.bias, rows: 1, ldy: output.ld });
      const ports = statePorts(node).map((port, i) => [port, row(states[Math.floor(i / L)]![i % L]!, Hp)]);
      return {
        output,
        fed,
        weights: { kind: "weights", data: weights, parts: [1], ld: 1, K: 1 },
        ...rows && { table: row(rows, pad4(E)) },
        ...Object.fromEntries(ports),
      };
    },
  };
}

/** Puts the first states in their places, H numbers each of the parts of a row; without one they are 0. */
function begin({ task }: SinglePlan, states: readonly Tensor[], given: SingleValue | undefined, H: number): void {
  for (const dst of states) task.call("clear", { dst, n: H });
  let at = 0, place = 0;
  for (const part of given?.parts ?? []) {
    for (let i = 0; i < part;) {
      const l = Math.floor(at / H), n = Math.min(part - i, H - at % H);
      task.call("copyVector", { dst: from(states[l]!, at % H), src: from(given!.data, place + i), n });
      at += n, i += n;
    }
    place += pad4(part);
  }
}
