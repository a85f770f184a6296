/** The routes of a service as OpenAPI 3.1 has them. */

import { VERSION } from "../version.ts";
import type { BodyFormat } from "./body.ts";
import { channelsOf, isText } from "./open_inference.ts";
import { QUERY, type Route } from "./routes.ts";
import type { ServedModel } from "./served_model.ts";
import type { Service } from "./service.ts";

/** Schemas by name; those of sequences depend on the models. */
type Schemas = Readonly<Record<string, object>>;

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const list = (items: object) => ({ type: "array", items, minItems: 1 });
const object = (properties: Record<string, object>, required: readonly string[] = []) => ({
  type: "object",
  properties,
  ...required.length && { required },
});

const STRING = { type: "string" }, NUMBER = { type: "number" }, BOOLEAN = { type: "boolean" };
const NULLABLE = { type: ["number", "null"] };

/** Media types of bodies. */
const MEDIA: Readonly<Record<BodyFormat, string>> = {
  json: "application/json",
  jsonl: "application/x-ndjson",
  csv: "text/csv",
  text: "text/plain",
};

const PARAMETERS: Readonly<Record<string, object>> = {
  model: { description: "The model's name." },
  version: { description: "Its version." },
  key: { description: "The stream's key." },
};

/** What a sequence is, for a model. */
function sequenceOf(model: ServedModel): object {
  if (isText(model)) return STRING;
  const channels = channelsOf(model), { names } = model;
  const numbers = { type: "array", items: NULLABLE, minItems: channels, maxItems: channels };
  const step = names ? { anyOf: [numbers, ...stepOf(model)] } : numbers;
  return channels === 1 ? { anyOf: [list(step), list(NULLABLE)] } : list(step);
}

/** A step by the names of its numbers. */
function stepOf({ names }: ServedModel): object[] {
  return names ? [object(Object.fromEntries(names.map((name) => [name, NULLABLE])), names)] : [];
}

function schemas({ names, model }: Service): Schemas {
  const all = names.map((name) => sequenceOf(model(name)));
  const x = all.length === 1 ? all[0]! : { anyOf: all };
  const instances = list({ anyOf: [ref("Sequence"), x] });
  const tensor = {
    name: STRING,
    shape: { type: "array", items: { type: "integer" } },
    datatype: STRING,
    parameters: { type: "object" },
    data: { type: "array" },
  };
  const cells = { type: ["string", "number", "boolean", "null"] };
  return {
    Sequence: object({ x: { ...x, description: "Its steps, or its text." }, id: { type: ["string", "number"] } }, [
      "x",
    ]),
    Sequences: { anyOf: [ref("Sequence"), list(ref("Sequence")), x] },
    Samples: {
      anyOf: [ref("Sequence"), list(NULLABLE), ...names.flatMap((name) => stepOf(model(name))), x],
      description: "A sample, or several.",
    },
    Prediction: object({
      id: STRING,
      label: STRING,
      labels: { type: "array", items: STRING },
      class: { type: "integer" },
      values: { anyOf: [{ type: "object", additionalProperties: NUMBER }, { type: "array", items: NUMBER }] },
      probabilities: { anyOf: [{ type: "object", additionalProperties: NUMBER }, { type: "array", items: NUMBER }] },
      quantiles: { type: "object" },
      answers: { type: "array", items: { type: "object" } },
    }),
    Predictions: { anyOf: [ref("Prediction"), { type: "array" }] },
    PredictionList: object({ predictions: { type: "array" } }, ["predictions"]),
    Pushed: object({ steps: { type: "integer" }, prediction: ref("Predictions") }, ["steps", "prediction"]),
    Steps: object({ steps: { type: "integer" } }, ["steps"]),
    Health: object({ live: BOOLEAN, ready: BOOLEAN, name: STRING }),
    Server: object({ name: STRING, version: STRING, extensions: { type: "array", items: STRING } }, [
      "name",
      "version",
    ]),
    Model: object({
      name: STRING,
      versions: { type: "array", items: STRING },
      platform: STRING,
      inputs: { type: "array", items: object(tensor) },
      outputs: { type: "array", items: object(tensor) },
    }, ["name", "inputs", "outputs"]),
    Inference: object({
      id: STRING,
      inputs: list(object(tensor, ["name", "shape", "datatype"])),
      outputs: { type: "array", items: object({ name: STRING }, ["name"]) },
    }, ["inputs"]),
    Inferred: object({ model_name: STRING, model_version: STRING, id: STRING, outputs: list(object(tensor)) }, [
      "outputs",
    ]),
    Instances: object({ instances }, ["instances"]),
    Invocations: {
      anyOf: [
        object({ instances }, ["instances"]),
        object({ inputs: instances }, ["inputs"]),
        object({
          dataframe_split: object({
            columns: { type: "array", items: STRING },
            data: { type: "array", items: { type: "array", items: cells } },
          }, ["columns", "data"]),
        }, ["dataframe_split"]),
        object({ dataframe_records: list({ type: "object", additionalProperties: cells }) }, ["dataframe_records"]),
      ],
    },
    Status: object({ model_version_status: { type: "array", items: { type: "object" } } }, ["model_version_status"]),
    Error: object({
      error: { ...STRING, description: "What is wrong." },
      field: { ...STRING, description: "Where in the body." },
      code: { ...STRING, description: "The same in a word that stays from version to version." },
    }, ["error"]),
  };
}

/** The document. */
export function openApi(routes: readonly Route[], service: Service): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route, service);
  const { token } = service.options, bound = { names: service.names, model: (name?: string) => service.model(name) };
  return {
    openapi: "3.1.0",
    info: { title: `Predictions of ${service.names.join(", ")}`, version: VERSION },
    ...token !== undefined && { security: [{ token: [] }] },
    paths,
    components: {
      schemas: schemas(bound as Service),
      ...token !== undefined && { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    },
  };
}

function operation({ path, method, about, takes, query, body, answer, isOpen }: Route, { names }: Service): object {
  const names_ = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name!);
  const parameters: object[] = names_.map((name) => ({
    name,
    in: "path",
    required: true,
    ...PARAMETERS[name],
    schema: name === "model" ? { ...STRING, enum: names } : STRING,
  }));
  for (const name of query ?? []) parameters.push({ name, in: "query", ...QUERY[name] });
  const media = (name: string, of = ref(name)) => ({ content: { "application/json": { schema: of } } });
  const error = (description: string) => ({ description, ...media("Error") });
  const id = path.replace(/[{}]/g, "").replace(/\W+(\w)/g, (_, letter: string) => letter.toUpperCase());
  return {
    operationId: `${method.toLowerCase()}${id === "/" ? "Page" : id}`,
    summary: about,
    ...isOpen && { security: [] },
    ...parameters.length && { parameters },
    ...takes && {
      requestBody: {
        required: true,
        content: Object.fromEntries(
          takes.map((format) => [MEDIA[format], { schema: format === "json" ? ref(body!) : STRING }]),
        ),
      },
    },
    responses: {
      ...method === "DELETE"
        ? { 204: { description: "It is forgotten." } }
        : { 200: { description: "OK", ...answer !== undefined && media(answer) } },
      ...takes && {
        400: error("The body is wrong: field says where."),
        413: error("The body is too large."),
        415: error("The body is of another type."),
      },
      ...answer === "Health" && { 503: { description: "Not now." } },
      default: error("Anything else."),
    },
  };
}
