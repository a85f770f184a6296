import assert from "node:assert/strict";
import {
  createModel,
  createTrainer,
  type Dataset,
  errorCause,
  evaluate,
  loadCheckpoint,
  parseCheckpoint,
  sampleDataset,
  saveCheckpoint,
  Training,
} from "../../mod.ts";
import { openModel } from "../../core/cli/model_files.ts";
import { parseCommandLine } from "../../core/cli/arguments.ts";
import { Random } from "../../core/random.ts";
import { readLargeJson, type Wanted } from "../../core/train/checkpoint/large_json.ts";
import { loadFrom, readStored } from "../../core/train/checkpoint/load.ts";
import { Base64, decodeNumbers, NumberReader } from "../../core/train/checkpoint/numbers.ts";
import { type Snapshot, snapshotChunks, takeSnapshot, withSnapshot } from "../../core/train/checkpoint/snapshot.ts";
import { writeDurably } from "../../core/train/durable.ts";
import { Trainer } from "../../core/train/trainer.ts";
import { hashJson } from "../../core/train/json_bytes.ts";
import { Place } from "../cli/run.ts";

/** Reads a text as a large one, some bytes at a time. */
function readLarge(text: string, most = 7, wanted: Wanted = {}, random = new Random(1, "data")) {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return readLargeJson(
    (buffer) => {
      const piece = bytes.subarray(at, at + Math.min(1 + random.below(most), buffer.length));
      buffer.set(piece);
      at += piece.length;
      return piece.length || null;
    },
    bytes.length,
    "load",
    wanted,
  );
}

/** The text of a checkpoint, with its numbers as lists of strings if they are more than `large` bytes. */
async function textOf(snapshot: Snapshot, large: number): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of snapshotChunks(snapshot, large)) text += decoder.decode(chunk, { stream: true });
  return text;
}

/** A training of two epochs, with everything that a checkpoint can hold. */
async function trained(hiddenSize = 6): Promise<{ training: Training; snapshot: Snapshot }> {
  const data = sampleDataset({ size: 20, steps: 3 });
  const model = await createModel({ inputSize: 5, hiddenSize, outputSize: 2, dropout: 0.3 }, { seed: 3 });
  const training = new Training(model, data, { epochs: 2, validation: data, restoreBest: true });
  await training.run();
  const job = { text: 'a "quoted" \\ é \ud83d\ude00 \u2028', list: [1, -0.5, 1e-7, null, true], "": { data: "AAAA" } };
  return { training, snapshot: await takeSnapshot({ model, training, job, preprocessing: { data: [] } }) };
}

Deno.test("a checkpoint of up to 256 MiB of numbers is version 3 to the byte, a larger one version 4 with lists", async () => {
  const { training, snapshot } = await trained();
  using _model = training.model;
  const small = JSON.parse(await textOf(snapshot, 1e9)), large = JSON.parse(await textOf(snapshot, 0));
  assert.deepEqual([small.version, large.version], [3, 4]);
  const joined = JSON.parse(
    JSON.stringify(large),
    (key, value) => key === "data" && value.join ? value.join("") : value,
  );
  const { checksum, ...content } = large;
  assert.equal(checksum, await hashJson(content));
  assert.deepEqual({ ...joined, version: 3, checksum: 0, preprocessing: 0 }, {
    ...small,
    checksum: 0,
    preprocessing: 0,
  });
});

Deno.test("numbers of several pieces come back to the bit, and no piece is long", () => {
  const random = new Random(5, "data"), numbers = Float32Array.from({ length: 500_001 }, () => random.normal());
  for (const isList of [true, false]) {
    const stored = JSON.parse([...new Base64(new Uint8Array(numbers.buffer), isList).texts()].join(""));
    if (isList) assert.deepEqual(stored.map(({ length }: string) => length), [1 << 20, 1 << 20, 569_520]);
    assert.deepEqual(decodeNumbers("x", [numbers.length], stored), numbers);
  }
});

Deno.test("both forms read as a text, and as a file in pieces of any size, give the same model, optimizer and training", async () => {
  await using place = await Place.make();
  const { training, snapshot } = await trained();
  using model = training.model;
  for (const large of [0, 1e9]) {
    const text = await textOf(snapshot, large), path = `${place.path}/last.json`;
    await writeDurably(path, snapshotChunks(snapshot, large));
    assert.equal(place.read("last.json"), text);
    const loaded = [await parseCheckpoint(text), await loadCheckpoint(path)];
    for (const most of [1, 3, 64, 1 << 16]) {
      const { value, checksum } = await readLarge(text, most), content = value as Record<string, unknown>;
      assert.equal(checksum, content.checksum);
      const { parameters, ...rest } = content, expected = JSON.parse(text);
      for (const [name, { data }] of Object.entries(parameters as Record<string, { data: Uint8Array }>)) {
        assert.deepEqual(new Float32Array(data.slice().buffer), snapshot.parameters[name]!.data);
      }
      for (const name of ["job", "preprocessing", "network", "training"]) assert.deepEqual(rest[name], expected[name]);
    }
    for (const { model: copy, trainer, training: stored, job } of loaded) {
      assert.deepEqual(await copy.stateDict(), await model.stateDict());
      assert.deepEqual(await trainer!.state(), await training.trainer.state());
      assert.deepEqual(stored!.bestParameters, training.bestParameters);
      assert.deepEqual(job, snapshot.job);
      copy.dispose();
    }
  }
});

Deno.test("of a file whose model is to compute alone, the optimizer's numbers are checked and not kept", async () => {
  const { training, snapshot } = await trained();
  using model = training.model;
  const text = await textOf(snapshot, 0),
    { value, checksum } = await readLarge(text, 1 << 16, { numbers: "parameters" });
  const { trainer, parameters, checksum: own } = value as {
    trainer: { state: Record<string, Record<string, { data: Uint8Array }>> };
    parameters: Record<string, { data: Uint8Array }>;
    checksum: string;
  };
  assert.equal(checksum, own);
  for (const dict of Object.values(trainer.state)) {
    for (const { data } of Object.values(dict)) assert.equal(data.length, 0);
  }
  for (const [name, { data }] of Object.entries(parameters)) {
    assert.deepEqual(new Float32Array(data.buffer), snapshot.parameters[name]!.data);
  }
  await using place = await Place.make();
  const path = `${place.path}/last.json`;
  await Deno.writeTextFile(path, text);
  using file = await Deno.open(path);
  const { model: copy, trainer: same, training: kept } = await loadFrom(file, new Uint8Array(0), path, {
    modelOnly: true,
  });
  // What the loss was is known all the same.
  assert.deepEqual(same!.options, training.trainer.options);
  assert.equal(kept!.state.epoch, training.state.epoch);
  assert.deepEqual(await copy.stateDict(), await model.stateDict());
  assert.deepEqual(await evaluate(copy, training.dataset), await evaluate(model, training.dataset));
  copy.dispose();
});

Deno.test("a large training is written as it lies in memory, to the same bytes, and no step begins before that is done", async () => {
  const { training, snapshot } = await trained();
  using model = training.model;
  const { trainer, dataset } = training, { job, preprocessing } = snapshot;
  const parts = { model, training, job, preprocessing }, text = await textOf(snapshot, 0), ended: string[] = [];
  const { targets, ...batch } = dataset as Dataset;
  const stepping = await withSnapshot(parts, async (shown, isShown) => {
    assert.ok(isShown);
    for (const dict of [shown.parameters, ...Object.values(shown.trainer!.state)]) {
      for (const { data } of Object.values(dict)) assert.ok((data.buffer as unknown) instanceof SharedArrayBuffer);
    }
    const step = trainer.step(batch, targets).then(() => void ended.push("step"));
    assert.equal(await textOf(shown, 0), text);
    ended.push("write");
    return [step];
  }, 0);
  await Promise.all(stepping);
  assert.deepEqual(ended, ["write", "step"]);
  // A smaller one is copied.
  await withSnapshot(parts, async ({ parameters }, isShown) => {
    assert.ok(!isShown);
    await trainer.step(batch, targets);
    assert.notDeepEqual(parameters, await model.stateDict());
  });
});

Deno.test("the arrays of a file are given back once its model holds their numbers", async () => {
  const { training, snapshot } = await trained();
  using model = training.model;
  const text = await textOf(snapshot, 0), { transfer } = ArrayBuffer.prototype;
  let bytes = 0;
  ArrayBuffer.prototype.transfer = function (size) {
    if (size === 0) bytes += this.byteLength;
    return transfer.call(this, size);
  };
  try {
    const { model: copy, trainer, training: kept } = await parseCheckpoint(text);
    assert.equal(bytes, 3 * 4 * model.parameters.reduce((sum, { length }) => sum + length, 0));
    assert.deepEqual(await copy.stateDict(), await model.stateDict());
    assert.deepEqual(await trainer!.state(), await training.trainer.state());
    assert.deepEqual(kept!.bestParameters, training.bestParameters);
    copy.dispose();
  } finally {
    ArrayBuffer.prototype.transfer = transfer;
  }
});

Deno.test("a file of more than 32 MiB is never one text", async () => {
  await using place = await Place.make();
  const path = `${place.path}/last.json`, { decode } = TextDecoder.prototype;
  using model = await createModel({ numEmbeddings: 720_000, inputSize: 3, hiddenSize: 2, outputSize: 2 });
  await saveCheckpoint(path, { model, trainer: createTrainer(model) });
  let longest = 0;
  TextDecoder.prototype.decode = function (bytes, options) {
    longest = Math.max(longest, bytes?.byteLength ?? 0);
    return decode.call(this, bytes, options);
  };
  try {
    using file = await Deno.open(path);
    for (const modelOnly of [false, true]) {
      await file.seek(0, Deno.SeekMode.Start);
      const { model: copy, steps } = await loadFrom(file, new Uint8Array(0), path, { modelOnly });
      assert.deepEqual([copy.parameters.length, steps], [model.parameters.length, 0]);
      copy.dispose();
    }
  } finally {
    TextDecoder.prototype.decode = decode;
  }
  assert.ok(Deno.statSync(path).size > 32 << 20 && longest > 0 && longest <= 1 << 20, `${longest}`);
});

Deno.test("a history is written as it was, and not copied", async () => {
  const data = sampleDataset({ size: 20, steps: 3 }), taken: [Snapshot, string][] = [];
  using model = await createModel({ inputSize: 5, hiddenSize: 3, outputSize: 2 });
  await new Training(model, data, {
    epochs: 130,
    async onEpoch({ epoch }, training) {
      if (![1, 64, 65, 129].includes(epoch)) return;
      const snapshot = await takeSnapshot({ model, training });
      assert.deepEqual(training.state.history.length, epoch);
      taken.push([snapshot, JSON.stringify(training.state.history)]);
    },
  }).run();
  const lists = taken.map(([{ training }]) => training!.state.history as unknown as { items: unknown[] });
  for (const { items } of lists) assert.equal(items, lists[0]!.items);
  for (const [snapshot, history] of taken) {
    const { checksum, ...content } = JSON.parse(await textOf(snapshot, 1e9));
    assert.equal(JSON.stringify(content.training.state.history), history);
    assert.equal(checksum, await hashJson(content));
  }
});

Deno.test({
  name: "info and convert take no optimizer's state from a large file, and say how many steps there were",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using place = await Place.make();
    const { training, snapshot } = await trained();
    using model = training.model;
    // A pipe is read as a large file is.
    const pipe = `${place.path}/pipe.json`, text = await textOf({ ...snapshot, job: null, preprocessing: null }, 0);
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    const through = async <T>(read: Promise<T>) => (await Promise.all([read, Deno.writeTextFile(pipe, text)]))[0];
    const { loadState } = Trainer.prototype;
    Trainer.prototype.loadState = () => Promise.reject(new Error("its state was loaded"));
    try {
      const { lines, parameters } = await through(openModel(pipe, parseCommandLine(["info", pipe])));
      assert.match(lines.at(-1)!, new RegExp(`, ${training.trainer.steps} steps$`));
      assert.deepEqual(parameters, await model.stateDict());
    } finally {
      Trainer.prototype.loadState = loadState;
    }
    const { parameters, trainer } = await through(readStored(pipe, { numbers: "none" }));
    for (const dict of [parameters, ...Object.values(trainer!.state)]) {
      for (const { data } of Object.values(dict)) assert.equal(data.length, 0);
    }
  },
});

Deno.test({
  name: "a checkpoint that comes through a pipe is read, whatever its size",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using place = await Place.make();
    const { training, snapshot } = await trained();
    using model = training.model;
    for (const large of [0, 1e9]) {
      const pipe = `${place.path}/pipe${large}`;
      await new Deno.Command("mkfifo", { args: [pipe] }).output();
      const [{ parameters }] = await Promise.all([
        readStored(pipe),
        Deno.writeTextFile(pipe, await textOf(snapshot, large)),
      ]);
      for (const [name, { shape, data }] of Object.entries(parameters)) {
        assert.deepEqual(decodeNumbers(name, shape, data), (await model.stateDict())[name]!.data);
      }
    }
  },
});

Deno.test("any JSON is read in pieces as JSON.parse reads it, with the checksum of its text", async () => {
  const random = new Random(2, "data"), pick = <T>(list: readonly T[]) => list[random.below(list.length)]!;
  const value = (depth: number): unknown => {
    const kind = random.below(depth > 4 ? 5 : 8);
    if (kind === 0) return pick([0, -1.5, 1e21, 5e-324, 123456789012, -0]);
    if (kind === 1) return pick([true, false, null]);
    if (kind < 5) return pick(["", "a", '"', "\\", '\\"', "é\n", "\ud83d\ude00", "\\\\", "x".repeat(300)]);
    const members = Array.from({ length: random.below(5) }, () => value(depth + 1));
    return kind === 5
      ? members
      : Object.fromEntries(members.map((member, i) => [pick(["", "data", "__proto__", "é"]) + i, member]));
  };
  for (let i = 0; i < 300; i++) {
    const content = { first: value(0), checksum: value(2), last: value(0) }, { checksum: _, ...rest } = content;
    const text = JSON.stringify(content, null, pick([undefined, 2, "\t"])),
      { value: got, checksum } = await readLarge(text, 20, {}, random);
    assert.deepEqual(got, JSON.parse(text));
    assert.equal(checksum, await hashJson(rest));
  }
});

const AAAA = '"shape":[1],"data":"AAAAAA=="';

/** Texts that are refused, by what is said of them. */
const BAD: Record<string, [string, RegExp]> = {
  nothing: ["", /cut off/],
  zeros: ["\0".repeat(5000), /not JSON/],
  "two values": ["{} {}", /more follows/],
  "a comma at the end": ['{"a":1,}', /a name must stand/],
  "no comma": ['{"a":1 "b":2}', /"," must stand here/],
  "no colon": ['{"a" 1}', /":" must stand here/],
  "an open list": ['{"a":[1,2', /"," must stand here/],
  "an open string": ['{"a":"b', /cut off/],
  "an open string of numbers": ['{"parameters":{"w":{"data":"AAAA', /cut off/],
  "a number that is none": ['{"a":1e}', /not JSON/],
  "a number that is too large": ['{"a":1e999}', /too large/],
  "a word that is none": ['{"a":nul}', /not JSON/],
  "a name twice": ['{"a":1,"a":2}', /twice/],
  "a control character": ['{"a":"\n"}', /not JSON/],
  "bytes that are not UTF-8": ['{"a":"\ud800"}'.replace("\ud800", "\ufffd"), /$/],
  "too deep": [`${"[".repeat(600)}${"]".repeat(600)}`, /too deep/],
  "letters that are not base64": ['{"parameters":{"w":{"data":"A%AA"}}}', /not base64/],
  "base64 behind its padding": ['{"parameters":{"w":{"data":"AA==AAAA"}}}', /not base64/],
  "an escape in base64": [String.raw`{"parameters":{"w":{"data":"AA\/A"}}}`, /not base64/],
  "numbers in a list": ['{"parameters":{"w":{"data":[1]}}}', /a string of base64 must stand/],
  "a string that is cut": [`{"parameters":{"w":{${AAAA.replace("==", "")}}}}`, /not base64/],
};

Deno.test("a large text that is not JSON is refused with a code and the place", async (t) => {
  for (const [what, [text, message]] of Object.entries(BAD)) {
    await t.step(what, async () => {
      if (what.startsWith("bytes")) {
        const bytes = new TextEncoder().encode('{"a":"x"}');
        bytes[6] = 0xff;
        let done = false;
        const read = (buffer: Uint8Array) => done ? null : (done = true, buffer.set(bytes), bytes.length);
        await assert.rejects(readLargeJson(read, 9, "load"), SyntaxError);
        return;
      }
      await assert.rejects(readLarge(text), (error: Error) => {
        assert.match(error.message, message);
        assert.match(errorCause(error)!.code, /^file-(not-json|too-deep)$/);
        return true;
      });
    });
  }
});

Deno.test("a shape that claims more than the file holds makes no room for it", async () => {
  const { value } = await readLarge('{"parameters":{"w":{"shape":[1000000,1000000],"data":"AAAAAA=="}}}');
  const { parameters } = value as { parameters: { w: { data: Uint8Array } } };
  assert.deepEqual([parameters.w.data.length, parameters.w.data.buffer.byteLength], [4, 4]);
});

Deno.test("numbers that come in pieces of base64 are put one behind the other", () => {
  const reader = new NumberReader();
  for (const text of ["AQID", "BAUG", "Bw=="]) assert.ok(reader.add(text));
  assert.deepEqual(reader.value, Uint8Array.of(1, 2, 3, 4, 5, 6, 7));
  for (const text of ["A", "AB", "AAA", "A===", "A-AA", "A_AA", "?"]) assert.ok(!reader.add(text), text);
});

Deno.test("what a model was made from cannot be changed, so that its checkpoint is its own", async () => {
  const quantiles = [0.1, 0.9];
  const options = { inputSize: 2, hiddenSize: 3, outputSize: 2, loss: "quantile" as const, quantiles };
  using model = await createModel(options);
  quantiles[0] = 0.5;
  const config = model.config as unknown as { hiddenSize: number; quantiles: number[] };
  assert.throws(() => config.hiddenSize = 9, TypeError);
  assert.throws(() => config.quantiles.push(1), TypeError);
  assert.throws(() => (model.network.layers as unknown[]).pop(), TypeError);
  const trainer = createTrainer(model);
  assert.throws(() => ((trainer.options.optimizer as { learningRate: number }).learningRate = NaN), TypeError);
  const { model: copy } = await parseCheckpoint(await textOf(await takeSnapshot({ model, trainer }), 1e9));
  assert.deepEqual([copy.config.hiddenSize, copy.config.quantiles], [3, [0.1, 0.9]]);
  copy.dispose();
});
