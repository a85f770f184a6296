import assert from "node:assert/strict";
import { helpText } from "../../core/cli/help.ts";
import { helpOn, WORDS } from "../../core/cli/help_pages.ts";
import { parseCommandLine } from "../../core/cli/arguments.ts";
import { COMMANDS, EXTRA_FLAGS } from "../../core/cli/options.ts";
import { flagFor, flagOf, FLAGS, type Group, JOB_OPTIONS, resolveJob, UsageError } from "../../core/job/options.ts";
import type { OptionSpec } from "../../core/options.ts";

/** The message of the usage error that a command line is refused with. */
function refusal(...args: string[]): string {
  try {
    resolveJob(parseCommandLine(args).given);
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    return error.message;
  }
  assert.fail(`${args.join(" ")} was understood`);
}

const job = (...args: string[]) => resolveJob(parseCommandLine(args).given);

/** What the lines of a run do not mention. */
const DEFAULTS = {
  accumulate: 1,
  monitor: "loss",
  validationReduction: "batches",
  fastDevRun: false,
  detectAnomaly: false,
};

Deno.test("without flags it is the sample job", () => {
  const { command, operands, quiet, help, version, checkpoint, resume, logFile, input } = parseCommandLine([]);
  assert.deepEqual([command, operands, quiet, help, version], ["train", [], false, false, false]);
  assert.deepEqual([checkpoint, resume, logFile, input], [undefined, undefined, undefined, undefined]);
  const { data, model, training, optimizer, everything } = job();
  assert.deepEqual(data, { size: 1000, steps: 10, features: 5 });
  assert.deepEqual(model, {
    hiddenSize: 10,
    cell: "gru",
    numLayers: 1,
    dropout: 0.5,
    bidirectional: false,
    bias: true,
  });
  assert.deepEqual(training, { ...DEFAULTS, epochs: 100, batchSize: 32, shuffle: true, loss: "bce" });
  assert.deepEqual([optimizer.name, optimizer.learningRate, everything.seed], ["adam", 1e-3, 0]);
});

Deno.test("every hyper-parameter of the sample job is a flag", () => {
  const flags = "--epochs 7 --batch-size 8 --hidden-size 9 --num-layers 2 --dropout 0.1 --lr 0.01 --seed 3 --size 50 " +
    "--steps 4 --features 2 --bidirectional --optimizer adamw --loss mse --clip-norm 1.5";
  const { data, model, training, optimizer, everything } = job(...flags.split(" "));
  assert.deepEqual(data, { size: 50, steps: 4, features: 2 });
  assert.deepEqual(model, { hiddenSize: 9, cell: "gru", numLayers: 2, dropout: 0.1, bidirectional: true, bias: true });
  assert.deepEqual(training, { ...DEFAULTS, epochs: 7, batchSize: 8, shuffle: true, loss: "mse", clipNorm: 1.5 });
  assert.deepEqual([optimizer.name, optimizer.learningRate, everything.seed], ["adamw", 0.01, 3]);
});

Deno.test("the other flags are read too", () => {
  const args = parseCommandLine(["--checkpoint", "c", "--resume=r.json", "--log-file", "l", "--quiet"]);
  assert.deepEqual([args.checkpoint, args.resume, args.logFile, args.quiet], ["c", "r.json", "l", true]);
  assert.equal(parseCommandLine(["predict", "--input", "-"]).input, "-");
  assert.equal(parseCommandLine(["--help"]).help, true);
  assert.equal(parseCommandLine(["--version"]).version, true);
  assert.equal(parseCommandLine(["--checkpoint=--odd"]).checkpoint, "--odd");
});

Deno.test("commands and operands stand anywhere among the flags", () => {
  for (const args of [["evaluate", "a.json", "--seed", "1"], ["--seed", "1", "evaluate", "a.json"]]) {
    const { command, operands, given } = parseCommandLine(args);
    assert.deepEqual([command, operands, given.everything], ["evaluate", ["a.json"], { seed: 1 }]);
  }
  assert.deepEqual(parseCommandLine(["predict", "--", "--odd.json"]).operands, ["--odd.json"]);
});

Deno.test("a flag that is given twice counts as the last, a switch can be taken back", () => {
  assert.equal(job("--epochs", "1", "--epochs", "2").training.epochs, 2);
  assert.equal(job("--bidirectional", "--no-bidirectional").model.bidirectional, false);
  assert.equal(job("--no-bias", "--bias").model.bias, true);
  assert.equal(job("--no-shuffle").training.shuffle, false);
});

Deno.test("numbers may be written as JavaScript reads them", () => {
  assert.equal(job("--lr", "1e-2").optimizer.learningRate, 0.01);
  assert.equal(job("--epochs=1e3").training.epochs, 1000);
  assert.equal(job("--dropout", ".25").model.dropout, 0.25);
  assert.deepEqual(job("--betas", "0.5,0.75").optimizer.betas, [0.5, 0.75]);
});

Deno.test("what cannot be understood is refused in words", () => {
  assert.equal(refusal("--bogus"), "unknown flag --bogus: see --help");
  assert.equal(refusal("-x"), "unknown flag -x: see --help");
  assert.equal(refusal("--epoch", "3"), "unknown flag --epoch (did you mean --epochs?): see --help");
  assert.equal(refusal("--hiden-size=3"), "unknown flag --hiden-size (did you mean --hidden-size?): see --help");
  assert.equal(refusal("--no-epochs"), "unknown flag --no-epochs (did you mean --epochs?): see --help");
  assert.equal(refusal("--constructor", "1"), "unknown flag --constructor: see --help");
  assert.equal(refusal("--__proto__", "1"), "unknown flag --__proto__: see --help");
  assert.equal(
    refusal("dance"),
    'unknown command "dance": it must be one of train, evaluate, predict, convert, serve, info, help',
  );
  assert.equal(
    refusal("toString"),
    'unknown command "toString": it must be one of train, evaluate, predict, convert, serve, info, help',
  );
  assert.equal(refusal("--epochs"), "--epochs needs a value: see --help");
  assert.equal(refusal("--epochs="), "--epochs needs a value: see --help");
  assert.equal(refusal("--epochs", "--lr", "3"), "--epochs needs a value: see --help");
  assert.equal(refusal("--checkpoint", ""), "--checkpoint needs a value: see --help");
  assert.equal(refusal("--quiet=yes"), '--quiet takes no value, got "yes"');
  assert.equal(refusal("--bidirectional=false"), '--bidirectional takes no value, got "false"');
});

Deno.test("a value out of range is refused with flag, range and value", () => {
  assert.equal(refusal("--epochs", "-1"), '--epochs must be an integer from 1 to 1000000000, got "-1"');
  assert.equal(refusal("--epochs=1.5"), '--epochs must be an integer from 1 to 1000000000, got "1.5"');
  assert.equal(refusal("--hidden-size", "0"), '--hidden-size must be an integer from 1 to 65536, got "0"');
  assert.equal(refusal("--lr", "nan"), '--lr must be a number from 0, got "nan"');
  assert.equal(refusal("--lr", "Infinity"), '--lr must be a number from 0, got "Infinity"');
  assert.equal(refusal("--lr", " "), '--lr must be a number from 0, got " "');
  assert.equal(refusal("--dropout", "1"), '--dropout must be a number from 0 and below 1, got "1"');
  assert.equal(refusal("--clip-norm", "0"), '--clip-norm must be a number above 0, got "0"');
  assert.equal(refusal("--size", "4"), '--size must be an integer from 5 to 100000000, got "4"');
  assert.equal(refusal("--seed", "-3"), '--seed must be an integer from 0 to 9007199254740991, got "-3"');
  assert.equal(refusal("--betas", "0.9"), '--betas must be two numbers from 0 and below 1, got "0.9"');
  assert.equal(refusal("--optimizer", "lion"), '--optimizer must be one of adam, adamw, sgd, rmsprop, got "lion"');
  assert.equal(
    refusal("--loss", "toString"),
    '--loss must be one of bce, crossEntropy, mse, mae, huber, quantile, focal, binaryFocal, got "toString"',
  );
});

Deno.test("options that do not go together are refused", () => {
  assert.equal(refusal("--momentum", "0.9"), "--momentum belongs to --optimizer sgd");
  assert.equal(
    refusal("--optimizer", "sgd", "--amsgrad"),
    "--amsgrad belongs to --optimizer adam or --optimizer adamw",
  );
  assert.match(refusal("--optimizer", "sgd", "--nesterov"), /^--nesterov needs --momentum above 0 and --dampening 0/);
});

Deno.test("a flag that a command does not take is refused", () => {
  assert.equal(refusal("--input", "x"), "--input belongs to predict, not to train");
  assert.equal(refusal("evaluate", "c", "--input", "x"), "--input belongs to predict, not to evaluate");
  assert.equal(refusal("predict", "c", "--resume", "x"), "--resume belongs to train, not to predict");
  assert.equal(refusal("predict", "c", "--log-file", "x"), "--log-file belongs to train, not to predict");
  for (const flag of ["--hidden-size=3", "--epochs=3", "--lr=3", "--no-bias", "--clip-norm=1"]) {
    const name = flag.replace("no-", "").split("=")[0];
    assert.equal(refusal("evaluate", "c", flag), `evaluate takes no ${name}: the checkpoint holds it`);
  }
});

Deno.test("the whole help lists every command and flag once, each in one line of 120 columns at most", () => {
  const lines = helpText("all").split("\n");
  for (const line of lines) assert.ok(line.length <= 120, line);
  const groups = Object.entries(JOB_OPTIONS).flatMap(([group, specs]) =>
    Object.entries(specs).map(([name, spec]) => `${spec.default === true ? "no-" : ""}${flagFor(group as Group, name)}`)
  );
  const asked =
    ("epochs batch-size hidden-size num-layers dropout lr seed size steps features bidirectional optimizer " +
      "loss clip-norm checkpoint resume log-file quiet help version input").split(" ");
  for (const flag of new Set([...groups, ...asked])) {
    assert.equal(lines.filter((line) => new RegExp(`^  --${flag} `).test(line)).length, 1, `--${flag}`);
  }
  for (const command of ["train", "evaluate", "predict", "convert", "serve", "info", "help"]) {
    assert.equal(lines.filter((line) => line.startsWith(`  ${command} `)).length, 1, command);
  }
});

Deno.test("the short help fits a screen or so; its topics together list every flag once", () => {
  const flags = (text: string) => [...text.matchAll(/^ {2}--([\w-]+)/gm)].map(([, flag]) => flag!);
  const short = helpText(), all = flags(helpText("all"));
  assert.ok(short.split("\n").length <= 60);
  for (const line of short.split("\n")) assert.ok(line.length <= 120, line);
  for (const flag of flags(short)) assert.ok(all.includes(flag), flag);
  const topics = [...short.matchAll(/^ {2}help ([\w-]+)/gm)].map(([, topic]) => topic!).filter((t) => t !== "all");
  assert.deepEqual(topics.flatMap((topic) => flags(helpText(topic))), all);
  for (const flag of ["patience", "--patience"]) assert.equal(helpText(flag), helpText("early-stopping"));
  assert.throws(() => helpText("nonsense"), /there is no help on "nonsense"/);
});

Deno.test("a switch that is on by default is listed as the flag that turns it off, in words of its own", () => {
  const lines = helpText("all").split("\n"),
    specs = Object.values(JOB_OPTIONS).flatMap((table) => Object.entries(table as Record<string, OptionSpec>));
  const on = specs.filter(([, spec]) => spec.type === "boolean" && spec.default === true);
  assert.ok(on.length >= 4);
  for (const [name, spec] of on) {
    const flag = `  --no-${flagOf(name, spec)}`;
    assert.ok(spec.off && spec.off !== spec.about, name);
    assert.deepEqual(lines.filter((line) => line.startsWith(`${flag} `)), [`${flag.padEnd(28)}${spec.off}`]);
  }
  for (const [name, spec] of specs) assert.equal(spec.off !== undefined, spec.default === true, name);
});

Deno.test("every flag that the help page lists is understood", () => {
  const values: Record<string, string> = {
    N: "7",
    X: "0.5",
    "X,X": "0.5,0.5",
    "X,…": "0.1,0.2,0.3",
    PATH: "p",
    FILE: "f",
    DIR: "d",
    TEXT: "t",
    FORMAT: "csv",
    SAMPLE: "dates",
    "FILE,…": "f,g",
    "NAME,…": "a,b",
    "FROM:TO": "1:2",
    "SCORE=X,…": "accuracy=0.9",
    ADDRESS: "::1",
    BYTES: "1000",
    ORIGIN: "*",
  };
  let count = 0;
  for (const [, flag, takes] of helpText("all").matchAll(/^ {2}--([\w-]+)(?: (\S+))? {2,}/gm)) {
    const choices = Object.values(JOB_OPTIONS).flatMap((table) => Object.entries(table as Record<string, OptionSpec>))
      .find(([name, spec]) => flagOf(name, spec) === flag)?.[1].choices;
    const value = flag === "sample" ? "dates" : takes === "NAME" ? choices?.[0] ?? "name" : values[takes!];
    const { of } = EXTRA_FLAGS[flag!] ?? {},
      command = of?.includes("train") === false ? of[0]! : flag === "output" ? "predict" : "train";
    parseCommandLine([command, `--${flag}${takes ? `=${value}` : ""}`]);
    count++;
  }
  assert.equal(count, helpText("all").match(/^ {2}--/gm)!.length);
});

Deno.test("--gpu is --device webgpu, and contradicts another device and what only the CPU has", () => {
  assert.deepEqual(parseCommandLine([]).given.device, {});
  assert.equal(job().device.device, "wasm");
  for (const flags of [["--gpu"], ["--device", "webgpu"], ["--gpu", "--device=webgpu"]]) {
    assert.deepEqual(parseCommandLine(flags).given.device, { device: "webgpu" });
    assert.deepEqual(parseCommandLine(["predict", "c.json", ...flags]).given.device, { device: "webgpu" });
  }
  assert.equal(job("--device", "auto").device.device, "auto");
  assert.equal(refusal("--gpu", "--device", "wasm"), "--gpu and --device wasm contradict each other");
  assert.equal(refusal("--gpu", "--threads", "2"), "--threads belongs to --device wasm");
  assert.equal(refusal("--gpu", "--simd", "plain"), "--simd belongs to --device wasm");
  assert.deepEqual(parseCommandLine(["--threads", "auto"]).given.device, { threads: "auto" });
  assert.equal(job("--threads", "3").device.threads, 3);
  assert.match(refusal("--threads", "many"), /--threads must be "auto" or an integer from 1 to 32, got "many"/);
  assert.match(refusal("--device", "cuda"), /--device must be one of auto, wasm, webgpu, got "cuda"/);
  assert.equal(refusal("evaluate", "--device", "auto"), "--device auto belongs to train, not to evaluate");
});

Deno.test("the help takes defaults from the tables: of some kinds, in words, or none", () => {
  const lines = helpText("all").split("\n"), line = (flag: string) => lines.find((l) => l.startsWith(`  --${flag} `))!;
  assert.match(line("lr"), / learning rate \(default 0\.001, for rmsprop 0\.01\)$/);
  assert.match(line("t-max"), / \(default: all\)$/);
  assert.match(line("restore-best"), / \(default: with early stopping\)$/);
  assert.match(line("schedule-interval"), / \(epoch: default, update\)$/);
  assert.match(line("nesterov"), / Nesterov's momentum for sgd$/);
});

Deno.test("the flag --validation-loss of 0.2.0 is still understood, and is not listed", () => {
  const { given } = parseCommandLine(["--validation-loss", "sequences"]);
  assert.deepEqual(given.training, { validationReduction: "sequences" });
  assert.throws(() => parseCommandLine(["--validation-loss", "both"]), /must be one of batches, sequences, got "both"/);
  assert.ok(!helpText("all").includes("--validation-loss"));
});

Deno.test("help on a flag explains every word that it takes, and says what it is for", () => {
  for (const { flag, spec } of FLAGS) {
    const words = [...spec.choices ?? [], ...spec.words ?? []], page = helpOn(flag);
    assert.deepEqual(Object.keys(WORDS[flag] ?? {}).sort(), words.toSorted(), `--${flag}`);
    for (const word of words) {
      assert.match(page, new RegExp(`^  ${word.replace(/\W/g, "\\$&")} +\\S`, "m"), `--${flag}`);
    }
    assert.match(page, /^ {2}taken by: train/m);
  }
  const lines = helpOn("--no-standardize").split("\n");
  assert.ok(lines.includes("  for numbers, and the task regression"), lines.join("\n"));
  assert.match(helpOn("feature-columns"), /of forecasts, the targets.*\n.*\n {2}formats: csv, arff\n/);
  assert.match(helpOn("window"), /^ {2}taken by: train$/m);
});

Deno.test("there is help on every command: how it is called, and the flags it takes", () => {
  for (const command of Object.keys(COMMANDS) as (keyof typeof COMMANDS)[]) {
    const page = helpOn(command);
    assert.match(page, new RegExp(`^usage: ${command}\\b`, "m"));
    assert.match(page, /^exit code: /m);
    const examples = page.split("\n").filter((line) => line.startsWith(`  ${command} `));
    assert.ok(examples.length, command);
    // Every example, and every flag of the page, is taken.
    for (const line of examples) assert.equal(parseCommandLine(line.trim().split(" ")).command, command);
    for (const [, flag] of page.matchAll(/^ {2}(--[\w-]+) {2,}/gm)) parseCommandLine([command, flag!]);
    for (const line of page.split("\n")) assert.ok(line.length <= 120, line);
  }
  assert.doesNotMatch(helpOn("predict"), /--epochs|--test-data|--report/);
  assert.throws(() => helpOn("nonsense"), /help takes all, a command, a flag, or one of/);
});
