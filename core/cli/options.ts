/** The command line: the options of a job as flags, and a few more. */

import { loadUtil } from "../../deps.ts";
import { flagFor, FLAGS, type GivenOptions, type Group, JOB_OPTIONS, UsageError } from "../job/options.ts";
import { PAIR_SAMPLES, samplePath } from "../job/sample_pairs.ts";
import { type Requirement, requirementsOf } from "./requirements.ts";
import { expected, type OptionSpec, resolveOptions } from "../options.ts";

const { parseArgs } = await loadUtil();

/** The commands that read data. */
const READING: readonly Command[] = ["train", "evaluate", "predict"];

/** The groups that others than "train" take too; the checkpoint holds the rest. */
const SHARED_GROUPS: ReadonlySet<Group> = new Set(["files", "columns", "search", "data", "everything", "device"]);

/** Options that not all commands take which take others of their group. */
const OPTION_COMMANDS: Readonly<Record<string, { readonly of: readonly Command[]; readonly instead?: string }>> = {
  testData: { of: ["train"], instead: "name files: evaluate CHECKPOINT FILE" },
  testLabelFile: { of: ["train"] },
  labelFile: { of: ["train", "evaluate"] },
  labelsTable: { of: ["train", "evaluate"] },
  key: { of: ["train", "evaluate"] },
  yKey: { of: ["train", "evaluate"] },
  testRows: { of: ["train", "evaluate"] },
  targetFile: { of: ["train", "evaluate"] },
  targetColumns: { of: ["train", "evaluate"] },
  // What a file may not say of its outputs.
  loss: { of: ["train", "evaluate", "predict", "convert", "serve"] },
  quantiles: { of: ["train", "evaluate", "predict", "convert", "serve"] },
};

/** Flags that are no option of the library: what they take (none: a switch), what they mean, and whose alone they are. */
export const EXTRA_FLAGS: Record<string, { takes?: string; about: string; of?: Command[] }> = {
  checkpoint: {
    takes: "PATH",
    about: "keep last.json and best.json in this folder, or a file PATH.json",
    of: ["train", "evaluate", "predict", "info"],
  },
  "checkpoint-every": {
    takes: "N",
    about: "write last.json every N epochs, or minutes: 5m (default 1, a tenth of the time at most)",
    of: ["train"],
  },
  keep: {
    takes: "N",
    about: "keep the last N checkpoints as step-S.json, and those of N earlier runs (default 0 and 3)",
    of: ["train"],
  },
  resume: { takes: "FILE", about: "resume a checkpoint, bit for bit", of: ["train"] },
  from: {
    takes: "FILE",
    about: "start from a model's weights and preprocessing, with new data",
    of: ["train"],
  },
  "unknown-tokens": { about: "with --from: take tokens that the model does not know as unknown", of: ["train"] },
  "log-file": {
    takes: "FILE",
    about: "write one JSON line per epoch; with --resume in step with the checkpoint",
    of: ["train"],
  },
  report: {
    takes: "FILE",
    about: "write a page with curves, confusion matrix and attention",
    of: ["train"],
  },
  tensorboard: { takes: "DIR", about: "write an event file for TensorBoard", of: ["train"] },
  plot: { about: "draw the curves in the terminal at the end", of: ["train"] },
  mpi: {
    takes: "PATH",
    about: "with mpirun or srun: the MPI library, if it is not found: libmpi.so.40",
    of: ["train"],
  },
  sample: {
    takes: "SAMPLE",
    about: "train on made pairs, by --seed: dates, 10,000 of which 2,000 are held out",
    of: ["train"],
  },
  seeds: { takes: "N", about: "train with N consecutive seeds: mean and deviation", of: ["train"] },
  input: { takes: "FILE", about: "predict: sequences in the data's format; - for standard input", of: ["predict"] },
  "from-row": {
    takes: "N",
    about: "predict: all steps of the horizon from row N on, counted from 0; -24: from the last 24 on",
    of: ["predict"],
  },
  output: {
    takes: "FORMAT",
    about: "predict: jsonl, csv, or text (seq2seq); train, evaluate: json, one document of scores",
    of: ["train", "evaluate", "predict"],
  },
  require: {
    takes: "SCORE=X,…",
    about: "exit with code 3 where a score is missed: accuracy=0.9, rmse<5",
    of: ["train", "evaluate"],
  },
  attention: { about: "predict: include the weight of every step", of: ["predict"] },
  wide: {
    about: "start again under flags of V8: up to twice as fast, no bounds checks in WebAssembly",
    of: ["train", "evaluate", "predict"],
  },
  "no-wasm": { about: "convert to .js or .html: plain JavaScript alone", of: ["convert"] },
  "wasm-file": { about: "convert to .js: the WebAssembly in a file beside it, for Workers", of: ["convert"] },
  port: { takes: "N", about: "serve: the port, 0 for any that is free (default 8000)", of: ["serve"] },
  host: { takes: "ADDRESS", about: "serve: where to listen; 0.0.0.0: everywhere (default 127.0.0.1)", of: ["serve"] },
  "max-body": { takes: "BYTES", about: "serve: the largest body, unpacked (default 1048576)", of: ["serve"] },
  cors: { takes: "ORIGIN", about: "serve: pages of this origin may ask; *: all pages", of: ["serve"] },
  quiet: {
    about: "print the last line only; predict: no notes; serve: no line a request",
    of: ["train", "evaluate", "predict", "convert", "serve"],
  },
  help: { about: "list the common flags" },
  version: { about: "print the version" },
};

/** Flags that stand for an option with a value. */
export const SHORT_FLAGS: Record<string, { group: Group; name: string; value: string; about: string }> = {
  gpu: { group: "device", name: "device", value: "webgpu", about: "the same as --device webgpu" },
};

/** The commands. */
export const COMMANDS = {
  train: "train on files, or on the sample job's data (the default): train [FILE …]",
  evaluate: "score a checkpoint: evaluate CHECKPOINT [FILE …]",
  predict: "predict sequences with a checkpoint: predict CHECKPOINT --input FILE",
  convert: "convert to .safetensors, .pt, .onnx, .js, .html or .json: convert FROM TO",
  serve: "answer over HTTP: serve CHECKPOINT, or several as NAME=CHECKPOINT",
  info: "describe a model file: info FILE",
  help: "list flags: help TOPIC, help COMMAND, help FLAG, help all",
};

/** One of the commands. */
export type Command = keyof typeof COMMANDS;

/** A command line, understood. */
export interface Arguments {
  readonly command: Command;
  /** As it was typed. */
  readonly words: readonly string[];
  /** The words after the command. */
  readonly operands: readonly string[];
  /** The options that were given, by group. */
  readonly given: GivenOptions;
  readonly checkpoint?: string;
  readonly checkpointEvery?: string;
  readonly keep?: number;
  readonly resume?: string;
  readonly from?: string;
  readonly unknownTokens: boolean;
  readonly logFile?: string;
  readonly report?: string;
  readonly tensorboard?: string;
  readonly plot: boolean;
  /** The library by which processes train together. */
  readonly mpi?: string;
  /** How many trainings, with seeds that follow one another. */
  readonly seeds: number;
  readonly input?: string;
  readonly fromRow?: number;
  /** Form of predictions, absent where nobody said; for others "json": scores as one document on standard output, all else on standard error. */
  readonly output?: "text" | "jsonl" | "csv" | "json";
  /** What the scores must be. */
  readonly require: readonly Requirement[];
  readonly attention: boolean;
  /** Which of several trainings this is: they share a log, whose lines are kept in `lines` where another process writes them. */
  readonly run?: { readonly name: string; readonly isFirst: boolean; readonly lines?: string[] };
  readonly wide: boolean;
  /** Where a module has its WebAssembly. */
  readonly wasm: "inline" | "file" | "none";
  /** Where a service listens, and what it takes. */
  readonly port: number;
  readonly host: string;
  readonly maxBody?: number;
  readonly cors?: string;
  readonly quiet: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

/** The flags of lists. */
const LISTS = new Set(FLAGS.filter(({ spec }) => spec.type === "texts").map(({ flag }) => flag));

/**
 * Reads a command line.
 *
 * @throws {UsageError} If a flag is unknown, or a value is not one that it takes.
 */
export function parseCommandLine(args: readonly string[]): Arguments {
  const options: Record<string, { type: "string" | "boolean" }> = {};
  for (const { flag, formerly, spec } of FLAGS) {
    for (const name of [flag, ...formerly]) options[name] = { type: spec.type === "boolean" ? "boolean" : "string" };
  }
  for (const flag of Object.keys(SHORT_FLAGS)) options[flag] = { type: "boolean" };
  for (const [flag, { takes }] of Object.entries(EXTRA_FLAGS)) options[flag] = { type: takes ? "string" : "boolean" };
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const positionals: string[] = [], values = new Map<string, string | boolean>();
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const negative = token.name.startsWith("no-") && !(token.name in options),
      name = negative ? token.name.slice(3) : token.name;
    const type = Object.hasOwn(options, name) ? options[name]!.type : undefined;
    if (!type || negative && type !== "boolean") {
      throw new UsageError(`unknown flag ${token.rawName}${suggestion(name, Object.keys(options))}: see --help`);
    }
    if (type === "boolean" && token.value !== undefined) {
      throw new UsageError(`--${name} takes no value, got "${token.value}"`);
    }
    // What looks like the next flag is a value only where it was tied to this one: --checkpoint=--odd
    const missing = !token.value || token.value.startsWith("--") && !token.inlineValue;
    if (type === "string" && missing) throw new UsageError(`--${name} needs a value: see --help`);
    // A flag given again continues its list.
    const before = LISTS.has(name) ? values.get(name) : undefined;
    values.set(name, type === "boolean" ? !negative : before ? `${before},${token.value}` : token.value!);
  }
  const [command = "train", ...operands] = positionals;
  if (!Object.hasOwn(COMMANDS, command)) {
    throw new UsageError(`unknown command "${command}": it must be one of ${Object.keys(COMMANDS).join(", ")}`);
  }
  const given = Object.fromEntries(Object.keys(JOB_OPTIONS).map((group) => [group, {}])) as Record<
    Group,
    Record<string, unknown>
  >;
  for (const { group, name, spec, flag, formerly } of FLAGS) {
    const text = [flag, ...formerly].map((name) => values.get(name)).find((value) => value !== undefined);
    if (text === undefined) continue;
    refuseElsewhere(command as Command, group, name, flag);
    given[group][name] = convert(flag, name, spec, text);
  }
  for (const [flag, { group, name, value }] of Object.entries(SHORT_FLAGS)) {
    if (!values.get(flag)) continue;
    const other = given[group][name] ?? value;
    if (other !== value) throw new UsageError(`--${flag} and --${flagFor(group, name)} ${other} contradict each other`);
    given[group][name] = value;
  }
  const { device, threads, simd } = given.device;
  if (device === "webgpu" && (threads ?? simd) !== undefined) {
    throw new UsageError(`--${threads === undefined ? "simd" : "threads"} belongs to --device wasm`);
  }
  if (device === "auto" && command !== "train") {
    throw new UsageError(`--device auto belongs to train, not to ${command}`);
  }
  for (const [flag, { of }] of Object.entries(EXTRA_FLAGS)) {
    if (values.has(flag) && of && !of.includes(command as Command)) throw new UsageError(elsewhere(flag, of, command));
  }
  const text = (flag: string) => values.get(flag) as string | undefined;
  if (values.has("sample")) takeSample(given, text("sample")!, { operands, resume: text("resume") });
  return {
    command: command as Command,
    words: args,
    operands,
    given,
    checkpoint: text("checkpoint"),
    checkpointEvery: text("checkpoint-every"),
    keep: values.has("keep") ? convert("keep", "keep", KEEP, text("keep")!) as number : undefined,
    resume: text("resume"),
    from: text("from"),
    unknownTokens: values.get("unknown-tokens") === true,
    logFile: text("log-file"),
    report: text("report"),
    tensorboard: text("tensorboard"),
    plot: values.get("plot") === true,
    mpi: text("mpi"),
    seeds: convert("seeds", "seeds", SEEDS, text("seeds") ?? "1") as number,
    input: text("input"),
    fromRow: values.has("from-row") ? convert("from-row", "row", ROW, text("from-row")!) as number : undefined,
    output: outputOf(command as Command, text("output")),
    require: requirementsOf(text("require")),
    attention: values.get("attention") === true,
    wide: values.get("wide") === true,
    wasm: wasmOf(values.get("no-wasm") === true, values.get("wasm-file") === true),
    port: convert("port", "port", PORT, text("port") ?? "8000") as number,
    host: text("host") ?? "127.0.0.1",
    maxBody: values.has("max-body") ? convert("max-body", "bytes", BYTES, text("max-body")!) as number : undefined,
    cors: text("cors"),
    quiet: values.get("quiet") === true,
    help: values.get("help") === true,
    version: values.get("version") === true,
  };
}

/** A sample of pairs as the data, with its options where others are not given. */
function takeSample(
  given: Record<Group, Record<string, unknown>>,
  text: string,
  { operands, resume }: Pick<Arguments, "operands" | "resume">,
): void {
  const name = convert("sample", "sample", SAMPLE, text) as keyof typeof PAIR_SAMPLES;
  const file = operands[0] ?? (given.files.data as string[] | undefined)?.[0];
  if (file !== undefined) throw new UsageError(`--sample ${name} is data in place of files: leave "${file}" out`);
  given.files.data = [samplePath(name, given.everything.seed as number ?? 0)];
  // A checkpoint holds the rest.
  if (resume !== undefined) return;
  for (const [group, options] of Object.entries(PAIR_SAMPLES[name])) {
    given[group as Group] = { ...options, ...given[group as Group] };
  }
}

/** The commands that take an option. */
export function commandsOf(group: Group, name: string): readonly Command[] {
  return OPTION_COMMANDS[name]?.of ?? (SHARED_GROUPS.has(group) ? READING : ["train"]);
}

/** Refuses an option that a command does not take. */
function refuseElsewhere(command: Command, group: Group, name: string, flag: string): void {
  const own = OPTION_COMMANDS[name], of = commandsOf(group, name);
  if (of.includes(command)) return;
  if (!own && of.length === 1 && READING.includes(command)) {
    throw new UsageError(`${command} takes no --${flag}: the checkpoint holds it`);
  }
  const { instead } = own ?? {};
  throw new UsageError(elsewhere(flag, of, command) + (instead && command === "evaluate" ? `: ${instead}` : ""));
}

function elsewhere(flag: string, of: readonly string[], command: string): string {
  const owners = of.join(", ").replace(/, (\w+)$/, " and $1");
  return `--${flag} belongs to ${owners}, not to ${command}`;
}

const SAMPLE: OptionSpec = { type: "choice", choices: Object.keys(PAIR_SAMPLES), about: "a sample of pairs" };
const KEEP: OptionSpec = { type: "integer", least: 0, most: 1e6, about: "numbered checkpoints" };
const ROW: OptionSpec = { type: "integer", least: -1e9, most: 1e9, about: "a row" };
const PORT: OptionSpec = { type: "integer", least: 0, most: 65535, about: "a port" };
const BYTES: OptionSpec = { type: "integer", least: 1, most: 2 ** 32, about: "bytes" };
const SEEDS: OptionSpec = { type: "integer", least: 1, most: 10000, about: "trainings" };

/** Where a module has its WebAssembly. */
function wasmOf(without: boolean, inFile: boolean): Arguments["wasm"] {
  if (without && inFile) throw new UsageError("--no-wasm and --wasm-file contradict each other");
  return without ? "none" : inFile ? "file" : "inline";
}

/** The form of what a command puts out. */
function outputOf(command: Command, text?: string): Arguments["output"] {
  const isPrediction = command === "predict", choices = isPrediction ? ["jsonl", "csv", "text"] : ["json"];
  if (text === undefined) return isPrediction ? undefined : "text";
  return convert("output", "output", { type: "choice", choices, about: "form" }, text) as Arguments["output"];
}

/** A flag's text as the value of its option, checked by the option's table. */
export function convert(flag: string, name: string, spec: OptionSpec, text: string | boolean): unknown {
  const number = (part: string) => part.trim() === "" ? NaN : Number(part);
  const value = typeof text === "boolean" || spec.type === "choice" || spec.type === "text"
    ? text
    : spec.words?.includes(text)
    ? text
    : spec.type === "texts"
    ? text.split(",").map((word) => word.trim())
    : spec.type === "numbers" || spec.type === "list"
    ? text.split(",").map(number)
    : number(text);
  try {
    return resolveOptions("", { [name]: spec }, { [name]: value })[name];
  } catch {
    throw new UsageError(`--${flag} must be ${expected(spec)}, got "${text}"`);
  }
}

/** " (did you mean --epochs?)", if some flag is but two letters away, and shares one at least. */
function suggestion(name: string, flags: string[]): string {
  const nearest = flags.map((flag) => ({ flag, distance: distance(name, flag) })).sort((a, b) =>
    a.distance - b.distance
  )[0]!;
  return nearest.distance <= Math.min(2, name.length - 1) ? ` (did you mean --${nearest.flag}?)` : "";
}

/** Insertions, deletions and changes from a to b (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1]));
    }
    row = next;
  }
  return row[b.length]!;
}
