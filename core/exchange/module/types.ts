/** The types of modules, as text. */

import type { LabelState } from "../../data/labels.ts";
import type { ProgramInput } from "../../model/program_text.ts";

/** Names that a type lists; more are any string. */
const MOST_NAMES = 100;

/** What a module takes and gives. */
export interface Answer {
  /** A sequence, and one step of it where they come one by one. */
  readonly sequence: string;
  readonly step?: string;
  /** The fields of a prediction. */
  readonly prediction: string;
  /** What a stream says while it has too few steps. */
  readonly early?: boolean;
  /** Parameters of `predict` and `push` besides. */
  readonly more?: string;
  /** Other declarations. */
  readonly others?: string;
  /** What `info` says besides. */
  readonly info: string;
}

/** A type of names. */
function union(names: readonly string[]): string {
  return names.length && names.length <= MOST_NAMES ? names.map((name) => JSON.stringify(name)).join(" | ") : "string";
}

/** The fields of an answer of classes. */
export function labelTypes({ task, names }: LabelState, quantiles?: readonly number[]): string {
  if (task === "regression") return amountTypes(names, quantiles);
  const own = union(names);
  const label = task === "multilabel" ? `labels: (${own})[]` : `label: ${own}`;
  return `${label};\n  probabilities: Record<${own}, number>`;
}

/** The fields of an answer of numbers. */
export function amountTypes(names: readonly string[], quantiles?: readonly number[]): string {
  const value = quantiles ? `Record<${quantiles.map((q) => `"${q}"`).join(" | ")}, number>` : "number";
  return `/** In the data's units. */\n  ${quantiles ? "quantiles" : "values"}: Record<${union(names)}, ${value}>`;
}

/** A sequence with columns: rows as lists or objects. */
export function recordOf(
  columns: readonly string[],
  channels: number,
  stepNames?: readonly string[],
): { sequence: string; step: string } {
  const number = "number | null | undefined";
  const steps = [
    ...columns.length ? [`Record<${union(columns)}, ${number}>`] : [],
    `ArrayLike<${number}>`,
    ...channels === 1 ? [number] : [],
  ];
  const step = steps.join(" | "), row = stepNames ? `Record<${union(stepNames)}, ${number}> | ` : "";
  return { sequence: `${row}readonly (${step})[] | Float32Array | Float64Array`, step };
}

/** How an answer is given. */
interface Given {
  readonly everyStep?: boolean;
  readonly hasWeights: boolean;
  readonly isText: boolean;
  readonly horizon?: number;
  /** Whether a stream says nothing of its first steps. */
  readonly early?: boolean;
}

const WEIGHTS = ";\n  /** How much each step counts. */\n  attention: number[]";

/** The types of a model with preprocessing. */
export function classTypes(
  sequence: string | { sequence: string; step: string },
  answer: string,
  { everyStep, hasWeights, isText, horizon, early }: Given,
): Answer {
  const own = everyStep
    ? `/** What it says of each step. */\n  steps: { ${answer.replaceAll("\n", " ")} }[]`
    : horizon
    ? `${answer}[]`
    : answer;
  const taken = typeof sequence === "string" ? { sequence } : sequence;
  return {
    ...taken,
    prediction: `${own}${isText ? ";\n  tokens: string[]" : ""}${hasWeights ? WEIGHTS : ""}`,
    early,
    info: "readonly task: string;\n  readonly input: string",
  };
}

/** The types of a model without preprocessing. */
export function plainTypes(
  predicts: string,
  { steps, hasWeights, inputs }: { steps: boolean; hasWeights: boolean; inputs: readonly ProgramInput[] },
): Answer {
  const others = inputs.filter(({ isX }) => !isX).map(({ name }) => `${JSON.stringify(name)}: ArrayLike<number>`);
  return {
    sequence: "ArrayLike<number> | readonly ArrayLike<number>[]",
    step: "number | ArrayLike<number>",
    prediction: `${predicts}: ${steps ? "number[][]" : "number[]"}${hasWeights ? WEIGHTS : ""}`,
    more: others.length ? `, inputs: { ${[...new Set(others)].join("; ")} }` : "",
    info: "/** Numbers per step, and outputs. */\n  readonly width: number;\n  readonly outputs: number",
  };
}

/** What a model from sequences to sequences takes and gives. */
interface PairSides {
  readonly source: "text" | "tokens" | "steps";
  readonly target: "text" | "tokens" | "steps";
  readonly isSearch?: boolean;
  readonly quantiles?: readonly number[];
  /** Whether the model knows how many steps to say. */
  readonly stepsGiven?: boolean;
}

const SOURCES = {
  text: "string",
  tokens: "ArrayLike<number>",
  steps: "readonly (number | ArrayLike<number>)[] | Float32Array | Float64Array",
} as const;

/** The types of a model from sequences to sequences. */
export function pairTypes({ source, target, isSearch, quantiles, stepsGiven }: PairSides): Answer {
  const own = source === "text" ? ";\n  sourceTokens: string[]" : "";
  const heard = ";\n  /** How much each step of the source counts at each step of the answer, a text's end too. */\n" +
    `  attention: number[][]${own}`;
  const info = "readonly task: string;\n  readonly input: string;\n  readonly output: string";
  if (!isSearch) {
    const values = quantiles
      ? `/** Of each quantile the numbers of every step. */\n  quantiles: Record<${
        quantiles.map((q) => `"${q}"`).join(" | ")
      }, number[][]>`
      : "/** The numbers of every step. */\n  values: number[][]";
    const options = `{ steps${stepsGiven ? "?" : ""}: number; start?: ArrayLike<number> }`,
      mark = stepsGiven ? "?" : "";
    return {
      sequence: SOURCES[source],
      prediction: `${values}${heard}`,
      more: `, options${mark}: ${options}`,
      info,
      others:
        `\n/** The same. */\nexport function forecast(sequence: Sequence, options${mark}: ${options}): Prediction;\n`,
    };
  }
  const isText = target === "text", token = isText ? "string" : "number";
  const said = isText
    ? "text: string;\n  /** The sum of its tokens' log-probabilities. */\n  logProbability: number;\n  tokens: string[]"
    : "tokens: number[];\n  /** The sum of their log-probabilities. */\n  sum: number;\n" +
      "  /** For each the step of the source that counted most. */\n  aligned: number[]";
  return {
    sequence: SOURCES[source],
    prediction: `${said};\n  /** With the penalties: what answers are ranked by. */\n  score: number;\n` +
      "  /** Whether it ended by itself. */\n  ended: boolean;\n" +
      `  /** Of each token, the end's too. */\n  logProbabilities: number[]${heard}`,
    more: ", options?: SearchOptions",
    info,
    others: `
/** How answers are searched for. */
export interface SearchOptions {
  /** Hypotheses that are followed; 1, the default, is greedy. */
  width?: number;
  /** Answers that \`search\` gives. Default: width. */
  nBest?: number;
  /** Most tokens of an answer, its end among them; fewest, without it. */
  maxLength?: number;
  minLength?: number;
  /** How much longer answers are favored, and those that look at every step. Default 0. */
  lengthPenalty?: number;
  coveragePenalty?: number;
  /** No n tokens in a row occur twice. Default 0: they may. */
  noRepeat?: number;
  /** Tokens that answers begin with. */
  prefix?: readonly ${token}[];${
      isText && source === "text"
        ? "\n  /** Whether the source's word stands in for an unknown one. Default true. */\n  replaceUnknown?: boolean;"
        : ""
    }
}

/** The best answers, the best first. */
export function search(sequence: Sequence, options?: SearchOptions): Prediction[];
`,
  };
}

/** The text of a module's types. */
export function typesText(
  { sequence, step, prediction, early, more = "", others, info }: Answer,
  hasFile: boolean,
): string {
  const stream = step && `
/** A sequence that comes one step at a time: each push says what all steps so far do. */
export function start(): {
  readonly steps: number;
  push(step: ${step}${more}): Prediction${early ? " | undefined" : ""};
  reset(): void;
};
`;
  const load = hasFile && `
/**
 * Goes on in WebAssembly: in a compiled module or its bytes, such as \`import module from "./model.wasm"\` gives in a Worker; by
 * default in the file beside this one. Until then predictions are in plain JavaScript, with the same bits.
 */
export function useWasm(source?: WebAssembly.Module | BufferSource): Promise<void>;
`;
  return `/** What the model says of one sequence. */
export interface Prediction {
  ${prediction};
}

/** A sequence. */
export type Sequence = ${sequence};

/**
 * Predicts one sequence.
 *
 * @throws {TypeError | RangeError} If it cannot be predicted: the message says why, \`field\` says which field it is about.
 */
export function predict(sequence: Sequence${more}): Prediction;
${stream || ""}${others ?? ""}${load || ""}
/** What the model is. */
export const info: {
  readonly name: string;
  readonly version: string;
  ${info};
  /** What it runs in: both have the same bits. */
  readonly engine: "WebAssembly" | "JavaScript";
  readonly [more: string]: unknown;
};
`;
}
