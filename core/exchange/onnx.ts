/**
 * Models as ONNX files, for any program that runs those.
 *
 * @module
 */

import type { NumberInputs } from "../data/numbers.ts";
import { Pipeline, type PipelineState } from "../data/pipeline.ts";
import type { ScalingState } from "../data/scaling.ts";
import { type FullConfig, layerSuffix, resolveConfig } from "../model/config.ts";
import type { NamedArray, StateDict } from "../model/model.ts";
import { VERSION } from "../version.ts";
import { checkStateDict, type ModelFile } from "./config.ts";
import { Graph, typeNumber } from "./onnx_graph.ts";
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
 * | `tokens` | int32 [batch, time] | in its place, if the model has an embedding |
 * | `lengths` | int32 [batch] | valid steps of each sequence, from 1; more than there are stand for all |
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
    throw new RangeError(`Cannot export model: an ONNX file ends at 2 GiB, and its parameters take ${size} bytes`);
  }
  const pipeline = preprocessing === undefined || preprocessing === null
    ? undefined
    : Pipeline.from(preprocessing).toJSON();
  const { inputs, time, steps } = inputsOf(graph, config, pipeline);

  const { numLayers, hiddenSize: H, outputSize: O, bidirectional } = config,
    states = numLayers * (bidirectional ? 2 : 1);
  const given = graph.input("lengths", "int32", ["batch"], "valid steps of each sequence");
  const h0 = options.h0 && graph.input("h0", "float32", [states, "batch", H], "initial states");
  const patch = pipeline?.inputs.kind === "numbers" ? pipeline.inputs.patch : 1;
  const own = patch > 1 ? graph.op("Div", [given, graph.constant(Int32Array.of(patch))]) : given;
  // A length beyond the end would leave the attention's weights as they are, and make the GRU stop with an error.
  const lengths = graph.op("Min", [own, graph.op("Cast", [time], { to: typeNumber("int32") })]);

  const { encoded, query } = gru(graph, config, file.parameters, { inputs, lengths, h0: h0 || "" });
  attention(graph, config, file.parameters, { encoded, query, lengths, time });
  graph.output("logits", "float32", ["batch", O], "before sigmoid or softmax");
  if (loss === "bce" || loss === "crossEntropy") {
    if (loss === "bce") graph.op("Sigmoid", ["logits"], {}, ["probabilities"]);
    else graph.op("Softmax", ["logits"], { axis: 1 }, ["probabilities"]);
    graph.output("probabilities", "float32", ["batch", O], `of the logits, trained with ${loss}`);
  } else if (loss === "mse") {
    unscale(graph, pipeline?.labels.scaling ?? null);
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

/** What the model's first layer gets, (time, batch, I). */
interface Inputs {
  readonly inputs: string;
  /** Its steps, as a list of one. */
  readonly time: string;
  /** What the axis of its steps is called. */
  readonly steps: string;
}

function inputsOf(graph: Graph, config: FullConfig, pipeline?: PipelineState): Inputs {
  const { numEmbeddings, inputSize } = config;
  const kind = pipeline?.inputs.kind ?? (numEmbeddings ? "tokens" : "numbers");
  if ((kind === "tokens") !== numEmbeddings > 0) {
    throw new TypeError(`Cannot export model: its preprocessing makes ${kind}, which are not its inputs`);
  }
  let x: string, steps = "time";
  if (numEmbeddings) {
    const tokens = graph.input("tokens", "int32", ["batch", "time"], "tokens of each sequence");
    x = graph.op("Gather", [EMBEDDING, tokens]);
  } else if (pipeline?.inputs.kind === "numbers") {
    const { channels, patch, maxLength } = pipeline.inputs;
    if (channels * patch !== inputSize) {
      throw new RangeError(
        `Cannot export model: its preprocessing makes ${channels * patch} numbers per step, expected ${inputSize}`,
      );
    }
    if (patch > 1 || maxLength !== null) steps = "steps";
    x = prepare(graph, graph.input("x", "float32", ["batch", "time", channels], "raw sequences"), pipeline.inputs);
  } else {
    x = graph.input("x", "float32", ["batch", "time", inputSize], "sequences");
  }
  return {
    inputs: graph.op("Transpose", [x], { perm: [1, 0, 2] }),
    time: graph.op("Shape", [x], { start: 1, end: 2 }),
    steps,
  };
}

const EMBEDDING = "embedding.weight";

/** What the pipeline does to numbers (batch, time, channels). */
function prepare(
  graph: Graph,
  x: string,
  { channels, patch, maxLength, missing, means, scaling }: NumberInputs,
): string {
  const float64 = { to: typeNumber("float64") }, float32 = { to: typeNumber("float32") };
  if (missing === "zero" || missing === "mean") {
    const substitute = graph.constant(missing === "mean" ? Float32Array.from(means!) : new Float32Array(1));
    x = graph.op("Where", [graph.op("IsNaN", [x]), substitute, x]);
  } else if (missing === "last") {
    x = lastValues(graph, x, Float32Array.from(means!));
  }
  const slice = (end: string) => graph.op("Slice", [x, graph.constant([0]), end, graph.constant([1])]);
  if (patch > 1) {
    const time = graph.op("Shape", [x], { start: 1, end: 2 }), width = graph.constant([patch]);
    x = slice(graph.op("Mul", [graph.op("Div", [time, width]), width]));
    x = graph.op("Reshape", [x, graph.constant([0, -1, channels * patch])]);
  }
  if (maxLength !== null) x = slice(graph.constant([maxLength]));
  if (!scaling) return x;
  // In double precision, as the pipeline does: the mean may be far from 0.
  const shifted = graph.op("Sub", [graph.op("Cast", [x], float64), graph.constant(Float64Array.from(scaling.mean))]);
  const scaled = graph.op("Div", [shifted, graph.constant(Float64Array.from(scaling.scale))]);
  return graph.op("Cast", [scaled], float32);
}

/** Each missing value replaced by the last before it, or by the mean: step by step. */
function lastValues(graph: Graph, x: string, means: Float32Array): string {
  const body = new Graph("fill"), row = ["batch", means.length];
  const before = body.input("before", "float32", row), now = body.input("now", "float32", row);
  const filled = body.op("Where", [body.op("IsNaN", [now]), before, now]);
  for (const name of ["after", "filled"]) {
    body.op("Identity", [filled], {}, [name]);
    body.output(name, "float32", row);
  }
  const batch = graph.op("Shape", [x], { start: 0, end: 1 });
  const first = graph.op("Expand", [
    graph.constant(means),
    graph.op("Concat", [batch, graph.constant([1])], { axis: 0 }),
  ]);
  const axes = { scan_input_axes: [1], scan_output_axes: [1] };
  graph.op("Scan", [first, x], { body, num_scan_inputs: 1, ...axes }, ["fill/last", "fill/all"]);
  return "fill/all";
}

/** The logits of "regression" as values in the data's units. */
function unscale(graph: Graph, scaling: ScalingState | null): void {
  if (!scaling) {
    graph.op("Identity", ["logits"], {}, ["values"]);
    return;
  }
  const exact = graph.op("Cast", ["logits"], { to: typeNumber("float64") });
  const scaled = graph.op("Mul", [exact, graph.constant(Float64Array.from(scaling.scale))]);
  const values = graph.op("Add", [scaled, graph.constant(Float64Array.from(scaling.mean))]);
  graph.op("Cast", [values], { to: typeNumber("float32") }, ["values"]);
}

/** All layers: the last one's outputs (time, batch, D), and its final states (batch, D). */
function gru(
  graph: Graph,
  config: FullConfig,
  parameters: StateDict,
  { inputs, lengths, h0 }: { inputs: string; lengths: string; h0: string },
): { encoded: string; query: string } {
  const { numLayers, hiddenSize: H, inputSize: I, bidirectional, bias, numEmbeddings } = config;
  const directions = bidirectional ? [0, 1] : [0], D = H * directions.length;
  if (numEmbeddings) graph.constant(parameters[EMBEDDING]!.data, [numEmbeddings, I], EMBEDDING);
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
  // Steps behind a sequence's length count nothing: (time, 1) < (batch).
  const [zero, one] = [graph.constant(Int32Array.of(0), []), graph.constant(Int32Array.of(1), [])];
  const end = graph.op("Squeeze", [graph.op("Cast", [time], { to: typeNumber("int32") }), first]);
  const steps = graph.op("Unsqueeze", [graph.op("Range", [zero, end, one]), graph.constant([1])]);
  const masked = graph.op("Where", [
    graph.op("Less", [steps, lengths]),
    scores,
    graph.constant(Float32Array.of(-Infinity)),
  ]);
  const weights = graph.op("Softmax", [masked], { axis: 0 });
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
