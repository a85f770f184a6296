/** Every kind of layer as ONNX operators: what alone writes such files. */

import type { AttentionOptions } from "./attention.ts";
import { CELLS } from "./cells.ts";
import type { ELEMENTWISE } from "./elementwise.ts";
import { maskedOnnx, type OnnxContext, type OnnxLayer, transposedColumns } from "./onnx.ts";
import type { LayerNormOptions } from "./layer_norm.ts";
import type { LinearOptions } from "./linear.ts";
import type { Pooling } from "./pooling.ts";
import { onnx } from "./recurrent_onnx.ts";
import type { FullOptions } from "./recurrent_options.ts";

type Options = Record<string, unknown>;

/** What comes in, and what dropout leaves in use. */
const AS_IT_IS: OnnxLayer<Options> = (_context, _node, { input }) => ({ output: input! });

const EMBEDDING: OnnxLayer<Options> = (context, { name }, { input }) => {
  const { graph, parameter } = context;
  const { shape, data } = parameter(`${name}.weight`), weight = `${name}.weight`;
  const rows = graph.op("Gather", [graph.constant(data, shape, weight), input!]);
  // Values of steps have time first.
  return { output: maskedOnnx(context, graph.op("Transpose", [rows], { perm: [1, 0, 2] })) };
};

/** One of the recurrent layers. */
function recurrent(cell: keyof typeof CELLS): OnnxLayer<FullOptions> {
  return (context, node, { input }) => onnx(CELLS[cell], context, node, input!);
}

const ATTENTION: OnnxLayer<AttentionOptions> = (
  { graph, parameter, lengths, time },
  { name, inputs, options },
  { query, keys },
) => {
  const Q = inputs.query!.size, D = inputs.keys!.size, { size: A = D } = options;
  const [first, third] = [graph.constant([0]), graph.constant([2])];
  const weight = parameter(`${name}.attn.weight`);
  const get = (what: string, shape: number[]) => graph.constant(parameter(`${name}.${what}`).data, shape);
  const asked = graph.op("Gemm", [
    query!,
    graph.constant(transposedColumns(weight, 0, Q), [Q, A]),
    get("attn.bias", [A]),
  ]);
  const answers = graph.op("MatMul", [keys!, graph.constant(transposedColumns(weight, Q, Q + D), [D, A])]);
  const hidden = graph.op("Tanh", [graph.op("Add", [answers, asked])]);
  const scores = graph.op("Squeeze", [graph.op("MatMul", [hidden, get("v.weight", [A, 1])]), third]);
  let counted = scores;
  if (lengths) {
    // Steps behind a sequence's length count nothing: (time, 1) < (batch).
    const [zero, one] = [graph.constant(Int32Array.of(0), []), graph.constant(Int32Array.of(1), [])];
    const end = graph.op("Squeeze", [graph.cast(time, "int32"), first]);
    const steps = graph.op("Unsqueeze", [graph.op("Range", [zero, end, one]), graph.constant([1])]);
    const valid = graph.op("Less", [steps, lengths]), nothing = graph.constant(Float32Array.of(-Infinity));
    counted = graph.op("Where", [valid, scores, nothing]);
  }
  const weights = graph.op("Softmax", [counted], { axis: 0 });
  const weighted = graph.op("Mul", [keys!, graph.op("Unsqueeze", [weights, third])]);
  return {
    context: graph.op("ReduceSum", [weighted, first], { keepdims: 0 }),
    get weights() {
      return graph.op("Transpose", [weights], { perm: [1, 0] });
    },
  };
};

const LINEAR: OnnxLayer<LinearOptions> = (context, { name, inputs, options: { outFeatures: O, bias } }, { input }) => {
  const { graph, parameter } = context, { kind, size: F } = inputs.input!, weight = parameter(`${name}.weight`);
  const constant = () => graph.constant(parameter(`${name}.bias`).data, [O]);
  if (kind === "rows") {
    const matrix = graph.constant(weight.data, [O, F]), operands = [input!, matrix, ...bias ? [constant()] : []];
    return { output: graph.op("Gemm", operands, { transB: 1 }) };
  }
  const products = graph.op("MatMul", [input!, graph.constant(transposedColumns(weight, 0, F), [F, O])]);
  return { output: maskedOnnx(context, bias ? graph.op("Add", [products, constant()]) : products) };
};

const LAYER_NORM: OnnxLayer<LayerNormOptions> = (
  context,
  { name, inputs, options: { eps, elementwiseAffine } },
  { input },
) => {
  const { graph, parameter } = context, { kind, size: F } = inputs.input!, axis = kind === "rows" ? 1 : 2;
  const ones = new Float32Array(F).fill(1);
  const of = (what: string) => graph.constant(elementwiseAffine ? parameter(`${name}.${what}`).data : ones, [F]);
  const operands = [input!, of("weight"), ...elementwiseAffine ? [of("bias")] : []];
  const normed = graph.op("LayerNormalization", operands, { axis, epsilon: { float: eps! } });
  return { output: kind === "steps" ? maskedOnnx(context, normed) : normed };
};

/** A function of each number. */
function elementwise(operator: typeof ELEMENTWISE[number]): OnnxLayer<Options> {
  return (context, { inputs }, { input }) => {
    const y = context.graph.op(operator, [input!]);
    return { output: inputs.input!.kind === "steps" ? maskedOnnx(context, y) : y };
  };
}

const CONCAT: OnnxLayer<Options> = ({ graph }, { inputs }, values) => ({
  output: graph.op("Concat", Object.values(values), { axis: Object.values(inputs)[0]!.kind === "rows" ? 1 : 2 }),
});

/** A way to make one row of all steps. */
function pooling(way: Pooling): OnnxLayer<Options> {
  return (context, _node, { input }) => ({ output: pooled(way, context, input!) });
}

function pooled(way: Pooling, { graph, lengths, time, valid }: OnnxContext, x: string): string {
  const mask = valid(), fill = (value: number) => graph.constant(Float32Array.of(value));
  if (way === "max") {
    return graph.op("ReduceMax", [mask ? graph.op("Where", [mask, x, fill(-Infinity)]) : x], {
      axes: [0],
      keepdims: 0,
    });
  }
  if (way === "mean") {
    if (!mask) return graph.op("ReduceMean", [x], { axes: [0], keepdims: 0 });
    const sum = graph.op("ReduceSum", [graph.op("Where", [mask, x, fill(0)]), graph.constant([0])], { keepdims: 0 });
    return graph.op("Div", [sum, graph.op("Unsqueeze", [graph.cast(lengths, "float32"), graph.constant([1])])]);
  }
  if (!lengths) {
    const last = graph.op("Sub", [time, graph.constant([1])]);
    return graph.op("Squeeze", [graph.op("Gather", [x, last], { axis: 0 }), graph.constant([0])]);
  }
  // (time, batch, F) at time lengths − 1, one for each row of the batch.
  const end = graph.op("Sub", [graph.cast(lengths, "int64"), graph.constant([1])]);
  const at = graph.op("Unsqueeze", [end, graph.constant([1])]);
  return graph.op("GatherND", [graph.op("Transpose", [x], { perm: [1, 0, 2] }), at], { batch_dims: 1 });
}

/** Every kind of layer that becomes operators, by the name it has in files. */
// deno-lint-ignore no-explicit-any -- each row has options of its own
export const ONNX_LAYERS: { readonly [type: string]: OnnxLayer<any> | undefined } = {
  numbers: AS_IT_IS,
  vector: AS_IT_IS,
  tokens: AS_IT_IS,
  embedding: EMBEDDING,
  gru: recurrent("gru"),
  lstm: recurrent("lstm"),
  attention: ATTENTION,
  linear: LINEAR,
  dropout: AS_IT_IS,
  layerNorm: LAYER_NORM,
  last: pooling("last"),
  mean: pooling("mean"),
  max: pooling("max"),
  concat: CONCAT,
  tanh: elementwise("Tanh"),
  relu: elementwise("Relu"),
  sigmoid: elementwise("Sigmoid"),
};
