import assert from "node:assert/strict";
import {
  createModel,
  defineNetwork,
  formatCheckpoint,
  loadCheckpoint,
  predict,
  sampleDataset,
  VERSION,
} from "../../mod.ts";
import { signed } from "../checkpoints.ts";
import { assertFails, assertWorks, MOD, Place, ROOT, runDeno } from "./run.ts";

const LINUX = Deno.build.os === "linux";

/** A job that takes no time: 16 sequences to train on, 4 to test. */
const SMALL = "--size 20 --steps 3 --hidden-size 3 --batch-size 8";

/** What every test of checkpoints begins with: two epochs of the small job. */
const CHECKPOINT = await (async () => {
  await using place = await Place.make();
  assertWorks(await place.run(`${SMALL} --epochs 2 --checkpoint ck`));
  return place.read("ck/last.json");
})();

Deno.test("usage that cannot be understood: one line, exit code 2, nothing on disk", async () => {
  await using place = await Place.make();
  const cases: [string, string][] = [
    ["--bogus", "unknown flag --bogus: see --help"],
    ["dance", 'unknown command "dance": it must be one of train, evaluate, predict, convert, serve, info, help'],
    ["train --patch 2", "--patch needs --data FILE"],
    ["train a.csv --size 9", "--size is for the sample job's data, not for --data"],
    ["--epochs -1", '--epochs must be an integer from 1 to 1000000000, got "-1"'],
    ["--epochs", "--epochs needs a value: see --help"],
    ["--hidden-size 0", '--hidden-size must be an integer from 1 to 65536, got "0"'],
    ["--lr nan", '--lr must be a number from 0, got "nan"'],
    ["--momentum 0.9 --checkpoint ck", "--momentum belongs to --optimizer sgd"],
    ["evaluate", "evaluate needs a checkpoint, such as: evaluate checkpoints/best.json"],
    ["predict", "predict needs a checkpoint, such as: predict checkpoints/best.json --input FILE"],
    ["evaluate a.json --lr 1", "evaluate takes no --lr: the checkpoint holds it"],
  ];
  const results = await Promise.all(cases.map(([args]) => place.run(args)));
  results.forEach((result, i) => assertFails(result, 2, cases[i]![1]));
  assert.deepEqual(place.files(), []);
});

Deno.test("--help and --version", async () => {
  await using place = await Place.make();
  const [help, version] = await Promise.all([place.runWith([], "--help"), place.runWith([], "--version")]);
  assertWorks(help);
  assert.match(help.out, /^Trains a GRU .*\n\n {2}deno task train /);
  assertWorks(version);
  assert.equal(version.out, `grutto ${VERSION}\n`);
});

Deno.test("a run says what it uses, every epoch, and what came of it; it writes nothing", async () => {
  await using place = await Place.make();
  const result = await place.run(`${SMALL} --epochs 12 --seed 4 --num-layers 2 --clip-norm 1`);
  assertWorks(result);
  const lines = result.out.trimEnd().split("\n");
  const used = [
    /^device {5}WebAssembly/,
    /^data {7}size 20, steps 3, features 5, seed 4$/,
    /^model {6}hiddenSize 3, numLayers 2, dropout 0\.5, layerDropout 0\.5, bidirectional false, bias true: \d+ parameters$/,
    /^training {3}epochs 12, batchSize 8, shuffle true, loss bce, clipNorm 1$/,
    /^optimizer {2}name adam, learningRate 0\.001, betas 0\.9,0\.999, eps 1e-8, amsgrad false, weightDecay 0$/,
  ];
  used.forEach((pattern, i) => assert.match(lines[i]!, pattern));
  const scores = String.raw`loss \d\.\d{4}  accuracy +\d+\.\d\d %`;
  for (let epoch = 1; epoch <= 12; epoch++) {
    const number = String(epoch).padStart(2);
    const pattern = new RegExp(
      String.raw`^epoch ${number}/12   train ${scores}   validation ${scores}   \d+\.\d+ m?s$`,
    );
    assert.match(lines[4 + epoch]!, pattern);
  }
  assert.match(lines[17]!, /^done in \d+\.\d+ m?s: best epoch \d+, validation loss \d\.\d{4}, accuracy \d+\.\d\d %$/);
  assert.equal(lines.length, 18);
  assert.deepEqual(place.files(), []);
});

Deno.test("the sample job needs no permission and learns", async () => {
  await using place = await Place.make();
  const { code, out, err } = await place.runWith([], "--epochs 60 --seed 1 --quiet");
  assert.deepEqual([code, err], [0, ""]);
  const [, train, test] = /^epoch 60\/60 .* accuracy +([\d.]+) % .* accuracy +([\d.]+) % .*\n$/.exec(out)!;
  assert.ok(Number(train) > 95 && Number(test) > 85, out);
});

Deno.test("with --loss mse there is no accuracy to print", async () => {
  await using place = await Place.make();
  const result = await place.run(`${SMALL} --epochs 1 --loss mse`);
  assertWorks(result);
  assert.match(result.out, /epoch 1\/1 {3}train loss \d\.\d{4} {3}validation loss/);
  assert.doesNotMatch(result.out, /accuracy/);
});

/** A good checkpoint with something wrong in it: what a file may hold, and what is said of it. */
function spoilt(): Record<string, [string, RegExp]> {
  // deno-lint-ignore no-explicit-any -- it is taken apart
  const change = (spoil: (json: any) => void) => {
    const json = JSON.parse(CHECKPOINT);
    spoil(json);
    return signed(json);
  };
  const nan = btoa("\0\0\xc0\x7f".repeat(2));
  return {
    "not.json": ["hello\x1b[31m world", /it is not JSON, or was cut off/],
    "empty.json": ["", /it is not JSON, or was cut off/],
    "truncated.json": [CHECKPOINT.slice(0, CHECKPOINT.length / 2), /it is not JSON, or was cut off/],
    "other.json": ['{"name": "package"}', /it is no checkpoint/],
    "version.json": [change((json) => json.version = 5), /expected version 1 to 4, got 5/],
    "shape.json": [change((json) => json.parameters["fc.bias"].shape = [3]), /"fc\.bias" must have shape \[2\]/],
    "missing.json": [change((json) => delete json.parameters["fc.bias"]), /missing parameter "fc\.bias"/],
    "extra.json": [change((json) => json.parameters.x = json.parameters["fc.bias"]), /unknown parameter "x"/],
    "nan.json": [change((json) => json.parameters["fc.bias"].data = nan), /"fc\.bias" holds NaN/],
    "moment.json": [
      change((json) => json.trainer.state.exp_avg["fc.bias"].data = nan),
      /"exp_avg": "fc\.bias" holds NaN/,
    ],
  };
}

for (const command of ["--resume", "evaluate", "predict"]) {
  Deno.test(`${command} refuses a bad checkpoint: one line that names file and fault, exit code 1`, async () => {
    await using place = await Place.make();
    const bad = spoilt();
    for (const [name, [text]] of Object.entries(bad)) place.write(name, text);
    const before = place.files();
    const results = await Promise.all(
      Object.keys(bad).map((name) =>
        place.run([...command.split(" "), name, ...command === "--resume" ? ["--checkpoint", "ck"] : []])
      ),
    );
    Object.entries(bad).forEach(([name, [text, message]], i) => {
      assertFails(results[i]!, 1, message);
      assert.ok(results[i]!.err.startsWith(`error: cannot load checkpoint "${name}": `), results[i]!.err);
      // deno-lint-ignore no-control-regex -- what a file holds may not reach the terminal
      assert.doesNotMatch(results[i]!.err, /[\x00-\x09\x0b-\x1f]/);
      assert.equal(place.read(name), text);
    });
    assert.deepEqual(place.files(), before);
  });

  Deno.test(`${command} says why a checkpoint cannot be read`, async () => {
    await using place = await Place.make();
    const [absent, folder, inFile, forbidden] = await Promise.all([
      place.run([command, "none.json"]),
      place.run([command, "."]),
      place.run([command, `${place.path}/none.json/x.json`]),
      place.runWith([], [command, "my file.json"]),
    ]);
    assertFails(absent!, 1, 'cannot read checkpoint "none.json": there is no such file');
    assertFails(folder!, 1, 'cannot read checkpoint ".": it is a folder: name a file in it');
    assertFails(inFile!, 1, /: there is no such file$/m);
    const allowing = `deno run '--allow-read=my file.json' file://${MOD} ${command} 'my file.json'`;
    assertFails(forbidden!, 1, `cannot read checkpoint "my file.json": no permission; to allow it: ${allowing}`);
  });
}

Deno.test("--resume refuses a state that its data cannot have come to, and what it cannot go on with", async () => {
  await using place = await Place.make();
  const json = JSON.parse(CHECKPOINT);
  place.write(
    "batch.json",
    signed({ ...json, training: { ...json.training, state: { ...json.training.state, batch: 9 } } }),
  );
  place.write("job.json", signed({ ...json, job: null }));
  place.write("data.json", signed({ ...json, job: { ...json.job, data: { ...json.job.data, size: -5 } } }));
  place.write(
    "features.json",
    signed({ ...json, job: { ...json.job, data: { ...json.job.data, features: 9 } } }),
  );
  place.write("good.json", CHECKPOINT);
  const run = (file: string, more = "") => place.run(`--resume ${file} --epochs 5${more}`);
  const [batch, job, data, features, changed, none] = await Promise.all([
    run("batch.json"),
    run("job.json"),
    run("data.json"),
    run("features.json"),
    run("good.json", " --hidden-size 4"),
    run("good.json", " --momentum 0.5"),
  ]);
  assertFails(
    batch!,
    1,
    /^error: cannot resume from "batch\.json": state must be one of this training, with 2 batches/,
  );
  assertFails(
    job!,
    1,
    'cannot resume from "job.json": it holds no training of this command; its weights: train FILE --from job.json',
  );
  assertFails(
    data!,
    1,
    'cannot resume from "data.json": it holds no training of this command; its weights: train FILE --from data.json',
  );
  assertFails(
    features!,
    1,
    'cannot resume from "features.json": it holds no training of this command; its weights: train FILE --from features.json',
  );
  assertFails(changed!, 2, '--hidden-size cannot be changed on --resume: "good.json" has 3, got 4');
  assertFails(none!, 2, '--momentum cannot be changed on --resume: "good.json" has none, got 0.5');
});

Deno.test("--resume of a finished training says that there is nothing to do", async () => {
  await using place = await Place.make();
  place.write("last.json", CHECKPOINT);
  for (const more of ["", " --epochs 1"]) {
    const result = await place.run(`--resume last.json${more}`);
    assertWorks(result);
    assert.equal(result.out, 'nothing to do: "last.json" has all 2 epochs; to train longer: --epochs 102\n');
  }
});

Deno.test("a checkpoint or log that cannot be written is said before training, exit code 1", async () => {
  await using place = await Place.make();
  place.write("file", "kept");
  Deno.mkdirSync(`${place.path}/folder.json`);
  const cases: [string, string][] = [
    ["--checkpoint none/ck", 'cannot write checkpoint "none/ck/last.json": the folder "none" does not exist'],
    ["--checkpoint none/ck.json", 'cannot write checkpoint "none/ck.json": the folder "none" does not exist'],
    ["--checkpoint file", 'cannot write checkpoint "file/last.json": its folder is a file'],
    ["--checkpoint file/ck.json", 'cannot write checkpoint "file/ck.json": its folder is a file'],
    ["--checkpoint folder.json", 'cannot write checkpoint "folder.json": it is a folder'],
    ["--log-file none/log", 'cannot write log "none/log": the folder "none" does not exist'],
    ["--log-file folder.json", 'cannot write log "folder.json": it is a folder'],
  ];
  const results = await Promise.all(cases.map(([args]) => place.run(`${SMALL} --epochs 1 ${args}`)));
  results.forEach((result, i) => assertFails(result, 1, cases[i]![1]));
  assert.deepEqual([place.files(), place.read("file")], [["file"], "kept"]);
});

Deno.test({
  name: "a place that the system does not let be written is said before training, exit code 1",
  ignore: !LINUX,
  async fn() {
    await using place = await Place.make();
    const paths = ["/proc/x.json", "/proc/x", "/proc/self/x.json"];
    const results = await Promise.all(paths.map((path) => place.runWith(["-A"], `${SMALL} --checkpoint ${path}`)));
    results.forEach((result, i) => {
      assertFails(result, 1, new RegExp(`^error: cannot write checkpoint "${paths[i]}(/last\\.json)?": the system `));
    });
  },
});

/** The command that a remark ends with, run. */
async function runSuggested(remark: string, place: Place, more = "") {
  const [, command] = /: deno (run .*)$/m.exec(remark)!;
  const args = ["-c", `"$DENO" ${command} ${more}`];
  const shell = new Deno.Command("sh", { args, cwd: place.path, env: { DENO: Deno.execPath(), NO_COLOR: "1" } });
  const { code, stderr } = await shell.output();
  return { code, err: new TextDecoder().decode(stderr) };
}

Deno.test("without permission a checkpoint is not written: one line says how to allow it, and training goes on", async () => {
  await using place = await Place.make();
  const args = [...`${SMALL} --epochs 2`.split(" "), "--checkpoint", "it's here", "--log-file", "log.jsonl"];
  const result = await place.runWith([], args);
  assert.equal(result.code, 0);
  assert.match(result.out, /epoch 2\/2 .*\ndone in [^;]*\n$/);
  const command = String
    .raw`deno run '--allow-read=it'\\''s here,\.' '--allow-write=it'\\''s here,\.' file://${MOD} .*`;
  const lack = "will not be written, for lack of permission; to allow it: ";
  assert.match(
    result.err,
    new RegExp(`^note: checkpoints ${lack}${command}\nnote: the log "log\\.jsonl" ${lack}${command}\n$`),
  );
  assert.deepEqual(place.files(), []);
  assert.deepEqual(await runSuggested(result.err, place), { code: 0, err: "" });
  assert.deepEqual(place.files(), ["it's here/best.json", "it's here/last.json", "log.jsonl"]);
});

Deno.test("permission to read but not to write is not enough, and is said", async () => {
  await using place = await Place.make();
  place.write("last.json", CHECKPOINT);
  const read = ["--allow-read=last.json"];
  const result = await place.runWith(read, "--resume last.json --epochs 3 --checkpoint ck");
  assert.equal(result.code, 0);
  assert.match(result.err, /^note: checkpoints will not be .* deno run --allow-read=ck,\. --allow-write=ck /);
  assert.deepEqual(await runSuggested(result.err, place), { code: 0, err: "" });
  assert.equal(JSON.parse(place.read("ck/last.json")).generator.epoch, 3);
});

Deno.test("a loss that turns NaN at once leaves the checkpoint of an earlier run alone", async () => {
  await using place = await Place.make();
  assertWorks(await place.run(`${SMALL} --epochs 1 --checkpoint ck`));
  const before = [place.read("ck/last.json"), place.read("ck/best.json")];
  const { code, err } = await place.run(`${SMALL} --epochs 5 --lr 1e30 --checkpoint ck`);
  assert.equal(code, 1);
  assert.match(
    err,
    /^error: cannot continue training: the .* is (NaN|-?Infinity) in epoch 1, batch 2; try a smaller [^\n]+\n$/,
  );
  assert.deepEqual([place.read("ck/last.json"), place.read("ck/best.json")], before);
  assert.deepEqual(place.files(), ["ck/best.json", "ck/last.json"]);
});

Deno.test("a loss that turns NaN later keeps the last good checkpoint, and says where", async () => {
  await using place = await Place.make();
  // Every step multiplies the parameters by −5.
  const { code, out, err } = await place.run(`${SMALL} --optimizer sgd --lr 1 --weight-decay 6 --checkpoint ck`);
  assert.equal(code, 1);
  const [, failed, kept] =
    /^error: cannot continue training: the .* in epoch (\d+), batch \d; .*; the checkpoint of epoch (\d+) is kept in "ck\/last\.json"\n$/
      .exec(err)!;
  assert.equal(Number(kept), Number(failed) - 1);
  assert.ok(Number(kept) > 3 && out.includes(`epoch ${kept!.padStart(3)}/100`), err);
  assert.equal(JSON.parse(place.read("ck/last.json")).generator.epoch, Number(kept));
  for (const file of ["last", "best"]) assertWorks(await place.run(`evaluate ck/${file}.json`));
});

Deno.test("--checkpoint takes a folder or a file", async () => {
  await using place = await Place.make();
  const results = await Promise.all(
    ["one/", "two.json"].map((path) => place.run(`${SMALL} --epochs 2 --checkpoint ${path}`)),
  );
  results.forEach(assertWorks);
  assert.match(results[0]!.out, /; kept in one\/best\.json and one\/last\.json\n$/);
  assert.match(results[1]!.out, /; kept in two\.best\.json and two\.json\n$/);
  assert.deepEqual(place.files(), ["one/best.json", "one/last.json", "two.best.json", "two.json"]);
  assert.equal(place.read("two.json"), place.read("one/last.json"));
  const { job, config, training, trainer, seed } = JSON.parse(place.read("two.json"));
  assert.deepEqual(job, { data: { size: 20, steps: 3, features: 5 }, seed: 0 });
  assert.deepEqual([config.hiddenSize, seed, training.options.batchSize, trainer.options.seed], [3, 0, 8, 0]);
});

Deno.test("three epochs and three more by --resume leave the same bytes as six", async () => {
  await using place = await Place.make();
  const flags = `${SMALL} --seed 2 --dropout 0.3 --optimizer adamw --lr 0.01 --clip-norm 1 --bidirectional`;
  assertWorks(await place.run(`${flags} --epochs 6 --checkpoint whole --log-file whole.jsonl`));
  assertWorks(await place.run(`${flags} --epochs 3 --checkpoint parts --log-file parts.jsonl`));
  assert.notEqual(place.read("parts/last.json"), place.read("whole/last.json"));
  const rest = await place.run("--resume parts/last.json --epochs 6 --checkpoint parts --log-file parts.jsonl");
  assertWorks(rest);
  assert.match(rest.out, /epoch 4\/6 /);
  assert.doesNotMatch(rest.out, /epoch 3\/6 /);
  for (const file of ["last.json", "best.json"]) {
    assert.equal(place.read(`parts/${file}`), place.read(`whole/${file}`), file);
  }
  const log = (file: string) =>
    place.read(file).trimEnd().split("\n").map((line) => ({ ...JSON.parse(line), seconds: 0 }));
  assert.deepEqual(log("parts.jsonl"), log("whole.jsonl"));
});

Deno.test("the summary names only the files that are there", async () => {
  await using place = await Place.make();
  // A training whose later epochs are worse: nothing is best after --resume.
  const flags = `${SMALL} --optimizer sgd --lr 1 --weight-decay 6 --dropout 0`;
  assertWorks(await place.run(`${flags} --epochs 4 --checkpoint one`));
  const last = JSON.parse(place.read("one/last.json"));
  assert.ok(last.training.best.epoch < 4);
  // Its best epoch goes with it into another folder.
  const other = await place.run("--resume one/last.json --epochs 5 --checkpoint two");
  assertWorks(other);
  assert.match(other.out, /; kept in two\/best\.json and two\/last\.json\n$/);
  assert.equal(place.read("two/best.json"), place.read("one/best.json"));
  Deno.mkdirSync(`${place.path}/alone`);
  Deno.copyFileSync(`${place.path}/one/last.json`, `${place.path}/alone/last.json`);
  const alone = await place.run("--resume alone/last.json --epochs 6 --checkpoint three");
  assert.match(alone.err, /^note: no checkpoint of the best epoch is beside "alone\/last\.json": [^\n]*\n$/);
  assert.equal(JSON.parse(place.read("three/best.json")).generator.epoch, 5);
  const same = await place.run("--resume one/last.json --epochs 5 --checkpoint one");
  assert.match(same.out, /; kept in one\/best\.json and one\/last\.json\n$/);
});

Deno.test("--log-file writes one JSON line per epoch", async () => {
  await using place = await Place.make();
  assertWorks(await place.run(`${SMALL} --epochs 3 --seed 7 --log-file run.jsonl --checkpoint ck`));
  const lines = place.read("run.jsonl").trimEnd().split("\n").map((line) => JSON.parse(line));
  const { history } = JSON.parse(place.read("ck/last.json")).training.state;
  assert.deepEqual(lines.map(({ seed: _s, seconds: _t, ...record }) => record), history);
  assert.deepEqual(lines.map(({ seed, epoch }) => [seed, epoch]), [[7, 1], [7, 2], [7, 3]]);
  assert.ok(lines.every(({ seconds }) => seconds > 0));
});

Deno.test({
  name: "a log that turns full is said once, and training goes on",
  ignore: !LINUX,
  async fn() {
    await using place = await Place.make();
    const { code, out, err } = await place.runWith(["-A"], `${SMALL} --epochs 4 --log-file /dev/full`);
    assert.equal(code, 0);
    assert.match(out, /epoch 4\/4 .*\ndone in /);
    assert.match(err, /^warning: cannot write log "\/dev\/full": [^\n]+\n$/);
  },
});

Deno.test("--quiet prints the last line only", async () => {
  await using place = await Place.make();
  const quiet = await place.run(`${SMALL} --epochs 3 --quiet`);
  assertWorks(quiet);
  assert.match(quiet.out, /^epoch 3\/3 [^\n]+\n$/);
});

Deno.test("evaluate gives the scores that training ended with, and those of new data", async () => {
  await using place = await Place.make();
  assertWorks(await place.run(`${SMALL} --epochs 4 --seed 3 --loss crossEntropy --checkpoint ck`));
  const { validationLoss, validationAccuracy } = JSON.parse(place.read("ck/last.json")).training.state.history[3];
  const percent = (share: number) => `${(100 * share).toFixed(2).padStart(6)} %`;
  const own = await place.run("evaluate ck/last.json");
  assertWorks(own);
  const [train, validation] = own.out.split("\n");
  assert.match(train!, /^train {7}loss \d\.\d{4} {2}accuracy +\d+\.\d\d % {2}of 16 sequences$/);
  assert.equal(
    validation,
    `validation  loss ${validationLoss.toFixed(4)}  accuracy ${percent(validationAccuracy)}  of 4 sequences`,
  );
  const [quiet, other, again, features] = await Promise.all([
    place.run("evaluate --checkpoint ck/last.json --quiet"),
    place.run("evaluate ck/last.json --size 50 --steps 7 --seed 9"),
    place.run("evaluate ck/last.json --size 50 --steps 7 --seed 9"),
    place.run("evaluate ck/last.json --features 4"),
  ]);
  assert.equal(quiet!.out, `${validation}\n`);
  assert.match(other!.out, /^test {3}loss \d\.\d{4} {2}accuracy +\d+\.\d\d % {2}of 50 sequences\n$/);
  assert.equal(again!.out, other!.out);
  assertFails(features!, 2, "--features must be 5, as in the checkpoint, got 4");
});

Deno.test("predict gives probabilities, class and attention of the test data, one JSON line each", async () => {
  await using place = await Place.make();
  place.write("last.json", CHECKPOINT);
  const result = await place.run("predict last.json");
  assertWorks(result);
  const lines = result.out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.length, 4);
  for (const { class: number, probabilities, attentionWeights, ...more } of lines) {
    assert.deepEqual([probabilities.length, attentionWeights.length, more], [2, 3, {}]);
    assert.equal(number, probabilities[1] > probabilities[0] ? 1 : 0);
    assert.ok(Math.abs(attentionWeights.reduce((a: number, b: number) => a + b) - 1) < 1e-5);
  }
});

Deno.test("predict reads JSON Lines from a file or standard input, of any lengths", async () => {
  await using place = await Place.make();
  place.write("last.json", CHECKPOINT);
  const { x } = sampleDataset({ size: 1, steps: 6, seed: 8 });
  const rows = Array.from({ length: 6 }, (_, t) => Array.from(x.subarray(5 * t, 5 * t + 5)));
  const text = `${JSON.stringify({ x: rows, id: 1 })}\r\n\n${JSON.stringify(rows.slice(0, 2))}`;
  place.write("in.jsonl", text);
  const [file, input] = await Promise.all([
    place.run("predict last.json --input in.jsonl"),
    place.run("predict last.json --input -", text),
  ]);
  assertWorks(file!);
  assert.deepEqual(input, file);
  const [whole, part, ...more] = file!.out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([whole.attentionWeights.length, part.attentionWeights.length, more], [6, 2, []]);
  using model = (await loadCheckpoint(`${place.path}/last.json`)).model;
  const { probabilities, attentionWeights } = await predict(model, { x, shape: [1, 6, 5] });
  assert.deepEqual(Float32Array.from(whole.probabilities), probabilities.data);
  assert.deepEqual(Float32Array.from(whole.attentionWeights), attentionWeights.data);
  assert.ok(JSON.stringify(whole.attentionWeights).length < JSON.stringify([...attentionWeights.data]).length);
});

Deno.test("predict of a model that was trained on mse gives values", async () => {
  await using place = await Place.make();
  assertWorks(await place.run(`${SMALL} --epochs 1 --loss mse --checkpoint ck`));
  const [predicted, evaluated] = await Promise.all([
    place.run("predict ck/last.json"),
    place.run("evaluate ck/last.json"),
  ]);
  assert.deepEqual(Object.keys(JSON.parse(predicted!.out.split("\n")[0]!)), ["values", "attentionWeights"]);
  assert.match(evaluated!.out, /^train {7}loss \d\.\d{4} {2}of 16 sequences\nvalidation {2}loss/);
});

Deno.test("predict says where a line is bad: file, line, field", async () => {
  await using place = await Place.make();
  place.write("last.json", CHECKPOINT);
  const good = "[[1,2,3,4,5]]";
  const cases: [string, string][] = [
    ["nope", ': line 3 is not JSON, got "nope"'],
    ["{", ': line 3 is not JSON, got "{"'],
    ["5", ": line 3 must be an object with x, got 5"],
    ["null", ": line 3 must be an object with x, got null"],
    ['{"y": []}', ": line 3: x must be a list of steps or a text, got nothing"],
    ['{"x": []}', ": line 3: x has no steps"],
    ["[[1,2,3,4]]", ", line 3: a step must be a list of 5 numbers, got 4"],
    ["[[1,2,3,4,5],7]", ": line 3, x[1] must be a list of 5, got 7"],
    ["[[1,2,3,4,5],[1,2,3,null,5]]", ", line 3: a value is missing at line 3, x[1][3]"],
    ['[[1,2,3,4,5],["1",2,3,4,5]]', ': line 3, x[1][0] must be a number or null, got "1"'],
    ["[[1,2,3,4,5],[1,2,3,4,1e39]]", ": line 3, x[1][4] must be a finite float32, got 1e+39"],
  ];
  cases.forEach(([line], i) => place.write(`${i}.jsonl`, `${good}\n\n${line}\n${good}\n`));
  const results = await Promise.all(cases.map((_, i) => place.run(`predict last.json --input ${i}.jsonl`)));
  results.forEach(({ code, out, err }, i) => {
    const error = `cannot read ${i}.jsonl${cases[i]![1]}`, [before, bad, after] = out.split("\n");
    assertFails({ code, out: "", err }, 1, error);
    assert.deepEqual(JSON.parse(bad!), { id: `${i}.jsonl, line 3`, error });
    assert.equal(after, before, "the same sequence before it and after it");
  });
  const [absent, both, input] = await Promise.all([
    place.run("predict last.json --input none.jsonl"),
    place.run("predict last.json --input 0.jsonl --seed 4"),
    place.run("predict last.json --input -", "nope"),
  ]);
  assertFails(absent!, 1, 'cannot read data "none.jsonl": there is no such file');
  assertFails(both!, 2, "predict takes --input, or --size, --steps and --seed of data to make: not both");
  assertFails({ ...input!, out: "" }, 1, 'cannot read standard input: line 1 is not JSON, got "nope"');
});

Deno.test("a checkpoint of a network of your own and of no preprocessing is refused in one line", async () => {
  await using place = await Place.make();
  const network = defineNetwork(({ numbers, gru, linear }) => {
    const { state } = gru("gru", numbers("x", 2), { hiddenSize: 3 });
    return linear("fc", state, 2);
  });
  using model = await createModel(network, { loss: "crossEntropy" });
  place.write("own.json", await formatCheckpoint({ model }));
  place.write("new.csv", "1,2\n");
  for (const args of ["predict own.json --input new.csv", "evaluate own.json", "evaluate own.json new.csv"]) {
    assertFails(await place.run(args), 1, /^error: cannot \w+: the checkpoint (holds a|does not say) .*\n$/);
  }
  assertWorks(await place.run("info own.json"));
});

Deno.test("a checkpoint of the library, which names no data, is predicted and evaluated on what is given", async () => {
  await using place = await Place.make();
  const json = JSON.parse(CHECKPOINT);
  place.write("model.json", signed({ ...json, job: null }));
  const [evaluated, given, predicted] = await Promise.all([
    place.run("evaluate model.json"),
    place.run("evaluate model.json --size 10"),
    place.run("predict model.json --input -", "[[1,2,3,4,5]]"),
  ]);
  assertFails(
    evaluated!,
    1,
    "cannot evaluate: the checkpoint names no data; give some with --size, --steps and --seed",
  );
  assertWorks(given!);
  assertWorks(predicted!);
});

/** Starts a training of many epochs, sends it a signal after the first, and returns how it ended. */
async function interrupted(place: Place, signal: Deno.Signal, flags: string) {
  const permissions = [`--allow-read=${place.path}`, `--allow-write=${place.path}`];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, MOD, ...flags.split(" ")],
    cwd: place.path,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let out = "", sent = false;
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      out += text;
      if (!sent && out.includes("\nepoch ")) child.kill(signal);
      sent ||= out.includes("\nepoch ");
    }
  })();
  const err = await new Response(child.stderr).text();
  await reading;
  return { code: (await child.status).code, out, err };
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name:
      `${signal} stops after the batch in hand, writes the checkpoint, and says how to get the same bytes in the end`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using place = await Place.make();
      // Epochs of many batches: it is stopped within one.
      const flags = "--size 500 --steps 3 --hidden-size 3 --batch-size 1 --epochs 100";
      const [stopped, whole] = await Promise.all([
        interrupted(place, signal, `${flags} --checkpoint stopped`),
        place.run(`${flags} --checkpoint whole`),
      ]);
      assertWorks(whole);
      assert.equal(stopped.code, signal === "SIGINT" ? 130 : 143, stopped.err);
      assert.match(
        stopped.err,
        /^stopped after epoch \d+( and \d+ batches of the next)?; to resume: deno run --allow-read=stopped --allow-write=stopped [^\n]* --checkpoint stopped --resume stopped\/last\.json\n$/,
      );
      assert.doesNotMatch(stopped.out, /done in/);
      assert.notEqual(place.read("stopped/last.json"), place.read("whole/last.json"));
      assert.deepEqual(await runSuggested(stopped.err, place), { code: 0, err: "" });
      for (const file of ["last.json", "best.json"]) {
        assert.ok(place.read(`stopped/${file}`) === place.read(`whole/${file}`), `${file} is another`);
      }
    },
  });
}

Deno.test({
  name: "Ctrl-C without a checkpoint says that nothing was saved",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using place = await Place.make();
    const { code, err } = await interrupted(place, "SIGINT", "--size 20 --epochs 1000000");
    assert.equal(code, 130, err);
    assert.match(
      err,
      /^stopped after epoch \d+.*; it is not saved: --checkpoint DIR keeps what --resume needs\n$/,
    );
  },
});

Deno.test("deno task train keeps last.json and best.json in a copy of the repository", async () => {
  await using place = await Place.make();
  await copy(ROOT, place.path, ["core", "deno.json", "deno.lock", "deps.ts", "mod.ts"]);
  const { code, out, err } = await runDeno(["task", "train", "--epochs", "1"], { cwd: place.path });
  assert.equal(code, 0, err);
  assert.match(err, /^Task train deno run --allow-read=checkpoints --allow-write=checkpoints mod\.ts train [^\n]*\n$/);
  assert.match(out, /epoch 1\/1 .*\ndone in .*; kept in checkpoints\/best\.json and checkpoints\/last\.json\n$/);
  const written = place.files().filter((file) => !/^(core\/|deno\.|deps\.ts|mod\.ts)/.test(file));
  assert.deepEqual(written, ["checkpoints/best.json", "checkpoints/last.json"]);
});

async function copy(from: string, to: string, names: string[]) {
  for (const name of names) {
    const source = `${from}/${name}`, target = `${to}/${name}`;
    if (!(await Deno.stat(source)).isDirectory) await Deno.copyFile(source, target);
    else {
      await Deno.mkdir(target);
      await copy(source, target, Array.from(Deno.readDirSync(source), ({ name }) => name));
    }
  }
}
