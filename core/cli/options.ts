/** The command line: the options of a job as flags, and a few more. */

import { type GivenOptions, type Group, UsageError } from "../job/options.ts";
import type { Requirement } from "./requirements.ts";
import { expected, type OptionSpec, resolveOptions } from "../options.ts";

/** The commands that read data. */
export const READING: readonly Command[] = ["train", "evaluate", "predict"];

/** The groups that others than "train" take too; the checkpoint holds the rest. */
const SHARED_GROUPS: ReadonlySet<Group> = new Set(["files", "columns", "search", "data", "everything", "device"]);

/** Options that not all commands take which take others of their group. */
export const OPTION_COMMANDS: Readonly<Record<string, { readonly of: readonly Command[]; readonly instead?: string }>> =
  {
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

/** The commands that take an option. */
export function commandsOf(group: Group, name: string): readonly Command[] {
  return OPTION_COMMANDS[name]?.of ?? (SHARED_GROUPS.has(group) ? READING : ["train"]);
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
