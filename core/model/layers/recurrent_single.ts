import { from } from "../../device/arena.ts";
import type { Tensor } from "../../device/kernels.ts";
import { fail } from "../../errors.ts";
import type { Cell } from "./cells.ts";
import type { Node } from "./node.ts";
import { each, type FullOptions, suffixOf } from "./recurrent_options.ts";
import { type Columns, newSingle, pad4, type SingleLayer, singleProduct, type SingleStore } from "./single.ts";

/** One sequence by itself. Initial states are 0. */
export function single(
  cell: Cell,
  { name, options, uses }: Node<FullOptions>,
  store: SingleStore,
  below: readonly number[],
): SingleLayer {
  const { hiddenSize: H, bidirectional, bias } = options, Hp = pad4(H), parts = bidirectional ? [H, H] : [H];
  const layers = each(options, (layer, direction): { input: Columns; hidden: Columns; bias: Tensor } => {
    const full = (what: string) => `${name}.${what}${suffixOf(layer, direction)}`, rowParts = cell.gates;
    const sums = store.arena.allocate(4 * H), padded = store.arena.allocate(4 * Hp);
    if (bias) {
      const [biasIh, biasHh] = [store.valuesOf(full("bias_ih")), store.valuesOf(full("bias_hh"))];
      cell.packBias(store.pack, { bias: sums, biasIh, biasHh, H });
      store.pack.call("packParts", { dst: padded, src: sums, parts: 4, n: H, rotate: 0 });
    }
    return {
      input: store.columns(full("weight_ih"), layer ? parts : below, { rowParts, rotate: cell.rotate }),
      hidden: store.columns(full("weight_hh"), [H], { rowParts }),
      bias: padded,
    };
  });
  // Final states of all layers, which decoders alone read.
  const finals = cell.states.map(({ final }, s) => ({ final, s })).filter(({ final }) => uses(`${name}.${final}`));
  const all = layers.flatMap(() => parts);
  return {
    parts: { output: parts, state: parts, ...Object.fromEntries(finals.map(({ final }) => [final, all])) },
    over(plan, { input }) {
      const { T, arena, task, stream } = plan, Dp = Hp * parts.length, gates = arena.allocate(T * 4 * Hp);
      if (stream && bidirectional) {
        throw fail("wiring", "predict a stream", `layer "${name}" is bidirectional: it needs the steps to come`, {
          name,
        });
      }
      const last = Object.fromEntries(finals.map(({ final }) => [final, newSingle(plan, "rows", all)]));
      /** A layer's final states: of the second direction, those of the first step. */
      const end = (dst: Tensor, states: Tensor) =>
        parts.forEach((_, d) => {
          const src = from(states, (d ? 1 : T) * Dp + d * Hp);
          task.call("copyVector", { dst: from(dst, d * Hp), src, n: Hp });
        });
      let x = input!, top!: Tensor;
      for (const [l, layer] of layers.entries()) {
        const states = cell.states.map(() => arena.allocate((T + 2) * Dp));
        for (const dst of states) {
          if (!stream) task.call("clear", { dst, n: Dp });
          task.call("clear", { dst: from(dst, (T + 1) * Dp), n: Dp });
        }
        layer.forEach(({ input, hidden, bias }, reverse) => {
          singleProduct(plan, gates, x, input, { bias, rows: T, ldy: 4 * Hp });
          const own = states.map((dst) => from(dst, reverse * Hp));
          cell.single(task, { states: own, gates, columns: hidden.columns, bias, T, Hp, ldh: Dp, reverse });
        });
        for (const { final, s } of finals) end(from(last[final]!.data, l * Dp), states[s]!);
        top = states[0]!;
        x = { kind: "steps", data: from(top, Dp), parts, ld: Dp, K: Dp };
        for (const dst of stream ? states : []) {
          task.call("copyVector", { dst, src: from(dst, Dp), n: Dp });
          stream!.keep(from(dst, 0, Dp));
        }
      }
      const state = newSingle(plan, "rows", parts);
      end(state.data, top);
      return { output: x, state, ...last };
    },
  };
}
