/** Help on one command or one flag: more than the pages that list them. */

import { FLAGS } from "../job/options.ts";
import { formatsOf, suitOf } from "../job/suits.ts";
import { entryLine, helpText, namedFlag } from "./help.ts";
import { type Command, COMMANDS, commandsOf, EXTRA_FLAGS, SHORT_FLAGS } from "./options.ts";

/** What tokens of a text may be. */
const UNITS = {
  characters: "each character is a token",
  words: "words, numbers, emoji and other signs are tokens",
  subwords: "pieces of words, learned from the training part: of seq2seq",
  spaces: "what stands between spaces is a token: of seq2seq",
};

/** What the words mean that a flag takes, and numbers that say something of their own. */
export const WORDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "format": {
    csv: "any table with a delimiter, tabs in a .tsv",
    json: 'a list of {"x": …, "y": …}',
    jsonl: "such a record a line",
    ts: "the UCR and UEA archives' own",
    arff: "Weka's",
    ucr: "a class and then numbers, a line a sequence",
    npy: "NumPy's array, labels in --label-file",
    npz: "several of them, called x and y or by --x-key and --y-key",
    text: "a text, a tab and a label a line; without labels a class a file",
  },
  "decimal": { ".": "1.5, thousands as 1,000", ",": "1,5, thousands as 1.000" },
  "quote": { '"': "stands around cells that hold the delimiter", none: "is text like any other" },
  "layout": { ntc: "sequence, step, channel", nct: "sequence, channel, step" },
  "task": {
    binary: "one of two classes, by one output",
    multilabel: "any number of several labels",
    multiclass: "one of several classes",
    regression: "numbers",
    forecast: "the numbers to come: asked for by --target-column",
    seq2seq: "a text for a text: pairs of a source and a target",
  },
  "missing": {
    error: "they are an error",
    drop: "sequences, or windows of a forecast, with one are left out",
    zero: "0 in the data's units stands in",
    mean: "the channel's mean over the training part stands in",
    last: "the value before stands in, the mean before the first",
  },
  "tokens": UNITS,
  "source-tokens": UNITS,
  "target-tokens": UNITS,
  "vocabulary": { separate: "each side has its own tokens", joint: "both sides have the tokens of all texts" },
  "bridge": {
    linear: "the decoder starts from a linear layer of the encoder's last state",
    copy: "it starts from that state itself, which has its size",
  },
  "teacher-schedule": {
    constant: "the ratio stays",
    linear: "falls evenly from update to update",
    exponential: "times --teacher-k with every update",
    inverseSigmoid: "falls slowly, then fast, then slowly",
  },
  "normalize": {
    none: "texts stay as they are",
    lower: "lower case",
    ascii: "characters: accents off, letters, spaces and . , ; ' alone; words: a to z, 0 to 9 and ' alone",
  },
  "window-label": {
    majority: "the label that most rows of the window have",
    last: "that of its last row",
    same: "windows of one label alone, the others are left out",
  },
  "transform": {
    none: "the values",
    difference: "the change from row to row",
    logDifference: "the change of the logarithm: of values above 0",
  },
  "cell": { gru: "gated recurrent unit", lstm: "long short-term memory: a state more, a third more numbers" },
  "monitor": { loss: "the lower the better", accuracy: "the higher the better: of classes" },
  "validation-reduction": {
    batches: "of the batches' means, as the usual PyTorch loop has it",
    sequences: "of all sequences: the default with files",
  },
  "loss": {
    bce: "binary cross-entropy, by output: binary, multilabel, --one-hot",
    crossEntropy: "of one of several classes: the default of multiclass",
    mse: "mean squared error: the default of regression and forecasts",
    mae: "mean absolute error",
    huber: "squared up to --delta, absolute beyond",
    quantile: "of --quantiles 0.1,0.5,0.9: ranges in place of one number",
    focal: "crossEntropy that looks at what is hard, by --focal-gamma",
    binaryFocal: "bce likewise",
  },
  "schedule": {
    constant: "the learning rate stays",
    step: "times --gamma every --step-size epochs",
    cosine: "falls along a half wave to --eta-min",
    plateau: "falls when the monitored number has stopped improving",
  },
  "schedule-interval": { epoch: "the rate changes after epochs", update: "after every update" },
  "optimizer": {
    adam: "moments of the gradient, as PyTorch",
    adamw: "the same, its --weight-decay apart from the gradient",
    sgd: "the gradient, with --momentum if asked for",
    rmsprop: "the gradient over its running size",
  },
  "device": {
    auto: "trains a few steps on each and takes the faster one",
    wasm: "WebAssembly on the CPU",
    webgpu: "the GPU: the same as --gpu",
  },
  "pos-weight": { balanced: "zeros over ones among the training targets, for each output" },
  "threads": { auto: "all cores where it is worth it" },
  "simd": {
    auto: "the widest there is",
    plain: "the same bits on every machine",
    relaxed: "fused multiply-add where the machine has it",
    wide: "the same in larger tiles: what --wide takes",
  },
  "output": {
    jsonl: "a JSON object a line",
    csv: "a table with a head",
    text: "an answer a line: of seq2seq",
    json: "scores as one document: of train and evaluate",
  },
};

/** Commands in words: how they are called, for what, and an example or two. */
const USAGE: { readonly [Name in Command]: { readonly usage: string; readonly examples: readonly string[] } } = {
  train: {
    usage: "train [FILE …] [FLAGS]",
    examples: [
      "train moves.csv --sequence-column id --label-column kind --checkpoint checkpoints",
      "train sales.csv --target-column sales --window 24 --horizon 6",
      "train --resume checkpoints/last.json --epochs 200 --checkpoint checkpoints",
    ],
  },
  evaluate: {
    usage: "evaluate CHECKPOINT [FILE …] [FLAGS]",
    examples: ["evaluate checkpoints/best.json", "evaluate checkpoints/best.json new.csv"],
  },
  predict: {
    usage: "predict CHECKPOINT --input FILE [FLAGS]",
    examples: [
      "predict checkpoints/best.json --input new.csv --output csv",
      "predict checkpoints/best.json --input sales.csv --from-row -24",
    ],
  },
  convert: {
    usage: "convert FROM TO [FLAGS]",
    examples: [
      "convert checkpoints/best.json model.safetensors",
      "convert checkpoints/best.json model.onnx",
      "convert checkpoints/best.json model.js",
      "convert checkpoints/best.json model.html",
    ],
  },
  serve: {
    usage: "serve [NAME=]CHECKPOINT … [FLAGS]",
    examples: ["serve checkpoints/best.json", "serve moves=moves/best.json sales=sales/best.json --port 8080"],
  },
  info: { usage: "info FILE", examples: ["info checkpoints/best.json", "info model.onnx"] },
  help: { usage: "help [TOPIC | COMMAND | FLAG | all]", examples: ["help missing", "help evaluate", "help all"] },
};

/** Exit codes, where they say something. */
const CODES = "exit code: 0; 1 for bad data or a failure; 2 for flags that cannot be understood or do not apply";

/**
 * Help on a command, on a flag, or on a topic.
 *
 * @throws {UsageError} If there is no such thing.
 */
export function helpOn(topic: string): string {
  if (Object.hasOwn(COMMANDS, topic)) return commandPage(topic as Command);
  const flag = namedFlag(topic, flagNames());
  return flag === undefined ? helpText(topic) : flagPage(flag);
}

function flagNames(): string[] {
  return [...FLAGS.map(({ flag }) => flag), ...Object.keys(SHORT_FLAGS), ...Object.keys(EXTRA_FLAGS)];
}

/** The commands that take a flag. */
function takenBy(flag: string): readonly string[] {
  const option = FLAGS.find((one) => one.flag === flag);
  if (option) return commandsOf(option.group, option.name);
  const short = SHORT_FLAGS[flag];
  return short ? commandsOf(short.group, short.name) : EXTRA_FLAGS[flag]!.of ?? Object.keys(COMMANDS);
}

function commandPage(command: Command): string {
  const { usage, examples } = USAGE[command], flags = flagNames().filter((flag) => takenBy(flag).includes(command));
  return [
    COMMANDS[command].split(": ")[0]!,
    "",
    `usage: ${usage}`,
    ...examples.map((line) => `  ${line}`),
    "",
    ...flags.length ? ["Flags", ...flags.map((flag) => entryLine(flag)), ""] : [],
    CODES,
  ].join("\n");
}

function flagPage(flag: string): string {
  const words = Object.entries(WORDS[flag] ?? {}), width = Math.max(0, ...words.map(([word]) => word.length));
  return [
    entryLine(flag).trimStart(),
    ...words.map(([word, meaning]) => `  ${word.padEnd(width)}  ${meaning}`),
    ...suits(flag).map((line) => `  ${line}`),
    "",
    helpText(flag),
  ].join("\n");
}

/** What a flag is for, in lines. */
function suits(flag: string): string[] {
  const { group, name } = FLAGS.find((one) => one.flag === flag) ?? {}, suit = group && suitOf(group, name!);
  const formats = name === undefined ? undefined : formatsOf(name);
  return [
    `taken by: ${takenBy(flag).join(", ")}`,
    ...formats ? [`formats: ${formats.join(", ")}`] : [],
    ...suit?.forms ? [`for ${suit.forms.join(" and ")}`] : [],
    ...suit?.input ? [`for ${suit.input}${suit.tasks ? `, and the task ${suit.tasks.join(" or ")}` : ""}`] : [],
    ...suit?.tasks && !suit.input ? [`for the task ${suit.tasks.join(" or ")}`] : [],
  ];
}
