/**
 * Models as ONNX files, for any program that runs those.
 *
 * @module
 */

import { checkArgument, fail } from "../errors.ts";
import { ownOptions } from "../options.ts";
import { networkOf, resolveConfig } from "../model/config.ts";
import { INPUT_LAYERS, layerType } from "../model/layers/mod.ts";
import type { OnnxContext } from "../model/layers/onnx.ts";
import { ONNX_LAYERS } from "../model/layers/onnx_layers.ts";
import { type Loss, LOSSES } from "../model/losses.ts";
import { requireAll, type ResolvedNetwork, resolveNetwork } from "../model/network.ts";
import { VERSION } from "../version.ts";
import { checkModelFile, type ModelFile } from "./config.ts";
import { graphInputs } from "./onnx_data.ts";
import { type Dimensions, Graph } from "./onnx_graph.ts";
import { asJson, joined } from "./numbers.ts";
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
 * | `probabilities` | float32 [batch, O] | of the logits: sigmoid if the loss is "bce" or "binaryFocal", softmax if "crossEntropy" or "focal" |
 * | `values` | float32 [batch, O] | in the data's units, for every other loss; of "quantile" those of a target side by side |
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
  return joined(onnxParts(file, options));
}

/** The bytes of {@linkcode exportOnnx}, one array after the other; those of the parameters are not copied. */
export function onnxParts(file: ModelFile, options: { h0?: boolean } = {}): Uint8Array[] {
  checkArgument(ACTION, "file", file, ["parameters"]);
  const { h0 = false } = ownOptions(ACTION, options, { h0: true });
  checkModelFile(file);
  const { parameters } = file,
    size = Object.values(parameters).reduce((n, { data }) => n + data.byteLength, 0);
  if (size + 2 ** 20 > MOST_BYTES) {
    throw fail(
      "file-too-large",
      ACTION,
      `an ONNX file ends at 2 GiB, and its parameters take ${size} bytes`,
      { value: size },
    );
  }
  const graph = new Graph("grutto"), resolved = resolveNetwork(networkOf(file));
  const network = new NetworkGraph(graph, file, resolved);
  network.inputs(h0);
  network.layers();
  network.outputs();
  return graphParts(graph, file);
}

/** A graph as a file with what the model is in its metadata. */
export function graphFile(graph: Graph, file: ModelFile): Uint8Array<ArrayBuffer> {
  return joined(graphParts(graph, file));
}

function graphParts(graph: Graph, { config, network: own, loss, meanings, preprocessing }: ModelFile): Uint8Array[] {
  return message([
    [1, FORMAT],
    [2, "grutto"],
    [3, VERSION],
    [7, graph.fields()],
    [8, [[1, ""], [2, OPSET]]],
    [14, [[1, "grutto"], [2, asJson(ACTION, { config, network: own, loss, meanings, preprocessing })]]],
  ]);
}

/** What fails where a model cannot be a file. */
export const ACTION = "export model";

/** A network as operators: what comes in, its layers, what goes out. */
export class NetworkGraph {
  readonly #graph: Graph;
  readonly #file: ModelFile;
  readonly #resolved: ResolvedNetwork;
  /** Tensors by "layer.port". */
  readonly #values = new Map<string, string>();
  /** Initial states, by "layer.name". */
  readonly #states = new Map<string, string>();
  #lengths = "";
  #time = "";
  #valid: string | undefined;
  #steps = "time";
  /** Adds the values in the data's units, made of an output. */
  #unscale: (() => void) | undefined;

  constructor(graph: Graph, file: ModelFile, resolved: ResolvedNetwork) {
    this.#graph = graph;
    this.#file = file;
    this.#resolved = resolved;
  }

  /** The inputs of the network, and what the preprocessing makes of raw data. */
  inputs(h0: boolean): void {
    const graph = this.#graph, { config, preprocessing } = this.#file, { nodes } = this.#resolved;
    const entries = nodes.filter(({ type }) => INPUT_LAYERS.includes(type));
    if (!config && preprocessing !== undefined && preprocessing !== null) {
      throw fail("preprocessing-mismatch", ACTION, "preprocessing goes with the ready-made model", {
        value: preprocessing,
      });
    }
    let patch = 1, first = "";
    for (const { name, outputs: { output } } of entries) {
      const { kind, size } = output!;
      let x: string;
      if (config) {
        const made = graphInputs(graph, resolveConfig(config), preprocessing);
        ({ x, patch, steps: this.#steps, values: this.#unscale } = made);
      } else if (kind === "tokens") x = graph.input(name, "int32", ["batch", "time"], "tokens of each sequence");
      else x = graph.input(name, "float32", kind === "steps" ? ["batch", "time", size] : ["batch", size], "numbers");
      if (kind !== "rows") first ||= x;
      // Time comes first within the graph; tokens are looked up before.
      this.#values.set(`${name}.output`, kind === "steps" ? graph.op("Transpose", [x], { perm: [1, 0, 2] }) : x);
    }
    if (first) this.#time = graph.op("Shape", [first], { start: 1, end: 2 });
    if (first && patch) this.#lengths = graph.input("lengths", "int32", ["batch"], "valid steps of each sequence");
    if (patch > 1) this.#lengths = graph.op("Div", [this.#lengths, graph.constant(Int32Array.of(patch))]);
    // More steps than there are would make a recurrent operator stop with an error.
    if (this.#lengths) this.#lengths = graph.op("Min", [this.#lengths, graph.cast(this.#time, "int32")]);
    // The ready-made model reads numbers where steps behind a length do not matter. No row is looked up for what may stand
    // there in place of a token.
    for (const { name, outputs: { output } } of entries) {
      const source = `${name}.output`, x = this.#values.get(source)!;
      if (output!.kind === "steps" && !config) {
        this.#values.set(source, graph.op("Where", [this.#validSteps(), x, graph.constant(Float32Array.of(0))]));
      } else if (output!.kind === "tokens") {
        const valid = graph.op("Squeeze", [this.#validSteps(), graph.constant([2])]);
        const rows = graph.op("Transpose", [valid], { perm: [1, 0] });
        this.#values.set(source, graph.op("Where", [rows, x, graph.constant(Int32Array.of(0))]));
      }
    }
    if (!h0) return;
    const states = nodes.flatMap((node) =>
      Object.entries(layerType(node.type)!.given?.(node) ?? {}).filter(([, { kind }]) => kind === "states").map(
        ([name, shape]) => ({ full: `${node.name}.${name}`, name: config ? name : `${node.name}.${name}`, shape }),
      )
    );
    for (const { full, name, shape: { count, size } } of states) {
      this.#states.set(full, graph.input(name, "float32", [count!, "batch", size], "initial states"));
    }
  }

  /** The tensor of a value, "layer.port". */
  value(source: string): string {
    return this.#values.get(source)!;
  }

  /** The layers, each in its own words. */
  layers(): void {
    const { parameters } = this.#file;
    const { nodes } = this.#resolved;
    const advice = nodes.some(({ type }) => type === "decoder")
      ? "export its encoder and its decoder's step with exportSeq2SeqOnnx"
      : "keep the model as a checkpoint";
    requireAll(ACTION, nodes, (type) => ONNX_LAYERS[type] !== undefined, advice);
    const context: OnnxContext = {
      graph: this.#graph,
      parameter: (name) => parameters[name]!,
      lengths: this.#lengths,
      time: this.#time,
      valid: () => this.#validSteps(),
      given: (name) => this.#states.get(name) ?? "",
    };
    for (const node of nodes) {
      if (INPUT_LAYERS.includes(node.type)) continue;
      const inputs = Object.entries(node.sources).map(([port, source]) => [port, this.#values.get(source)!]);
      const outputs = ONNX_LAYERS[node.type]!(context, node, Object.fromEntries(inputs));
      for (const port of Object.keys(outputs)) {
        const source = `${node.name}.${port}`;
        // Attention weights leave the graph though no layer reads them.
        if (node.uses(source) || node.outputs[port]!.kind === "weights") this.#values.set(source, outputs[port]!);
      }
    }
  }

  /** Whether each step of each sequence is valid, (time, batch, 1); "" where all are. */
  #validSteps(): string {
    const graph = this.#graph;
    if (!this.#lengths || this.#valid !== undefined) return this.#valid ?? "";
    const [zero, one] = [graph.constant(Int32Array.of(0), []), graph.constant(Int32Array.of(1), [])];
    const end = graph.op("Squeeze", [graph.cast(this.#time, "int32"), graph.constant([0])]);
    const steps = graph.op("Unsqueeze", [graph.op("Range", [zero, end, one]), graph.constant([1])]);
    return this.#valid = graph.op("Unsqueeze", [graph.op("Less", [steps, this.#lengths]), graph.constant([2])]);
  }

  /** The outputs by name, their probabilities or values, and the attention weights. */
  outputs(): void {
    const graph = this.#graph,
      { config, loss: given, meanings = {} } = this.#file,
      names = Object.entries(this.#resolved.outputs);
    for (const [name, { source, shape }] of names) {
      const { kind, size, count } = shape, value = this.#values.get(source)!, steps = kind === "steps";
      const dims = kind === "states" ? [count!, "batch", size] : steps ? ["batch", this.#steps, size] : ["batch", size];
      if (kind === "weights") {
        graph.op("Identity", [value], {}, [name]);
        graph.output(name, "float32", ["batch", this.#steps], "how much each step counts");
        continue;
      }
      graph.op(steps ? "Transpose" : "Identity", [value], steps ? { perm: [1, 0, 2] } : {}, [name]);
      graph.output(name, "float32", dims, "before sigmoid or softmax");
      const loss = config ? given ?? config.loss : meanings[name]?.loss ?? (names.length === 1 ? given : undefined);
      if (loss) this.#prediction(name, LOSSES[loss], dims, names.length > 1 ? `${name}_` : "", loss);
    }
    const named = names.map(([, { source }]) => source);
    const layers = this.#resolved.nodes.filter(({ name, outputs }) =>
      outputs.weights?.kind === "weights" && !named.includes(`${name}.weights`)
    );
    for (const { name: layer } of layers) {
      const name = layers.length === 1 ? "attention_weights" : `${layer}_weights`;
      graph.op("Identity", [this.#values.get(`${layer}.weights`)!], {}, [name]);
      graph.output(name, "float32", ["batch", this.#steps], "how much each step counts");
    }
  }

  #prediction(name: string, { onnx, predicts }: Loss, dims: Dimensions, prefix: string, loss: string): void {
    const graph = this.#graph;
    if (predicts === "probabilities") {
      graph.op(onnx!, [name], onnx === "Softmax" ? { axis: dims.length - 1 } : {}, [`${prefix}probabilities`]);
      graph.output(`${prefix}probabilities`, "float32", dims, `of the logits, trained with ${loss}`);
      return;
    }
    if (this.#unscale) this.#unscale();
    else graph.op("Identity", [name], {}, [`${prefix}values`]);
    graph.output(`${prefix}values`, "float32", dims, "in the data's units");
  }
}
