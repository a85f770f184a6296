/**
 * The Open Inference Protocol, version 2, with its extension for binary tensors: what KServe and Triton speak.
 *
 * @module
 */

import type { StepScaler } from "../data/step_scaler.ts";
import type { Answer } from "../job/prediction.ts";
import { VERSION } from "../version.ts";
import { jsonOf } from "./body.ts";
import { member, Problem } from "./problem.ts";
import { outputsOf, type Said, type ServedModel } from "./served_model.ts";
import { recordsOf, type Tensor, tensorBytes, tensorJson, tensorOf } from "./tensors.ts";

/** The one version that each model has. */
export const MODEL_VERSION = "1";

/** The header that says how many bytes of a body are JSON. */
const JSON_LENGTH = "inference-header-content-length";

/** What the server is. */
export function serverMetadata(): object {
  return { name: "grutto", version: VERSION, extensions: ["binary_tensor_data"] };
}

/** The scale of a model's answers that are numbers of steps of their own; undefined: it has none. */
function answeredNumbers({ data }: ServedModel): StepScaler | undefined {
  return data.kind === "pairs" && data.pipeline.target.unit === "numbers" ? data.pipeline.target : undefined;
}

/** What a model takes and gives. */
export function modelMetadata(model: ServedModel): object {
  const about = { name: model.name, versions: [MODEL_VERSION], platform: "grutto" };
  const { data } = model, { quantiles, names } = outputsOf(model), scaler = answeredNumbers(model);
  const O = scaler?.size ?? names.length;
  const x = isText(model)
    ? { name: "x", datatype: "BYTES", shape: [-1] }
    : { name: "x", datatype: "FP32", shape: [-1, -1, channelsOf(model)] };
  const of = (name: string, datatype: string, ...shape: number[]) => ({ name, datatype, shape: [-1, ...shape] });
  const rest = quantiles ? [quantiles.length] : [], isEveryStep = data.kind === "sequences" && data.pipeline.everyStep;
  const steps = isEveryStep ? [-1] : data.kind === "forecasts" ? [data.pipeline.horizon] : scaler ? [model.steps!] : [];
  const outputs = data.kind === "pairs" && !scaler
    ? [of("text", "BYTES"), of("log_probability", "FP32")]
    : outputsOf(model).isProbabilities
    ? [...hasLabel(model) ? [of("label", "BYTES", ...steps)] : [], of("probabilities", "FP32", ...steps, O)]
    : [of("values", data.kind === "arrays" ? "FP32" : "FP64", ...steps, O, ...rest)];
  return { ...about, inputs: [x], outputs };
}

/** Whether a model takes texts. */
export function isText({ data }: ServedModel): boolean {
  return data.kind === "pairs" && data.pipeline.source.unit !== "numbers" ||
    data.kind === "sequences" && data.pipeline.numEmbeddings > 0;
}

/** Numbers of a step. */
export function channelsOf({ data }: ServedModel): number {
  if (data.kind === "arrays") return data.channels;
  if (data.kind === "forecasts") {
    const { targetColumns, featureColumns } = data.pipeline.toJSON();
    return new Set([...targetColumns, ...featureColumns]).size;
  }
  if (data.kind === "pairs") return data.pipeline.source.size;
  const { inputs } = data.pipeline.toJSON();
  return inputs.kind === "numbers" ? inputs.channels : 1;
}

/** Whether a sequence is of one class. */
function hasLabel({ data }: ServedModel): boolean {
  return data.kind === "arrays" || data.kind === "sequences" && data.pipeline.task !== "multilabel";
}

/**
 * Answers to a request for inference.
 *
 * @param predicted Is told how many sequences were predicted.
 */
export async function infer(
  model: ServedModel,
  headers: Headers,
  body: Uint8Array,
  predicted: (count: number) => void,
): Promise<Response> {
  const length = headers.get(JSON_LENGTH), size = length === null ? body.length : Number(length);
  if (!Number.isInteger(size) || size < 0 || size > body.length) {
    throw new Problem(400, `${JSON_LENGTH} must be an integer from 0 to ${body.length}`, { field: JSON_LENGTH });
  }
  const json = jsonOf(body.subarray(0, size)), id = member(json, "id");
  if (id !== undefined && typeof id !== "string") throw new Problem(400, "id must be a string", { field: "id" });
  const tensors = tensorsIn(json, body.subarray(size)),
    named = (own: string) => tensors.find(({ name }) => name === own);
  const x = named("x"), scaler = answeredNumbers(model), taken = ["x", "lengths", ...scaler ? ["start"] : []];
  const strange = tensors.find(({ name }) => !taken.includes(name));
  if (strange || !x) {
    const got = strange ? JSON.stringify(strange.name) : "none", start = scaler ? ", and start" : "";
    const problem = `inputs must be x, and lengths where sequences are padded${start}, got ${got}`;
    throw new Problem(400, problem, { field: "inputs" });
  }
  const records = recordsOf(x, "x", named("lengths")), start = named("start");
  const said = await model.saidOf(records, (i) => `x[${i}]`, start && rowsOf(start, records.length, scaler!.size));
  predicted(said.length);
  const { outputs, binary } = wanted(json, tensorsOf(model, said));
  const parts = outputs.map((tensor) => binary(tensor.name) ? tensorBytes(tensor) : undefined);
  const answer = JSON.stringify({
    model_name: model.name,
    model_version: MODEL_VERSION,
    id,
    outputs: outputs.map((tensor, i) => {
      const { data: _, ...about } = tensor, bytes = parts[i];
      return bytes ? { ...about, parameters: { binary_data_size: bytes.length } } : tensorJson(tensor);
    }),
  });
  const own = parts.filter((part) => part !== undefined);
  if (!own.length) return new Response(answer, { headers: { "content-type": "application/json" } });
  const head = new TextEncoder().encode(answer);
  return new Response(new Blob([head, ...own as Uint8Array<ArrayBuffer>[]]), {
    headers: { "content-type": "application/octet-stream", [JSON_LENGTH]: String(head.length) },
  });
}

/** The tensors of a request, whose bytes may follow its JSON, in order. */
function tensorsIn(json: unknown, bytes: Uint8Array): Tensor[] {
  const inputs = member(json, "inputs");
  if (!Array.isArray(inputs) || !inputs.length) {
    throw new Problem(400, "inputs must be a list of tensors", { field: "inputs" });
  }
  let at = 0;
  const tensors = inputs.map((input, i) => {
    const field = `inputs[${i}]`, size = member(member(input, "parameters"), "binary_data_size");
    if (size === undefined) return tensorOf(input, field, undefined);
    if (typeof size !== "number" || !Number.isInteger(size) || size < 0 || at + size > bytes.length) {
      const place = `${field}.parameters.binary_data_size`;
      throw new Problem(400, `${place} must be an integer from 0 to ${bytes.length - at}, the bytes that follow`, {
        field: place,
      });
    }
    return tensorOf(input, field, bytes.subarray(at, at += size));
  });
  const twice = tensors.find(({ name }, i) => tensors.findIndex((one) => one.name === name) < i);
  if (twice) throw new Problem(400, `inputs has ${JSON.stringify(twice.name)} twice`, { field: "inputs" });
  if (at !== bytes.length) throw new Problem(400, `${bytes.length - at} bytes behind the JSON belong to no input`);
  return tensors;
}

/** What the decoder is fed first, a list for each of N sequences. */
function rowsOf({ shape, data, datatype }: Tensor, N: number, size: number): number[][] {
  const isWhole = datatype !== "BYTES" && !(data as number[]).some(Number.isNaN);
  if (!isWhole || shape[0] !== N || data.length !== N * size) {
    throw new Problem(400, `start must be numbers of the shape [${N}, ${size}]`, { field: "start" });
  }
  return Array.from({ length: N }, (_, n) => Array.from(data.slice(n * size, (n + 1) * size), Number));
}

/** The outputs that a request wants, and which of them as bytes. */
function wanted(json: unknown, all: readonly Tensor[]) {
  const outputs = member(json, "outputs"), every = member(member(json, "parameters"), "binary_data_output") === true;
  const usual = all.filter(({ name }) => name !== "attention");
  if (outputs === undefined || Array.isArray(outputs) && !outputs.length) {
    return {
      outputs: usual,
      binary: () => every,
    };
  }
  if (!Array.isArray(outputs)) throw new Problem(400, "outputs must be a list", { field: "outputs" });
  const asBytes = new Map<string, boolean>();
  const chosen = outputs.map((output, i) => {
    const name = member(output, "name"), tensor = all.find((one) => one.name === name), place = `outputs[${i}].name`;
    const known = all.map(({ name }) => name).join(", ");
    if (!tensor) throw new Problem(400, `${place} must be one of ${known}`, { field: place });
    const own = member(member(output, "parameters"), "binary_data");
    asBytes.set(tensor.name, own === undefined ? every : own === true);
    return tensor;
  });
  return { outputs: chosen, binary: (name: string) => asBytes.get(name) ?? every };
}

/** What is said of sequences as tensors, shorter ones padded with 0. */
function tensorsOf(model: ServedModel, said: readonly Said[]): Tensor[] {
  const N = said.length, T = Math.max(...said.map(({ length }) => length)), { data } = model;
  const rows = said.flatMap((own) => Array.from({ length: T }, (_, t) => own[t])), steps = isStepped(model) ? [T] : [];
  const first = said[0]![0]!;
  if ("answers" in first) {
    const best = rows.map((row) => (row as typeof first).answers[0]);
    return [
      { name: "text", datatype: "BYTES", shape: [N], data: best.map((answer) => answer?.text ?? "") },
      { name: "log_probability", datatype: "FP32", shape: [N], data: best.map((answer) => answer?.found.sum ?? 0) },
    ];
  }
  if (!("decoded" in first) && "steps" in first) {
    const all = rows.map((row) => (row as typeof first).steps),
      { quantiles } = outputsOf(model),
      { length: U } = all[0]!;
    const width = all[0]![0]!.length, shape = quantiles ? [width / quantiles.length, quantiles.length] : [width];
    return [{ name: "values", datatype: "FP64", shape: [N, U, ...shape], data: all.flat(2) }];
  }
  const numbers = rows.map(numbersOf),
    width = numbersOf(first).length,
    { isProbabilities, quantiles } = outputsOf(model);
  const flat = numbers.flatMap((own) => own.length ? own : new Array<number>(width).fill(0));
  const shape = quantiles ? [width / quantiles.length, quantiles.length] : [width];
  const isDouble = data.kind !== "arrays" && !isProbabilities;
  const main: Tensor = {
    name: isProbabilities ? "probabilities" : "values",
    datatype: isDouble ? "FP64" : "FP32",
    shape: [N, ...steps, ...shape],
    data: flat,
  };
  const labels: Tensor[] = isProbabilities && hasLabel(model)
    ? [{ name: "label", datatype: "BYTES", shape: [N, ...steps], data: rows.map(labelOf) }]
    : [];
  const weights = said.map(([own]) => own && "weights" in own ? Array.from(own.weights ?? []) : []);
  const longest = Math.max(...weights.map(({ length }) => length));
  const attention: Tensor[] = longest
    ? [{
      name: "attention",
      datatype: "FP32",
      shape: [N, longest],
      data: weights.flatMap((own) => [...own, ...new Array<number>(longest - own.length).fill(0)]),
    }]
    : [];
  return [...labels, main, ...attention];
}

function isStepped({ data }: ServedModel): boolean {
  return data.kind === "forecasts" || data.kind === "sequences" && data.pipeline.everyStep;
}

function numbersOf(answer: Answer | undefined): number[] {
  if (!answer || "answers" in answer || "error" in answer) return [];
  if ("values" in answer) return Array.from(answer.values);
  if (!("decoded" in answer)) return answer.steps.flat();
  return answer.known?.map(([, p]) => p) ?? [...answer.decoded.values ?? []];
}

function labelOf(answer: Answer | undefined): string {
  if (!answer || "answers" in answer || "error" in answer) return "";
  return "values" in answer ? String(answer.number ?? "") : "decoded" in answer ? answer.decoded.label ?? "" : "";
}
