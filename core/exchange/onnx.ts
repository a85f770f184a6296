/**
 * Models as ONNX files, for any program that runs those.
 *
 * @module
 */

import { fail } from "../errors.ts";
import { type FullConfig, layerSuffix, resolveConfig } from "../model/config.ts";
import type { NamedArray, StateDict } from "../model/model.ts";
import { VERSION } from "../version.ts";
import { checkStateDict, type ModelFile } from "./config.ts";
import { graphInputs } from "./onnx_data.ts";
import { Graph } from "./onnx_graph.ts";
import { message } from "./protobuf.ts";

/** Version of the operators, and of the format: read by ONNX Runtime since 1.12 of 2022. */
const OPSET = 17, FORMAT = 8;

/** Protocol buffers end at 2 GiB. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * A model as an ONNX file: operator set 17, with the axes "batch" and "time" of any length.
 *
 * | input | type and shape | |
 * |---|---|---|
 * | `x` | float32 [batch, time, I] | with a pipeline of numbers the raw ones, steps and channels as in the data, NaN where one is missing |
 * | `x` | float64 [batch, time, columns] | with a forecast pipeline: raw rows of the targets, then of the other features; the last count |
 * | `tokens` | int32 [batch, time] | in its place, if the model has an embedding |
 * | `lengths` | int32 [batch] | valid steps of each sequence, from 1; more than there are stand for all; none for forecasts |
 * | `h0` | float32 [layers·directions, batch, H] | initial states, if asked for; else they are 0 |
 *
 * | output | type and shape | |
 * |---|---|---|
 * | `logits` | float32 [batch, O] | |
 * | `probabilities` | float32 [batch, O] | of the logits, if the loss is "bce" (sigmoid) or "crossEntropy" (softmax) |
 * | `values` | float32 [batch, O] | in the data's units, if the loss is "mse" |
 * | `attention_weights` | float32 [batch, steps] | 0 behind a sequence's length; `steps` are those after patching |
 *
 * What stands behind a sequence's length does not matter. Its metadata hold the config, the loss, the preprocessing and
 * the labels as JSON, under "grutto".
 *
 * @param file The model: see `modelFile`. Of its preprocessing, that of numbers goes into the graph: missing values,
 * patches, scale; text must be made tokens before.
 * @param options `h0`: whether initial states are an input. Default false.
 * @throws {TypeError | RangeError} If parameters or preprocessing do not fit the config, or the file would be 2 GiB or more.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, exportOnnx, modelFile } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2 });
 * const bytes = exportOnnx(await modelFile(model, { loss: "bce" }));
 * assert.ok(bytes.length > 4 * 752);
 * ```
 */
export function exportOnnx(file: ModelFile, options: { h0?: boolean } = {}): Uint8Array<ArrayBuffer> {
  checkStateDict(file.parameters, file.config);
  const config = resolveConfig(file.config), graph = new Graph("grutto"), { loss, preprocessing } = file;
  const size = Object.values(file.parameters).reduce((sum, { data }) => sum + data.byteLength, 0);
  if (size + 2 ** 20 > MOST_BYTES) {
    throw fail("file-too-large", "export model", `an ONNX file ends at 2 GiB, and its parameters take ${size} bytes`);
  }
  const { numLayers, hiddenSize: H, inputSize: I, outputSize: O, bidirectional, numEmbeddings } = config;
  const { x, steps, patch, values } = graphInputs(graph, config, preprocessing);
  const embedding = numEmbeddings && graph.constant(file.parameters[EMBEDDING]!.data, [numEmbeddings, I], EMBEDDING);
  const embedded = embedding ? graph.op("Gather", [embedding, x]) : x;
  const inputs = graph.op("Transpose", [embedded], { perm: [1, 0, 2] });
  const time = graph.op("Shape", [x], { start: 1, end: 2 });

  const states = numLayers * (bidirectional ? 2 : 1);
  let lengths = patch ? graph.input("lengths", "int32", ["batch"], "valid steps of each sequence") : "";
  if (patch > 1) lengths = graph.op("Div", [lengths, graph.constant(Int32Array.of(patch))]);
  // More steps than there are would make the GRU stop with an error.
  if (lengths) lengths = graph.op("Min", [lengths, graph.cast(time, "int32")]);
  const h0 = options.h0 && graph.input("h0", "float32", [states, "batch", H], "initial states");

  const { encoded, query } = gru(graph, config, file.parameters, { inputs, lengths, h0: h0 || "" });
  attention(graph, config, file.parameters, { encoded, query, lengths, time });
  graph.output("logits", "float32", ["batch", O], "before sigmoid or softmax");
  if (loss === "bce" || loss === "crossEntropy") {
    if (loss === "bce") graph.op("Sigmoid", ["logits"], {}, ["probabilities"]);
    else graph.op("Softmax", ["logits"], { axis: 1 }, ["probabilities"]);
    graph.output("probabilities", "float32", ["batch", O], `of the logits, trained with ${loss}`);
  } else if (loss === "mse") {
    values();
    graph.output("values", "float32", ["batch", O], "in the data's units");
  }
  graph.output("attention_weights", "float32", ["batch", steps], "how much each step counts");
  return message([
    [1, FORMAT],
    [2, "grutto"],
    [3, VERSION],
    [7, graph.fields()],
    [8, [[1, ""], [2, OPSET]]],
    [14, [[1, "grutto"], [2, JSON.stringify({ config, loss, preprocessing })]]],
  ]);
}

const EMBEDDING = "embedding.weight";

/** All layers: the last one's outputs (time, batch, D), and its final states (batch, D). */
function gru(
  graph: Graph,
  config: FullConfig,
  parameters: StateDict,
  { inputs, lengths, h0 }: { inputs: string; lengths: string; h0: string },
): { encoded: string; query: string } {
  const { numLayers, hiddenSize: H, inputSize: I, bidirectional, bias } = config;
  const directions = bidirectional ? [0, 1] : [0], D = H * directions.length;
  let encoded = inputs, query = "";
  for (let layer = 0; layer < numLayers; layer++) {
    const stacked = (names: readonly string[], shape: readonly number[]) =>
      graph.constant(
        join(directions.flatMap((d) => names.map((name) => gates(parameters[`gru.${name}${layerSuffix(layer, d)}`]!)))),
        [directions.length, ...shape],
      );
    const W = stacked(["weight_ih"], [3 * H, layer ? D : I]), R = stacked(["weight_hh"], [3 * H, H]);
    const B = bias ? stacked(["bias_ih", "bias_hh"], [6 * H]) : "";
    const start = layer * directions.length, rows = [start, start + directions.length];
    const initial = h0 && graph.op("Slice", [h0, ...rows.map((row) => graph.constant([row])), graph.constant([0])]);
    const outputs = `gru_l${layer}`, last = `gru_l${layer}_last`;
    graph.op("GRU", [encoded, W, R, B, lengths, initial], {
      hidden_size: H,
      // r ⊙ (R·h + b): PyTorch's GRU, not the first paper's.
      linear_before_reset: 1,
      direction: bidirectional ? "bidirectional" : "forward",
    }, [outputs, last]);
    encoded = sideBySide(graph, outputs, 1, config);
    query = last;
  }
  return { encoded, query: sideBySide(graph, query, 0, config) };
}

/** Directions side by side: (…, directions, batch, H) → (…, batch, D); the axis is that of the directions. */
function sideBySide(graph: Graph, x: string, axis: 0 | 1, { hiddenSize: H, bidirectional }: FullConfig): string {
  if (!bidirectional) return graph.op("Squeeze", [x, graph.constant([axis])]);
  const turned = graph.op("Transpose", [x], { perm: axis ? [0, 2, 1, 3] : [1, 0, 2] });
  return graph.op("Reshape", [turned, graph.constant([...axis ? [0] : [], 0, 2 * H])]);
}

/** Attention and output: "logits" (batch, O) and "attention_weights" (batch, time). */
function attention(
  graph: Graph,
  { hiddenSize, outputSize: O, bidirectional }: FullConfig,
  parameters: StateDict,
  { encoded, query, lengths, time }: { encoded: string; query: string; lengths: string; time: string },
): void {
  const D = hiddenSize * (bidirectional ? 2 : 1), [first, third] = [graph.constant([0]), graph.constant([2])];
  const weight = parameters["attention.attn.weight"]!,
    get = (name: string, shape: number[]) => graph.constant(parameters[name]!.data, shape);
  const asked = graph.op("Gemm", [
    query,
    graph.constant(turned(weight, 0, D), [D, D]),
    get("attention.attn.bias", [D]),
  ]);
  const answers = graph.op("MatMul", [encoded, graph.constant(turned(weight, D, 2 * D), [D, D])]);
  const hidden = graph.op("Tanh", [graph.op("Add", [answers, asked])]);
  const scores = graph.op("Squeeze", [graph.op("MatMul", [hidden, get("attention.v.weight", [D, 1])]), third]);
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
  const weighted = graph.op("Mul", [encoded, graph.op("Unsqueeze", [weights, third])]);
  const context = graph.op("ReduceSum", [weighted, first], { keepdims: 0 });
  graph.op("Gemm", [context, get("fc.weight", [O, D]), get("fc.bias", [O])], { transB: 1 }, ["logits"]);
  graph.op("Transpose", [weights], { perm: [1, 0] }, ["attention_weights"]);
}

/** PyTorch's gate order r, z, n to ONNX's z, r, n. */
function gates({ data }: NamedArray): Float32Array {
  const third = data.length / 3;
  return join([data.subarray(third, 2 * third), data.subarray(0, third), data.subarray(2 * third)]);
}

function join(parts: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** Columns `from` to `to` of a matrix, transposed. */
function turned({ shape, data }: NamedArray, from: number, to: number): Float32Array {
  const [M, K] = shape as [number, number], result = new Float32Array((to - from) * M);
  for (let k = from; k < to; k++) for (let m = 0; m < M; m++) result[(k - from) * M + m] = data[m * K + k]!;
  return result;
}
