/** Reads a command line by the tables of its flags. Apart from them: browsers, which have no `node:util`, load those. */

import { loadUtil } from "../../deps.ts";
import { flagFor, FLAGS, type Group, JOB_OPTIONS, UsageError } from "../job/options.ts";
import { PAIR_SAMPLES, samplePath } from "../job/sample_pairs.ts";
import type { OptionSpec } from "../options.ts";
import {
  type Arguments,
  type Command,
  COMMANDS,
  commandsOf,
  convert,
  EXTRA_FLAGS,
  OPTION_COMMANDS,
  READING,
  SHORT_FLAGS,
} from "./options.ts";
import { requirementsOf } from "./requirements.ts";

const { parseArgs } = await loadUtil();

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
