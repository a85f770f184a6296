/**
 * Models from sequences to sequences as two ONNX files: what reads the source, and one step of the decoder. Programs that run
 * them write the search around them.
 *
 * @module
 */

import { checkArgument, fail } from "../errors.ts";
import { networkOf } from "../model/config.ts";
import { CELLS } from "../model/layers/cells.ts";
import { type FullDecoderOptions, refuseAnswers, sizesOf } from "../model/layers/decoder_options.ts";
import { besideName, layerOf, type Node } from "../model/layers/node.ts";
import { transposedColumns } from "../model/layers/onnx.ts";
import { onnx as recurrentOnnx } from "../model/layers/recurrent_onnx.ts";
import { type Network, type ResolvedNetwork, resolveNetwork } from "../model/network.ts";
import { checkModelFile, type ModelFile } from "./config.ts";
import { ACTION, graphFile, NetworkGraph } from "./onnx.ts";
import { Graph } from "./onnx_graph.ts";

/** The files of {@linkcode exportSeq2SeqOnnx}. */
export interface Seq2SeqOnnx {
  /** From a source to keys and the decoder's first state. */
  readonly encoder: Uint8Array<ArrayBuffer>;
  /** From what was said last to what is said next. */
  readonly step: Uint8Array<ArrayBuffer>;
}

/**
 * A model from sequences to sequences as ONNX files of the operator set 17, with the axes "batch" and "time" of any length.
 *
 * | encoder | type and shape | |
 * |---|---|---|
 * | the source's input, by its name in the network | int32 [batch, time], or float32 [batch, time, I] | |
 * | `lengths` | int32 [batch] | steps of each source |
 * | → `keys` | float32 [batch, time, D] | what the attention looks at |
 * | → `state`, `cell` | float32 [layers, batch, H] | what the decoder begins with; `cell` of an LSTM |
 *
 * | step | type and shape | |
 * |---|---|---|
 * | `previous` | int32 [batch], or float32 [batch, O] | what was said last: START, 2, first |
 * | `keys`, `lengths`, `state`, `cell` | as above | the states are those of the step before |
 * | → `output` | float32 [batch, O] | logits of every token, or numbers |
 * | → `next_state`, `next_cell` | float32 [layers, batch, H] | |
 * | → `attention_weights` | float32 [batch, time] | 0 behind a source's length |
 *
 * Their metadata hold the network, what it means and the preprocessing, as those of `exportOnnx`.
 *
 * @param file The model: see `modelFile`.
 * @throws {TypeError} If it has no decoder, or several, or parameters do not fit it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, exportSeq2SeqOnnx, modelFile } from "@grutto/grutto";
 *
 * const sizes = { sourceTokens: 20, sourceSize: 8, targetTokens: 20, targetSize: 8, hiddenSize: 16 };
 * using model = await createModel({ task: "seq2seq", ...sizes });
 * const { encoder, step } = exportSeq2SeqOnnx(await modelFile(model));
 * assert.ok(encoder.length > 1000 && step.length > 1000);
 * ```
 */
export function exportSeq2SeqOnnx(file: ModelFile): Seq2SeqOnnx {
  checkArgument(ACTION, "file", file, ["parameters"]);
  checkModelFile(file);
  const network = networkOf(file), { nodes } = resolveNetwork(network);
  const decoders = nodes.filter(({ type }) => type === "decoder");
  if (decoders.length !== 1) {
    const problem = `the network must have one decoder, it has ${decoders.length}`;
    throw fail("wiring", ACTION, problem, { advice: "export other networks with exportOnnx" });
  }
  const decoder = decoders[0] as unknown as Node<FullDecoderOptions>;
  refuseAnswers(ACTION, decoder);
  return { encoder: encoderFile(file, network, decoder), step: stepFile(file, decoder) };
}

/** The ports of a decoder's states, by their names in the files. */
function statePorts({ options: { cell } }: Node<FullDecoderOptions>): readonly ("state" | "cell")[] {
  return CELLS[cell].states.length > 1 ? ["state", "cell"] : ["state"];
}

/** What the decoder reads but its targets. */
function encoderFile(file: ModelFile, network: Network, decoder: Node<FullDecoderOptions>): Uint8Array<ArrayBuffer> {
  const { sources, options: { numLayers: L, hiddenSize: H } } = decoder;
  const given = statePorts(decoder).filter((port) => sources[port] !== undefined);
  const outputs = Object.fromEntries(["keys", ...given].map((port) => [port, sources[port]!]));
  const needed = new Set(Object.values(outputs).map(layerOf));
  for (const { name, inputs = {} } of network.layers.toReversed()) {
    if (needed.has(name)) { for (const source of Object.values(inputs)) needed.add(layerOf(source)); }
  }
  const own = { layers: network.layers.filter(({ name }) => needed.has(name)), outputs };
  const resolved: ResolvedNetwork = resolveNetwork(own), graph = new Graph("encoder");
  const made = new NetworkGraph(graph, { ...file, network: own, preprocessing: undefined }, resolved);
  made.inputs(false);
  made.layers();
  const keys = made.value(sources.keys!);
  graph.op("Transpose", [keys], { perm: [1, 0, 2] }, ["keys"]);
  graph.output("keys", "float32", ["batch", "time", decoder.inputs.keys!.size], "what the attention looks at");
  for (const port of statePorts(decoder)) {
    const about = `what the decoder's ${port} begins with`;
    if (sources[port] === undefined) graph.op("Sub", ["state", "state"], {}, [port]);
    else if (decoder.inputs[port]!.kind === "states") {
      // Those of two directions are side by side in the decoder's.
      const { count, size } = decoder.inputs[port]!, all = made.value(sources[port]!);
      const apart = graph.op("Reshape", [all, graph.constant([L, count! / L, -1, size])]);
      const beside = graph.op("Transpose", [apart], { perm: [0, 2, 1, 3] });
      graph.op("Reshape", [beside, graph.constant([L, -1, H])], {}, [port]);
    } else {
      const layered = graph.op("Reshape", [made.value(sources[port]!), graph.constant([0, L, H])]);
      graph.op("Transpose", [layered], { perm: [1, 0, 2] }, [port]);
    }
    graph.output(port, "float32", [L, "batch", H], about);
  }
  return graphFile(graph, file);
}

/** One step of the decoder. */
function stepFile(file: ModelFile, decoder: Node<FullDecoderOptions>): Uint8Array<ArrayBuffer> {
  const graph = new Graph("step"), { name, options } = decoder, { H, D, E, O, A, tokens } = sizesOf(decoder);
  const { numLayers: L, cell: cellName, tied } = options, cell = CELLS[cellName], ports = statePorts(decoder);
  const parameter = (full: string) => file.parameters[full]!;
  const beside = (full: string) => parameter(besideName(name, full));
  const keep = ({ shape, data }: ReturnType<typeof parameter>) => graph.constant(data, shape);
  const product = (x: string, weight: ReturnType<typeof parameter>, from: number, to: number) => {
    const right = graph.constant(transposedColumns(weight, from, to), [to - from, weight.shape[0]!]);
    return graph.op("MatMul", [x, right]);
  };
  const affine = (x: string, weight: ReturnType<typeof parameter>, bias: string) =>
    graph.op("Add", [product(x, weight, 0, weight.shape[1]!), keep(beside(bias))]);
  const previous = tokens
    ? graph.input("previous", "int32", ["batch"], "the tokens said last; first 2, START")
    : graph.input("previous", "float32", ["batch", O], "the numbers said last");
  const keys = graph.input("keys", "float32", ["batch", "time", D], "the encoder's");
  const lengths = graph.input("lengths", "int32", ["batch"], "steps of each source");
  for (const port of ports) graph.input(port, "float32", [L, "batch", H], "of the step before; first the encoder's");
  const table = tokens ? keep(parameter(`${name}.embedding.weight`)) : "";
  const fed = tokens ? graph.op("Gather", [table, previous]) : previous;

  // The last layer's state before the step asks the keys.
  const squeezed = (x: string, axis: number) => graph.op("Squeeze", [x, graph.constant([axis])]);
  const query = squeezed(graph.slice("state", 0, L - 1, L), 0), attn = beside("attention.attn.weight");
  const asked = graph.op("Add", [product(query, attn, 0, H), keep(beside("attention.attn.bias"))]);
  const both = graph.op("Add", [
    graph.op("Unsqueeze", [asked, graph.constant([1])]),
    product(keys, attn, H, H + D),
  ]);
  const v = graph.constant(beside("attention.v.weight").data, [A, 1]);
  const scores = squeezed(graph.op("MatMul", [graph.op("Tanh", [both]), v]), 2);
  const [zero, one] = [graph.constant(Int32Array.of(0), []), graph.constant(Int32Array.of(1), [])];
  const time = squeezed(graph.cast(graph.op("Shape", [keys], { start: 1, end: 2 }), "int32"), 0);
  const steps = graph.op("Range", [zero, time, one]);
  const valid = graph.op("Less", [steps, graph.op("Unsqueeze", [lengths, graph.constant([1])])]);
  const masked = graph.op("Where", [valid, scores, graph.constant(Float32Array.of(-Infinity))]);
  graph.op("Softmax", [masked], { axis: 1 }, ["attention_weights"]);
  const row = graph.op("Unsqueeze", ["attention_weights", graph.constant([1])]);
  const context = squeezed(graph.op("MatMul", [row, keys]), 1);

  const x = graph.op("Unsqueeze", [graph.op("Concat", [fed, context], { axis: 1 }), graph.constant([0])]);
  const recurrent = {
    ...decoder,
    name: `${name}.${cellName}`,
    inputs: { input: { kind: "steps", size: E + D } },
  } as const;
  const found = recurrentOnnx(
    cell,
    {
      graph,
      parameter,
      lengths: "",
      time: "",
      valid: () => "",
      given: (full) => ports[cell.states.findIndex(({ initial }) => full.endsWith(`.${initial}`))] ?? "",
    },
    { ...recurrent, options: { ...options, bidirectional: false } },
    x,
  ) as Readonly<Record<string, string>>;
  graph.op("Identity", [found.hidden!], {}, ["next_state"]);
  graph.output("next_state", "float32", [L, "batch", H]);
  if (ports.length > 1) {
    graph.op("Identity", [found.cell!], {}, ["next_cell"]);
    graph.output("next_cell", "float32", [L, "batch", H]);
  }
  const read = graph.op("Concat", [squeezed(found.output!, 0), context, fed], { axis: 1 });
  const output = tied
    ? affine(
      graph.op("Tanh", [affine(read, beside("projection.weight"), "projection.bias")]),
      parameter(`${name}.embedding.weight`),
      "fc.bias",
    )
    : affine(read, beside("fc.weight"), "fc.bias");
  graph.op("Identity", [output], {}, ["output"]);
  graph.output("output", "float32", ["batch", O], tokens ? "logits of every token" : "numbers");
  graph.output("attention_weights", "float32", ["batch", "time"], "how much each step of the source counts");
  return graphFile(graph, file);
}
