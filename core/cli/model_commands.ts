import type { Dataset } from "../data/dataset.ts";
import { sampleDataset } from "../data/sample.ts";
import type { Model, Sequences } from "../model/model.ts";
import { evaluate, predict } from "../train/evaluate.ts";
import type { LoadedCheckpoint } from "../train/checkpoint.ts";
import { type Arguments, resolveJob, UsageError } from "./options.ts";
import { readCheckpoint, readError, storedJob } from "./read_checkpoint.ts";
import { Terminal } from "./terminal.ts";
import { jobData, scores, targetsFor } from "./train_command.ts";

/** The checkpoint of `evaluate` and `predict`: an operand, or --checkpoint. */
async function openCheckpoint(args: Arguments): Promise<LoadedCheckpoint> {
  const { command, operands, checkpoint } = args, [path = checkpoint, extra] = operands;
  if (path === undefined) {
    throw new UsageError(`${command} needs a checkpoint, such as: ${command} checkpoints/best.json`);
  }
  if (extra !== undefined || operands.length > 0 && checkpoint !== undefined) {
    throw new UsageError(`${command} takes one checkpoint, got also "${extra ?? checkpoint}"`);
  }
  return await readCheckpoint(path, args);
}

/** The data that a checkpoint was trained and tested on; new data where the command line describes some. */
function dataOf(loaded: LoadedCheckpoint, { given, command }: Arguments): { train?: Dataset; test: Dataset } {
  const stored = storedJob(loaded), { inputSize, outputSize } = loaded.model.config;
  if (outputSize !== 2) {
    throw new Error(
      `cannot ${command}: the data of this command have 2 classes, the checkpoint's model has ${outputSize}`,
    );
  }
  if (Object.keys(given.data).length || Object.keys(given.everything).length) {
    const { data, everything: { seed } } = resolveJob({ ...given, data: { features: inputSize, ...given.data } });
    if (data.features !== inputSize) {
      throw new UsageError(`--features must be ${inputSize}, as in the checkpoint, got ${data.features}`);
    }
    return { test: sampleDataset({ ...data, seed }) };
  }
  if (!stored) {
    throw new Error(`cannot ${command}: the checkpoint names no data; give some with --size, --steps and --seed`);
  }
  return jobData(stored);
}

/** `evaluate CHECKPOINT`: loss and accuracy on the data it was trained and tested on, or on new data. */
export async function evaluateCommand(args: Arguments): Promise<number> {
  const loaded = await openCheckpoint(args);
  using model = loaded.model;
  const terminal = new Terminal(), batchSize = loaded.training?.options.batchSize, loss = model.loss ?? "bce";
  const { train, test } = dataOf(loaded, args);
  for (const [name, dataset] of Object.entries({ ...train && !args.quiet && { train }, test })) {
    const metrics = await evaluate(model, targetsFor(loss, dataset), { loss, batchSize });
    terminal.line(
      `${name.padEnd(5)}  ${scores(loss, metrics.loss, metrics.accuracy)}  of ${dataset.shape[0]} sequences`,
    );
  }
  return 0;
}

/** `predict CHECKPOINT`: a JSON line for each sequence of --input, or of the test data. */
export async function predictCommand(args: Arguments): Promise<number> {
  const loaded = await openCheckpoint(args);
  using model = loaded.model;
  const terminal = new Terminal();
  const show = async (sequences: Sequences) => {
    const { probabilities, attentionWeights } = await predict(model, sequences);
    const [B, T] = sequences.shape as [number, number], O = model.config.outputSize;
    const digits = (numbers: Float32Array) => Array.from(numbers, (x) => Number(x.toPrecision(6)));
    for (let i = 0; i < B; i++) {
      const values = digits(probabilities.data.subarray(i * O, (i + 1) * O));
      terminal.line(JSON.stringify({
        ...model.loss === "mse" ? { values } : { class: classOf(values), probabilities: values },
        attentionWeights: digits(attentionWeights.data.subarray(i * T, (i + 1) * T)),
      }));
    }
  };
  if (args.input === undefined) {
    await show(dataOf(loaded, args).test);
    return 0;
  }
  const { data, everything } = args.given;
  if (Object.keys({ ...data, ...everything }).length) {
    throw new UsageError("predict takes --input, or --size, --steps and --seed of data to make: not both");
  }
  let number = 0;
  for await (const line of inputLines(args.input, args)) {
    number++;
    if (line.trim() !== "") {
      await show(parseSequence(line, `${args.input === "-" ? "standard input" : args.input}, line ${number}`, model));
    }
  }
  return 0;
}

/** The most likely class; of a single output, whether it is above 0.5. */
function classOf(values: number[]): number {
  return values.length === 1 ? Number(values[0]! > 0.5) : values.indexOf(Math.max(...values));
}

/** The lines of a file, or of standard input for "-". */
async function* inputLines(path: string, args: Arguments): AsyncGenerator<string> {
  let rest = "";
  try {
    const stream = path === "-" ? Deno.stdin.readable : (await Deno.open(path)).readable;
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      yield* lines;
    }
  } catch (error) {
    throw readError("input", path, error, args);
  }
  if (rest) yield rest;
}

/** One sequence from a line of JSON: {"x": [[numbers of a step], …]}, or the list by itself. */
function parseSequence(line: string, place: string, model: Model): Sequences {
  const { inputSize } = model.config;
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw new Error(`cannot read ${place}: it is not JSON: ${(error as Error).message}`);
  }
  const steps = Array.isArray(json) ? json : (json as { x?: unknown } | null)?.x;
  if (!Array.isArray(steps) || steps.length === 0) {
    throw new Error(`cannot read ${place}: expected {"x": [[…], …]} with at least one step`);
  }
  const x = new Float32Array(steps.length * inputSize);
  steps.forEach((step, t) => {
    if (!Array.isArray(step) || step.length !== inputSize) {
      const got = Array.isArray(step) ? step.length : short(step);
      throw new Error(`cannot read ${place}: step ${t + 1} must be a list of ${inputSize} numbers, got ${got}`);
    }
    step.forEach((value, i) => {
      if (typeof value !== "number" || !Number.isFinite(Math.fround(value))) {
        throw new Error(
          `cannot read ${place}: step ${t + 1}, number ${i + 1} must be a finite 32-bit number, got ${short(value)}`,
        );
      }
      x[t * inputSize + i] = value;
    });
  });
  return { x, shape: [1, steps.length, inputSize] };
}

/** A value as JSON, cut to what fits a line. */
function short(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
