/**
 * What stands between data and a model, as operators: from raw numbers to the model's inputs, and from its logits back to
 * the data's units.
 *
 * @module
 */

import type { NumberInputs } from "../data/numbers.ts";
import { type Preprocessing, type PreprocessingState, restorePreprocessing } from "../data/preprocessing.ts";
import type { MissingPolicy, ScalingState } from "../data/scaling.ts";
import type { ForecastState } from "../data/forecast_state.ts";
import { fail } from "../errors.ts";
import type { FullConfig } from "../model/config.ts";
import type { Graph } from "./onnx_graph.ts";

/** What a graph makes of its input. */
export interface GraphInputs {
  /** Of the model: (batch, time, I), float32; or tokens (batch, time), int32. */
  readonly x: string;
  /** Steps of the model; tensors and axes of as many. */
  readonly steps: string;
  /** How many of the data's steps make one of the model's; 0: all sequences have one length. */
  readonly patch: number;
  /** Adds the output of values in the data's units (batch, O), made of "logits". */
  readonly values: () => void;
}

/**
 * Adds the graph's input, and what its preprocessing does.
 *
 * @throws {TypeError | RangeError} If the preprocessing is none, or not that of such a model.
 */
export function graphInputs(graph: Graph, config: FullConfig, preprocessing: unknown): GraphInputs {
  const { numEmbeddings, inputSize, outputSize } = config;
  const Q = config.quantiles?.length ?? 1, plain = { steps: "time", patch: 1, values: () => unscale(graph, null) };
  const given = fittingPreprocessing(preprocessing, config, Q);
  const state: PreprocessingState | undefined = given?.toJSON();
  if (state?.kind === "forecast") return forecastInputs(graph, state, outputSize, Q);
  const scaling = state?.labels.scaling ?? null, values = () => unscale(graph, scaling && repeated(scaling, Q));
  if (numEmbeddings) {
    return { ...plain, x: graph.input("tokens", "int32", ["batch", "time"], "tokens of each sequence"), values };
  }
  if (state?.inputs.kind !== "numbers") {
    return { ...plain, x: graph.input("x", "float32", ["batch", "time", inputSize], "sequences"), values };
  }
  const { channels, patch, maxLength, names } = state.inputs;
  const about = `raw sequences${names ? ` of ${names.join(", ")}` : ""}; NaN: missing`;
  const x = graph.input("x", "float32", ["batch", "time", channels], about);
  const steps = patch > 1 || maxLength !== null ? "steps" : "time";
  return { x: numbers(graph, x, state.inputs), steps, patch, values };
}

/**
 * A pipeline as it was stored, if there is one.
 *
 * @param Q Outputs for each of its labels.
 * @throws {TypeError | RangeError} If it is none, or not that of such a model.
 */
export function fittingPreprocessing(
  preprocessing: unknown,
  sizes: Pick<FullConfig, "inputSize" | "numEmbeddings" | "outputSize">,
  Q: number,
): Preprocessing | undefined {
  if (preprocessing === undefined || preprocessing === null) return undefined;
  const given = restorePreprocessing(preprocessing);
  const makes = { inputSize: given.inputSize, numEmbeddings: given.numEmbeddings, outputSize: given.outputSize * Q };
  for (const [name, value] of Object.entries(makes)) {
    // How wide an embedding is, the model decides.
    if (name === "inputSize" && sizes.numEmbeddings && given.numEmbeddings) continue;
    const expected = sizes[name as keyof typeof makes];
    if (value === expected) continue;
    throw fail(
      "preprocessing-mismatch",
      "export model",
      `its preprocessing is for ${name} ${value}, the model has ${expected}`,
      { name, value },
    );
  }
  return given;
}

/** What the pipeline does to sequences of numbers (batch, time, channels). */
function numbers(
  graph: Graph,
  x: string,
  { channels, patch, maxLength, missing, means, scaling }: NumberInputs,
): string {
  const exact = scaling !== null || missing === "mean" || missing === "last";
  x = fill(graph, exact ? graph.cast(x, "float64") : x, missing, means ?? new Array(channels).fill(0), exact);
  if (patch > 1) {
    const time = graph.op("Shape", [x], { start: 1, end: 2 }), width = graph.constant([patch]);
    x = graph.slice(x, 1, 0, graph.op("Mul", [graph.op("Div", [time, width]), width]));
    x = graph.op("Reshape", [x, graph.constant([0, -1, channels * patch])]);
  }
  if (maxLength !== null) x = graph.slice(x, 1, 0, maxLength);
  return exact ? graph.cast(scaling ? scale(graph, x, scaling) : x, "float32") : x;
}

/** Numbers less the mean, divided by the deviation, in double precision as in the pipeline: the mean may be far from 0. */
function scale(graph: Graph, x: string, { mean, scale }: ScalingState): string {
  const shifted = graph.op("Sub", [x, graph.constant(Float64Array.from(mean))]);
  return graph.op("Div", [shifted, graph.constant(Float64Array.from(scale))]);
}

/** The scaling of targets as that of their quantiles, which stand side by side. */
function repeated({ mean, scale }: ScalingState, Q: number): ScalingState {
  const each = (numbers: readonly number[]) => numbers.flatMap((number) => new Array<number>(Q).fill(number));
  return { mean: each(mean), scale: each(scale) };
}

/** The opposite of `scale`. */
function unscaled(graph: Graph, x: string, { mean, scale }: ScalingState): string {
  const scaled = graph.op("Mul", [x, graph.constant(Float64Array.from(scale))]);
  return graph.op("Add", [scaled, graph.constant(Float64Array.from(mean))]);
}

function unscale(graph: Graph, scaling: ScalingState | null): void {
  const exact = graph.cast("logits", "float64");
  graph.cast(scaling ? unscaled(graph, exact, scaling) : exact, "float32", "values");
}

/** Missing values replaced (batch, time, columns), of float64 where `exact` says so, else of float32. */
function fill(graph: Graph, x: string, missing: MissingPolicy, means: readonly number[], exact: boolean): string {
  const constant = (row: readonly number[]) => graph.constant(exact ? Float64Array.from(row) : Float32Array.from(row));
  if (missing === "zero" || missing === "mean") {
    const substitute = missing === "mean" ? means : means.map(() => 0);
    return graph.op("Where", [graph.op("IsNaN", [x]), constant(substitute), x]);
  }
  if (missing !== "last") return x;
  // Step by step: the last value, or the mean before the first.
  const type = exact ? "float64" : "float32", row = ["batch", means.length];
  const body = graph.within("fill"), before = body.input("before", type, row), now = body.input("now", type, row);
  const filled = body.op("Where", [body.op("IsNaN", [now]), before, now]);
  for (const name of ["after", "filled"]) {
    body.op("Identity", [filled], {}, [name]);
    body.output(name, type, row);
  }
  const batch = graph.op("Shape", [x], { start: 0, end: 1 });
  const shape = graph.op("Concat", [batch, graph.constant([1])], { axis: 0 });
  const first = graph.op("Expand", [constant(means), shape]), all = "filled_values";
  graph.op("Scan", [first, x], { body, num_scan_inputs: 1, scan_input_axes: [1], scan_output_axes: [1] }, [
    "last_values",
    all,
  ]);
  return all;
}

/** Raw rows of the targets and of the other columns (batch, time, columns), in double precision; the last are taken. */
function forecastInputs(
  graph: Graph,
  { targetColumns, featureColumns, window, horizon, transform, center, missing, means, scaling }: ForecastState,
  outputSize: number,
  Q: number,
): GraphInputs {
  const columns = [...new Set([...targetColumns, ...featureColumns])], k = targetColumns.length;
  const lag = transform === "none" ? 0 : 1, END = 2 ** 31;
  const about = `raw rows of ${columns.join(", ")}: ${window + lag} or more; NaN: missing`;
  const given = graph.input("x", "float64", ["batch", "time", columns.length], about);
  const filled = fill(graph, given, missing, means ?? new Array(columns.length).fill(0), true);
  const rows = graph.slice(filled, 1, -window - lag, END);
  let x = rows;
  if (lag) {
    const targets = graph.slice(rows, 2, 0, k),
      level = transform === "logDifference" ? graph.op("Log", [targets]) : targets;
    const changes = graph.op("Sub", [graph.slice(level, 1, 1, END), graph.slice(level, 1, 0, -1)]);
    const others = graph.slice(graph.slice(rows, 1, 1, END), 2, k, END);
    x = columns.length > k ? graph.op("Concat", [changes, others], { axis: 2 }) : changes;
  }
  if (scaling) x = scale(graph, x, scaling);
  const last = graph.slice(x, 1, -1, END);
  if (center) {
    const isTarget = Float64Array.from(columns, (_, c) => c < k ? 1 : 0);
    x = graph.op("Sub", [x, graph.op("Mul", [last, graph.constant(isTarget)])]);
  }
  x = graph.op("Gather", [
    graph.cast(x, "float32"),
    graph.constant(featureColumns.map((name) => columns.indexOf(name))),
  ], { axis: 2 });

  const values = () => {
    const shaped = graph.op("Reshape", ["logits", graph.constant([0, horizon, k * Q])]);
    let y = graph.cast(shaped, "float64");
    const places = Array.from({ length: k * Q }, (_, i) => Math.floor(i / Q));
    const target = (x: string) =>
      Q === 1 ? graph.slice(x, 2, 0, k) : graph.op("Gather", [x, graph.constant(places)], { axis: 2 });
    if (center) y = graph.op("Add", [y, target(last)]);
    if (scaling) {
      const targets = { mean: scaling.mean.slice(0, k), scale: scaling.scale.slice(0, k) };
      y = unscaled(graph, y, repeated(targets, Q));
    }
    if (lag) {
      const sum = graph.op("CumSum", [y, graph.constant([1], [])]), level = target(graph.slice(rows, 1, -1, END));
      y = transform === "difference" ? graph.op("Add", [level, sum]) : graph.op("Mul", [level, graph.op("Exp", [sum])]);
    }
    graph.cast(graph.op("Reshape", [y, graph.constant([0, outputSize])]), "float32", "values");
  };
  return { x, steps: "steps", patch: 0, values };
}
