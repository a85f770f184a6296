import type { Cell } from "./cells.ts";
import type { Node } from "./node.ts";
import { join, type OnnxContext } from "./onnx.ts";
import { type FullOptions, suffixOf } from "./recurrent_options.ts";

/** ONNX's operator for each layer, both directions at once. */
export function onnx(cell: Cell, context: OnnxContext, { name, options, inputs }: Node<FullOptions>, input: string) {
  const { graph, lengths, parameter, given } = context, { operator, attributes, order } = cell.onnx;
  const { hiddenSize: H, numLayers, bidirectional, bias } = options, directions = bidirectional ? [0, 1] : [0];
  const rows = cell.gates * H, D = H * directions.length;
  /** PyTorch's gates in ONNX's order. */
  const gates = (full: string) => {
    const { data } = parameter(full), size = data.length / cell.gates;
    return join(order.map((gate) => data.subarray(gate * size, (gate + 1) * size)));
  };
  /** Directions side by side: (…, directions, batch, H) → (…, batch, D); the axis is that of the directions. */
  const sideBySide = (x: string, axis: 0 | 1) => {
    if (!bidirectional) return graph.op("Squeeze", [x, graph.constant([axis])]);
    const transposed = graph.op("Transpose", [x], { perm: axis ? [0, 2, 1, 3] : [1, 0, 2] });
    return graph.op("Reshape", [transposed, graph.constant([...axis ? [0] : [], 0, D])]);
  };
  let output = input, state = "";
  const finals: string[][] = cell.states.map(() => []);
  for (let layer = 0; layer < numLayers; layer++) {
    const stacked = (names: readonly string[], shape: readonly number[]) =>
      graph.constant(
        join(directions.flatMap((d) => names.map((what) => gates(`${name}.${what}${suffixOf(layer, d)}`)))),
        [directions.length, ...shape],
      );
    const W = stacked(["weight_ih"], [rows, layer ? D : inputs.input!.size]), R = stacked(["weight_hh"], [rows, H]);
    const B = bias ? stacked(["bias_ih", "bias_hh"], [2 * rows]) : "", start = layer * directions.length;
    const initial = cell.states.map(({ initial }) => {
      const all = given(`${name}.${initial}`), ends = [start, start + directions.length];
      return all && graph.op("Slice", [all, ...ends.map((row) => graph.constant([row])), graph.constant([0])]);
    });
    const last = cell.states.map((_, s) => `${name}_l${layer}_last${s || ""}`), outputs = `${name}_l${layer}`;
    graph.op(operator, [output, W, R, B, lengths, ...initial], {
      hidden_size: H,
      ...attributes,
      direction: bidirectional ? "bidirectional" : "forward",
    }, [outputs, ...last]);
    last.forEach((name, s) => finals[s]!.push(name));
    output = sideBySide(outputs, 1);
    state = last[0]!;
  }
  const all = cell.states.map(({ final }, s) => [final, finals[s]!] as const);
  return {
    output,
    get state() {
      return sideBySide(state, 0);
    },
    ...lazily(all, (layers) => layers.length > 1 ? graph.op("Concat", layers, { axis: 0 }) : layers[0]!),
  };
}

/** Properties that are made when they are first asked for. */
function lazily<V>(entries: readonly (readonly [string, V])[], make: (value: V) => string): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of entries) {
    Object.defineProperty(result, name, { get: () => make(value), enumerable: true });
  }
  return result;
}
