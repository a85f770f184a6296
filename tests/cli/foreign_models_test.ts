/** Models that PyTorch programs saved: what their files do not say is not guessed. Values are PyTorch's. */

import assert from "node:assert/strict";
import { writeNpy } from "../../core/data/readers/npy.ts";
import { loadModel, readModel } from "../../mod.ts";
import { assertClose } from "../close.ts";
import { assertFails, assertWorks, Place, type Result, ROOT } from "./run.ts";

const FIXTURE = JSON.parse(Deno.readTextFileSync(`${ROOT}/tests/testdata/foreign_models.json`)) as {
  files: Record<string, string>;
  x: { shape: number[]; data: number[] };
  logits: number[];
  softmax: number[];
  sigmoid: number[];
  started: { table: string; weights: string; losses: number[] };
};

/** A folder with the files, and the sequences. */
async function folder(): Promise<Place> {
  const place = await Place.make(), { files, x } = FIXTURE;
  const write = (name: string, bytes: Uint8Array) => Deno.writeFileSync(`${place.path}/${name}`, bytes);
  for (const [name, text] of Object.entries(files)) write(name, Uint8Array.fromBase64(text));
  write("x.npy", writeNpy({ shape: x.shape, data: Float32Array.from(x.data) }));
  return place;
}

const rows = ({ out }: Result, name: string): number[] =>
  out.trimEnd().split("\n").flatMap((line) => JSON.parse(line)[name]);

const LOGITS =
  /^note: the file does not say what the outputs mean, so these are scores \(logits\); --loss NAME says it\n$/;

Deno.test("a .pt without a loss gives scores under that name, or what --loss makes of them", async () => {
  await using place = await folder();
  const [scores, csv, softmax, sigmoid, values, quantiles] = await Promise.all([
    place.run("predict plain.pt --input x.npy"),
    place.run("predict plain.pt --input x.npy --output csv"),
    place.run("predict plain.pt --input x.npy --loss crossEntropy"),
    place.run("predict plain.pt --input x.npy --loss bce"),
    place.run("predict plain.pt --input x.npy --loss mse"),
    place.run("predict plain.pt --input x.npy --loss quantile --quantiles 0.1,0.5,0.9"),
  ]);
  assert.match(scores!.err, LOGITS);
  assertClose(rows(scores!, "scores"), FIXTURE.logits, 1e-5, "PyTorch");
  assert.deepEqual(Object.keys(JSON.parse(scores!.out.split("\n")[0]!)), ["scores", "attentionWeights"]);
  assert.equal(csv!.out.split("\n")[0], "id,score 0,score 1,score 2");
  for (const run of [softmax!, sigmoid!, values!, quantiles!]) assertWorks(run);
  assertClose(rows(softmax!, "probabilities"), FIXTURE.softmax, 1e-5, "PyTorch");
  assertClose(rows(sigmoid!, "probabilities"), FIXTURE.sigmoid, 1e-5, "PyTorch");
  assertClose(rows(values!, "values"), FIXTURE.logits, 1e-5, "PyTorch");
  assert.match(quantiles!.out, /^\{"id":"x\.npy, sequence 1","quantiles":\{"value 0":\{"0\.1":/);
});

Deno.test("info says what a file does not, and its advice works when typed", async () => {
  await using place = await folder();
  const info = await place.run("info plain.pt");
  assertWorks(info);
  assert.match(info.out, /the loss is missing.*\n.*--loss NAME .*\n {2}convert plain\.pt NEW\.safetensors --loss NAME/);
  assert.match(info.out, /preprocessing is missing.*\n {2}train FILE --from plain\.pt/);
  assertWorks(await place.run("convert plain.pt NEW.safetensors --loss crossEntropy"));
  const [known, again, other, onnx, sample] = await Promise.all([
    place.run("info NEW.safetensors"),
    place.run("predict NEW.safetensors --input x.npy"),
    place.run("predict NEW.safetensors --input x.npy --loss bce"),
    place.run("convert NEW.safetensors new.onnx --loss mse"),
    place.run("evaluate plain.pt --size 20"),
  ]);
  assert.doesNotMatch(known!.out, /the loss is missing/);
  assertWorks(again!);
  assertClose(rows(again!, "probabilities"), FIXTURE.softmax, 1e-5, "PyTorch");
  assertFails(other!, 2, 'predict takes no --loss: "NEW.safetensors" holds it, crossEntropy');
  assertFails(onnx!, 2, 'convert takes no --loss: "NEW.safetensors" holds it, crossEntropy');
  assertFails(sample!, 2, /does not say what the outputs mean: --loss NAME/);
});

Deno.test("predict goes by the bytes of a file; what comes with its model is left out and named", async () => {
  await using place = await folder();
  const [lightning, beside, extra, two, norm, converted] = await Promise.all([
    place.run("predict lightning.ckpt --input x.npy"),
    place.run("predict beside.pt --input x.npy"),
    place.run("predict extra.pt --input x.npy"),
    place.run("predict two.pt --input x.npy"),
    place.run("predict norm.pt --input x.npy"),
    place.run("convert lightning.ckpt new.safetensors"),
  ]);
  const left = { lightning: "criterion.weight", beside: "criterion.weight, train_acc.total" };
  for (const [run, names] of [[lightning!, left.lightning], [beside!, left.beside]] as const) {
    assert.match(run.err, new RegExp(`is left out: ${RegExp.escape(names)}\n`));
    assertClose(rows(run, "scores"), FIXTURE.logits, 1e-5, "PyTorch");
  }
  assert.match(extra!.err, /is left out: _extra_state, fc\._extra_state\n/);
  assertClose(rows(extra!, "scores"), FIXTURE.logits, 1e-5, "PyTorch");
  assertFails(two!, 1, /there are several, under "student\.", "teacher\.": save one of them by itself/);
  assertFails(norm!, 1, /unknown parameter "norm\.weight"/);
  assert.match(converted!.out, /; left out: criterion\.weight$/m);
});

Deno.test("the library says the same of such files", async () => {
  const bytes = (name: string) => Uint8Array.fromBase64(FIXTURE.files[name]!);
  assert.deepEqual(readModel(bytes("lightning.ckpt")).parameters, readModel(bytes("plain.pt")).parameters);
  const { model, leftOut, loss } = await loadModel(bytes("lightning.ckpt"));
  using _model = model;
  assert.deepEqual([leftOut, loss, model.loss], [["criterion.weight"], undefined, undefined]);
  assert.equal((await loadModel(bytes("plain.pt"))).leftOut, undefined);
});

Deno.test("a training starts from PyTorch's weights, to PyTorch's losses", async () => {
  await using place = await folder();
  const { table, weights, losses } = FIXTURE.started;
  place.write("table.csv", table);
  Deno.writeFileSync(`${place.path}/weights.pt`, Uint8Array.fromBase64(weights));
  const how = "--epochs 5 --lr 0.01 --batch-size 24 --no-shuffle --no-standardize --test-split 0 --log-file log.jsonl";
  const run = await place.run(`train table.csv --from weights.pt ${how}`);
  assertWorks(run);
  assert.match(run.out, /^from {7}weights\.pt: its weights; it does not say .*, outputs for down, up$/m);
  const trained = place.read("log.jsonl").trimEnd().split("\n").map((line) => JSON.parse(line).trainLoss);
  assertClose(trained, losses, 1e-5, "PyTorch");
  const wide = await place.run("train table.csv --from plain.pt");
  assertFails(wide, 1, 'cannot start from "plain.pt": it takes 2 numbers per step, the data have 1');
});
