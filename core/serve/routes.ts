/** What a service answers to: one table, which its documentation is written from. */

import { JsonRecords } from "../data/readers/json.ts";
import { predictionJson } from "../job/prediction_json.ts";
import type { Answer } from "../job/prediction.ts";
import { type BodyFormat, formatOf, jsonOf, textOf } from "./body.ts";
import { infer, MODEL_VERSION, modelMetadata, serverMetadata } from "./open_inference.ts";
import { member, Problem } from "./problem.ts";
import { isStep, itemsIn, manyIn, unnamed } from "./records.ts";
import type { Said, ServedModel } from "./served_model.ts";
import type { Service } from "./service.ts";
import { csvOf } from "./tables.ts";

/** A request on its way. */
export interface Call {
  readonly request: Request;
  readonly service: Service;
  /** What stands in the path for `{model}`, `{key}`, `{version}`. */
  readonly path: Readonly<Record<string, string>>;
  /** The query, if there is one. */
  readonly query: URLSearchParams | undefined;
  /** When the request came. */
  readonly since: number;
  /** Keeps a model until the request is answered. */
  readonly holds: (model: ServedModel) => ServedModel;
  /** Is told how many sequences of which model were predicted. */
  readonly predicted: (model: ServedModel, count: number) => void;
}

/** What a service answers to. */
export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** Its parameters stand in braces. */
  readonly path: string;
  /** Whether it is answered without the token, and while a service ends. */
  readonly isOpen?: true;
  readonly about: string;
  /** Types of bodies that it takes. */
  readonly takes?: readonly BodyFormat[];
  /** What may stand in the query, where there is a body. */
  readonly query?: readonly (keyof typeof QUERY)[];
  /** An example of the body, for a model of numbers. */
  readonly example?: unknown;
  /** The schema of the body and of the answer, by name. */
  readonly body?: string;
  readonly answer?: string;
  readonly act: (call: Call) => Response | Promise<Response>;
}

/** What a query may hold, as OpenAPI has it. */
export const QUERY = {
  attention: {
    description: "Whether to say what each step counted.",
    schema: { type: "boolean", default: false },
  },
  steps: { description: "Steps that the stream must have before.", schema: { type: "integer", minimum: 0 } },
} as const;

/** Refuses what stands in a query for nothing, and what stands there twice. */
export function checkQuery(query: URLSearchParams, { query: known = [] }: Route): void {
  for (const field of query.keys()) {
    // A log has no queries: their names are for who asked.
    if (!(known as readonly string[]).includes(field)) {
      const there = known.length ? `may hold ${known.join(", ")} alone` : "must be empty";
      throw new Problem(400, `the query of this path ${there}`, { field });
    }
    if (query.getAll(field).length > 1) throw new Problem(400, `${field} stands twice in the query`, { field });
  }
}

const JSON_HEADERS = { "content-type": "application/json" } as const;

/** An answer in JSON. */
export function reply(body: string, status = 200): Response {
  return new Response(body, { status, headers: JSON_HEADERS });
}

const replyTo = (value: unknown, status = 200) => reply(JSON.stringify(value), status);

const ready = ({ service }: Call) => replyTo({ ready: service.isReady }, service.isReady ? 200 : 503);
const live = () => replyTo({ live: true });

/** Uses the model that a path names, or the first. */
function using<T>(call: Call, act: (model: ServedModel) => T): T {
  const { version, model } = call.path;
  if (version !== undefined && version !== MODEL_VERSION) {
    throw new Problem(404, `each model has the version ${MODEL_VERSION}, not ${JSON.stringify(version)}`);
  }
  return act(call.holds(call.service.model(model)));
}

/** All bytes of the body. */
const bytesOf = ({ request, service, since }: Call) => service.bodies.bytesOf(request, since);

/** Whether the query asks for what each step counted. */
function wantsAttention({ query }: Call): boolean {
  const value = query?.get("attention") ?? "false";
  if (value !== "true" && value !== "false") {
    throw new Problem(400, "attention must be true or false", { field: "attention" });
  }
  return value === "true";
}

const oneOf = (answers: Said, attention: boolean) =>
  answers.length === 1 ? answerJson(answers[0]!, attention) : listOf(answers, attention);
const listOf = (answers: readonly Answer[], attention: boolean) =>
  `[${answers.map((answer) => answerJson(answer, attention)).join(",")}]`;

function answerJson(answer: Answer, attention: boolean): string {
  if ("error" in answer) throw answer.error;
  return predictionJson(answer, attention);
}

/** Answers in the words of the data. */
const predict = (call: Call) =>
  using(call, async (model) => {
    const attention = wantsAttention(call), format = formatOf(call.request, ANY), bytes = await bytesOf(call);
    if (format !== "json") return await readAll(call, model, bytes, { format, attention });
    const { items, isOne } = itemsIn(jsonOf(bytes), model.names);
    const found = model.said(items), said = Array.isArray(found) ? found : await found;
    call.predicted(model, said.length);
    if (isOne) return reply(oneOf(said[0]!, attention));
    return reply(`[${said.map((own) => oneOf(own, attention)).join(",")}]`);
  });

/** Answers to data as they stand in files: to lines in lines, to a table in a list. */
async function readAll(
  call: Call,
  model: ServedModel,
  bytes: Uint8Array,
  { format, attention, wrap = (list) => list }: {
    readonly format: BodyFormat;
    readonly attention: boolean;
    readonly wrap?: (list: string) => string;
  },
): Promise<Response> {
  // What is not UTF-8 may still be what a reader takes: UTF-16, or what training was told.
  if (format === "jsonl") textOf(bytes);
  if (!bytes.length) throw new Problem(400, "the body is empty");
  // Of text it is found out what it is, as of a pipe.
  const { answers, notes } = await model.read(bytes, format === "text" ? undefined : format);
  call.predicted(model, answers.length);
  const isLines = format === "jsonl";
  const text = isLines
    ? answers.map((answer) => `${answerJson(answer, attention)}\n`).join("")
    : wrap(listOf(answers, attention));
  const headers = new Headers({ "content-type": isLines ? "application/x-ndjson" : "application/json" });
  // Headers hold no other characters.
  if (notes.length) headers.set("grutto-notes", encodeURI(notes.join("; ").toWellFormed()).replaceAll("%20", " "));
  return new Response(text, { headers });
}

/** Answers to lists under a name, or to tables, as a list of predictions. */
const predictions = (names: readonly string[], takes: readonly BodyFormat[]) => (call: Call) =>
  using(call, async (model) => {
    const attention = wantsAttention(call), format = formatOf(call.request, takes);
    const bytes = await bytesOf(call), wrap = (list: string) => `{"predictions":${list}}`;
    if (format !== "json") return await readAll(call, model, bytes, { format, attention, wrap });
    const json = jsonOf(bytes), csv = takes.length > 1 ? csvOf(json) : undefined;
    if (csv !== undefined) {
      return await readAll(call, model, new TextEncoder().encode(csv), { format: "csv", attention, wrap });
    }
    const [name, other] = names.filter((one) => member(json, one) !== undefined);
    if (other) throw new Problem(400, `the body must have ${name} or ${other}, not both`, { field: other });
    if (name === undefined) {
      const all = takes.length > 1 ? [...names, "dataframe_split", "dataframe_records"] : names;
      throw new Problem(400, `the body must be an object with ${all.join(" or ")}`, { field: all[0] });
    }
    const said = await model.said(manyIn(member(json, name), name));
    call.predicted(model, said.length);
    return reply(wrap(`[${said.map((own) => oneOf(own, attention)).join(",")}]`));
  });

/** Steps that a stream is expected to have. */
function expectedSteps({ query }: Call): number | undefined {
  const value = query?.get("steps");
  if (value === null || value === undefined) return undefined;
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw new Problem(400, "steps must be an integer from 0, of 15 digits at most", { field: "steps" });
}

/** The longest key. */
const LONGEST_KEY = 200;

const keyOf = ({ path: { key } }: Call) => {
  if (key!.length <= LONGEST_KEY) return key!;
  throw new Problem(400, `a key has ${LONGEST_KEY} characters at most`, { field: "key" });
};

const samples = new JsonRecords("body", {}, true);

const push = (call: Call) =>
  using(call, async (model) => {
    const { streams } = call.service, attention = wantsAttention(call);
    formatOf(call.request, ONLY_JSON);
    const key = keyOf(call), steps = expectedSteps(call), json = jsonOf(await bytesOf(call));
    const { names } = model, isNamed = isStep(json, names);
    const given = isNamed ? { x: [json] } : typeof json === "object" && !Array.isArray(json) ? json : { x: json };
    const x = unnamed(member(given, "x"), names, "x");
    // A list of numbers is one sample, unless a step is one number.
    const isSample = isNamed || Array.isArray(x) && x.length > 0 && !Array.isArray(x[0]);
    const record = samples.record("sample", { ...given, x: isSample && !isNamed ? [x] : x });
    const answers = streams.push(model, key, record, steps), last = streams.steps(model, key);
    call.predicted(model, answers.length);
    return reply(`{"steps":${last},"prediction":${
      isSample || typeof x === "string" && answers.length === 1
        ? answerJson(answers[0]!, attention)
        : listOf(answers, attention)
    }}`);
  });

const show = (call: Call) =>
  using(call, (model) => {
    const steps = call.service.streams.steps(model, keyOf(call));
    if (!steps) throw new Problem(404, "there is no such stream: POST begins it");
    return replyTo({ steps });
  });

const forget = (call: Call) =>
  using(call, (model) => {
    if (!call.service.streams.delete(model, keyOf(call))) throw new Problem(404, "there is no such stream");
    return new Response(null, { status: 204 });
  });

const metrics = ({ service }: Call) => {
  const { inFlight, isReady, streams: { size } } = service;
  return new Response(service.metrics.text({ inFlight, ready: isReady, streams: size }), {
    headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
  });
};

const inferred = (call: Call) =>
  using(call, async (model) => {
    const { headers } = call.request;
    // Binary tensors come as octets.
    if (headers.get("content-type") !== null && !headers.has("inference-header-content-length")) {
      const [type] = headers.get("content-type")!.split(";");
      if (type!.trim().toLowerCase() !== "application/octet-stream") formatOf(call.request, ONLY_JSON);
    }
    return await infer(model, headers, await bytesOf(call), (count) => call.predicted(model, count));
  });

const modelReady = (call: Call) =>
  using(call, ({ name }) => {
    const { isReady } = call.service;
    return replyTo({ name, ready: isReady }, isReady ? 200 : 503);
  });

const status = (call: Call) =>
  using(call, () =>
    replyTo({
      model_version_status: [{
        version: MODEL_VERSION,
        state: call.service.isReady ? "AVAILABLE" : "UNLOADING",
        status: { error_code: "OK", error_message: "" },
      }],
    }));

const ANY: readonly BodyFormat[] = ["json", "jsonl", "csv", "text"];
const ONLY_JSON: readonly BodyFormat[] = ["json"], TABLES: readonly BodyFormat[] = ["json", "csv"];

/** Paths of the Open Inference Protocol, with a version or without. */
const versioned = (route: Omit<Route, "path">, end: string): Route[] => [
  { ...route, path: `/v2/models/{model}${end}` },
  { ...route, path: `/v2/models/{model}/versions/{version}${end}` },
];

/** Paths of one model, whose name may be left out of the first one's. */
const either = (route: Omit<Route, "path">, path: string): Route[] => [
  { ...route, path },
  { ...route, path: `/models/{model}${path}` },
];

/** All of it, the most used first. */
export const ROUTES: readonly Route[] = [
  ...either({
    method: "POST",
    about: "Predicts one sequence or many, in the words of the data.",
    takes: ANY,
    query: ["attention"],
    body: "Sequences",
    answer: "Predictions",
    act: predict,
  }, "/predict"),
  ...either({
    method: "POST",
    about: "Takes the next samples of a sequence, and predicts all so far.",
    takes: ONLY_JSON,
    query: ["attention", "steps"],
    body: "Samples",
    answer: "Pushed",
    act: push,
  }, "/streams/{key}"),
  ...either(
    { method: "GET", about: "Says how many steps a stream has.", answer: "Steps", act: show },
    "/streams/{key}",
  ),
  ...either({ method: "DELETE", about: "Forgets a stream.", act: forget }, "/streams/{key}"),
  {
    method: "GET",
    path: "/health/live",
    isOpen: true,
    about: "Whether the service runs.",
    answer: "Health",
    act: live,
  },
  {
    method: "GET",
    path: "/health/ready",
    isOpen: true,
    about: "Whether it takes requests.",
    answer: "Health",
    act: ready,
  },
  { method: "GET", path: "/metrics", about: "Numbers for Prometheus.", act: metrics },
  {
    method: "GET",
    path: "/v2",
    about: "Open Inference: the server.",
    answer: "Server",
    act: () => replyTo(serverMetadata()),
  },
  {
    method: "GET",
    path: "/v2/health/live",
    isOpen: true,
    about: "Open Inference: whether it runs.",
    answer: "Health",
    act: live,
  },
  {
    method: "GET",
    path: "/v2/health/ready",
    isOpen: true,
    about: "Open Inference: whether it takes requests.",
    answer: "Health",
    act: ready,
  },
  ...versioned({
    method: "GET",
    about: "Open Inference: what a model takes and gives.",
    answer: "Model",
    act: (call) => using(call, (model) => replyTo(modelMetadata(model))),
  }, ""),
  ...versioned({
    method: "GET",
    isOpen: true,
    about: "Open Inference: whether a model takes requests.",
    answer: "Health",
    act: modelReady,
  }, "/ready"),
  ...versioned({
    method: "POST",
    about: "Open Inference: predicts tensors.",
    takes: ONLY_JSON,
    body: "Inference",
    answer: "Inferred",
    act: inferred,
  }, "/infer"),
  {
    method: "GET",
    path: "/ping",
    isOpen: true,
    about: "MLflow: whether it takes requests.",
    answer: "Health",
    act: ready,
  },
  {
    method: "POST",
    path: "/invocations",
    about: "MLflow: predicts tables or sequences.",
    takes: TABLES,
    query: ["attention"],
    body: "Invocations",
    answer: "PredictionList",
    act: predictions(["instances", "inputs"], TABLES),
  },
  {
    method: "POST",
    path: "/v1/models/{model}:predict",
    about: "TensorFlow Serving: predicts sequences.",
    takes: ONLY_JSON,
    query: ["attention"],
    body: "Instances",
    answer: "PredictionList",
    act: predictions(["instances"], ONLY_JSON),
  },
  {
    method: "GET",
    path: "/v1/models/{model}",
    about: "TensorFlow Serving: the state of a model.",
    answer: "Status",
    act: status,
  },
];
