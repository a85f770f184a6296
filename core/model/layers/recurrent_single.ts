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
  { name, options }: Node<FullOptions>,
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
  return {
    parts: { output: parts, state: parts },
    over(plan, { input }) {
      const { T, arena, task, stream } = plan, Dp = Hp * parts.length, gates = arena.allocate(T * 4 * Hp);
      if (stream && bidirectional) {
        throw fail("wiring", "predict a stream", `layer "${name}" is bidirectional: it needs the steps to come`, {
          name,
        });
      }
      let x = input!;
      for (const layer of layers) {
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
        x = { kind: "steps", data: from(states[0]!, Dp), parts, ld: Dp, K: Dp };
        for (const dst of stream ? states : []) {
          task.call("copyVector", { dst, src: from(dst, Dp), n: Dp });
          stream!.keep(from(dst, 0, Dp));
        }
      }
      const state = newSingle(plan, "rows", parts);
      parts.forEach((_, d) => {
        const src = from(x.data, (d ? 0 : T - 1) * Dp + d * Hp);
        task.call("copyVector", { dst: from(state.data, d * Hp), src, n: Hp });
      });
      return { output: x, state };
    },
  };
}
