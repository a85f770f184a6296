import assert from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import { Pickler, Storage, Tensor } from "../../core/exchange/pickle.ts";
import { readPt, writePt } from "../../core/exchange/pt.ts";
import { readSafetensors } from "../../core/exchange/safetensors.ts";
import { storedEntries, writeZip } from "../../core/exchange/zip.ts";
import { bitsOf, stateDict } from "./arbitrary.ts";

const CHECKPOINT = new URL("../testdata/golden/checkpoint/", import.meta.url);
// Written by scripts/exchange_fixtures.py.
const SAVED = new URL("../testdata/exchange/", import.meta.url);

const read = (name: string, folder = SAVED) => readPt(Deno.readFileSync(new URL(name, folder)), name).tensors;
const valuesOf = (name: string) =>
  Object.entries(read(name)).map(([name, { shape, data }]) => [name, shape, [...data]]);
const utf8 = (text: string) => new TextEncoder().encode(text);

Deno.test("readPt reads PyTorch's state dict, and finds it in a training's file", () => {
  const { tensors } = readSafetensors(Deno.readFileSync(new URL("model.safetensors", CHECKPOINT)));
  assert.deepEqual(read("model.pt", CHECKPOINT), tensors);
  assert.deepEqual(read("full.pt", CHECKPOINT), tensors);
});

Deno.test("readPt takes other types of numbers as 32-bit floats", () => {
  const six = ["float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"];
  assert.deepEqual(valuesOf("types.pt"), [...six.map((type) => [type, [2, 3], [0, 1, 2, 3, 4, 5]]), ["bool", [2], [
    1,
    0,
  ]]]);
});

Deno.test("readPt honours strides and offsets", () => {
  const whole = Array.from({ length: 24 }, (_, i) => i);
  assert.deepEqual(valuesOf("views.pt"), [
    ["whole", [4, 6], whole],
    ["turned", [6, 4], whole.map((_, i) => i % 4 * 6 + Math.floor(i / 4))],
    ["slice", [2, 2], [8, 10, 14, 16]],
    ["row", [6], [12, 13, 14, 15, 16, 17]],
    ["repeated", [4, 3], [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]],
    ["scalar", [], [7]],
    ["empty", [0, 3], []],
  ]);
});

Deno.test("readPt reads parameters as tensors, and a dict beside much else", () => {
  assert.deepEqual(
    read("parameters.pt"),
    Object.fromEntries(
      Object.entries(read("module_prefix.pt")).map(([name, tensor]) => [name.replace("module.", ""), tensor]),
    ),
  );
  assert.equal(Object.keys(read("nested.pt")).length, 9);
});

const REFUSED: Record<string, [name: string, message: RegExp]> = {
  evil: ["TypeError", /names "posix\.system", which is refused/],
  module: ["TypeError", /names "torch\.nn\.modules\.linear\.Linear", which is refused: .*save model\.state_dict\(\)/],
  legacy: ["TypeError", /before version 1\.6/],
  protocol_4: ["TypeError", /no pickle of protocol 2/],
  optimizer_only: ["TypeError", /no state dict.*"epoch", "optimizer"/],
  odd: ["TypeError", /"epoch" is none/],
  large_int: ["RangeError", /"steps": a 32-bit float cannot hold its int64 16777217/],
  large_float: ["RangeError", /"x": a 32-bit float cannot hold its float64 1e\+300/],
};

for (const [file, [name, message]] of Object.entries(REFUSED)) {
  Deno.test(`readPt refuses ${file}.pt`, () => {
    assert.throws(() => read(`${file}.pt`), (error: Error) => {
      assert.equal(error.name, name);
      assert.match(error.message, message);
      assert.ok(error.message.startsWith(`Cannot read "${file}.pt": `), error.message);
      return true;
    });
  });
}

Deno.test(".pt: any dict comes back, bit for bit, in its order", () => {
  fc.assert(fc.property(stateDict, (dict) => {
    fc.pre(Object.keys(dict).length > 0 && Object.keys(dict).every((name) => name.isWellFormed()));
    assert.deepEqual(bitsOf(readPt(writePt(dict)).tensors), bitsOf(dict));
  }));
});

Deno.test("writePt keeps metadata beside the state dict", () => {
  const dict = { x: { shape: [1], data: Float32Array.of(1) } }, metadata = { grutto: "{}", ["__proto__"]: "é" };
  const file = readPt(writePt(dict, metadata));
  assert.deepEqual(file.tensors, dict);
  assert.deepEqual(Object.entries(file.metadata), Object.entries(metadata));
});

Deno.test("writePt is deterministic, and begins every entry at a multiple of 64", () => {
  const dict = { a: { shape: [3], data: Float32Array.of(1, 2, 3) }, b: { shape: [], data: Float32Array.of(4) } };
  const bytes = writePt(dict);
  assert.deepEqual(bytes, writePt(dict));
  for (const entry of storedEntries(bytes, "a").values()) assert.equal(entry().byteOffset % 64, 0);
});

const VERSION = ["a/version", utf8("3\n")] as const;

/** A file of a pickle and storages. */
function file(pickle: Uint8Array, storages: Record<string, Uint8Array> = {}): Uint8Array {
  const data = Object.entries(storages).map(([key, bytes]) => [`a/data/${key}`, bytes] as const);
  return writeZip([["a/data.pkl", pickle], VERSION, ...data]);
}

/** A file of one tensor that may be wrong. */
function view(
  offset: number,
  shape: number[],
  strides: number[],
  { count = 4, bytes = 16, key = "0" } = {},
): Uint8Array {
  const pickle = new Pickler().tensors([["x", new Tensor(new Storage("float32", key, count), offset, shape, strides)]]);
  return file(pickle.end(), { "0": new Uint8Array(bytes) });
}

const pickled = (letters: string) => file(new Pickler().op(letters).end());

const HOSTILE: Record<string, [bytes: Uint8Array, name: string, message: RegExp]> = {
  "a text file": [utf8("hello"), "TypeError", /no \.pt file/],
  "an archive of something else": [writeZip([["x.npy", new Uint8Array(8)]]), "TypeError", /one folder with data\.pkl/],
  "an archive of more than one folder": [
    writeZip([["a/data.pkl", new Pickler().op("}").end()], VERSION, ["../b", new Uint8Array(1)]]),
    "TypeError",
    /one folder/,
  ],
  "no version": [writeZip([["a/data.pkl", new Pickler().op("}").end()]]), "SyntaxError", /version is missing/],
  "numbers in the other order": [
    writeZip([["a/data.pkl", new Pickler().op("}").end()], VERSION, ["a/byteorder", utf8("big")]]),
    "TypeError",
    /"big"-endian/,
  ],
  "a TorchScript program": [
    writeZip([["a/data.pkl", new Pickler().op("}").end()], ["a/constants.pkl", utf8("")]]),
    "TypeError",
    /TorchScript/,
  ],
  "an offset beyond the storage": [view(1, [4], [1]), "RangeError", /reaches beyond the 4 numbers/],
  "a stride beyond the storage": [view(0, [2, 2], [3, 1]), "RangeError", /reaches beyond/],
  "a huge shape over one number": [view(0, [2 ** 30], [0]), "RangeError", /4 times the bytes/],
  "an overflowing shape": [view(0, [2 ** 40, 2 ** 40], [0, 0]), "RangeError", /reaches beyond/],
  "a stride to infinity": [view(0, [3, 3], [2 ** 52, 2 ** 52]), "RangeError", /reaches beyond/],
  "a storage of another size": [view(0, [4], [1], { bytes: 12 }), "RangeError", /must not take 12 bytes/],
  "a huge storage": [view(0, [4], [1], { count: 2 ** 52 }), "RangeError", /must not take 16 bytes/],
  "a missing storage": [view(0, [4], [1], { key: "../../0" }), "SyntaxError", /storage "\.\.\/\.\.\/0" is missing/],
  "an empty dict": [pickled("}"), "TypeError", /it is empty/],
  "a list": [pickled("]"), "TypeError", /something else/],
  "a dict within itself": [
    file(new Pickler().op("}q\0").string("model").op("h\0s").end()),
    "TypeError",
    /dicts in dicts/,
  ],
  "an empty stack": [pickled("R"), "SyntaxError", /stack is empty/],
  "a stack that is left full": [pickled("NN"), "SyntaxError", /not empty/],
  "a mark that is missing": [pickled("u"), "SyntaxError", /mark is missing/],
  "items of no dict": [pickled("NNNs"), "SyntaxError", /no dict/],
  "an item appended to no list": [pickled("NNa"), "SyntaxError", /no list/],
  "what it did not keep": [pickled("h\x05"), "SyntaxError", /recalls 5/],
  "a call of a text": [
    file(new Pickler().string("os.system").op(")R").end()),
    "SyntaxError",
    /calls what is no function/,
  ],
  "a call of a storage's class": [
    file(new Pickler().global("torch.FloatStorage").op(")R").end()),
    "SyntaxError",
    /torch\.FloatStorage with/,
  ],
  "a tensor of anything": [
    file(new Pickler().global("torch._utils._rebuild_tensor_v2").op(")R").end()),
    "SyntaxError",
    /_rebuild_tensor_v2 with/,
  ],
  "a reference to anything": [pickled("NQ"), "SyntaxError", /no storage/],
  "attributes of a list": [pickled("]}b"), "SyntaxError", /attributes/],
  "an instruction that makes instances": [pickled("(ios\nsystem\n"), "TypeError", /instruction 0x69/],
  "a pickle cut off": [file(Uint8Array.of(0x80, 2, 0x58, 255, 255, 255, 255)), "SyntaxError", /cut off/],
  "a pickle without an end": [file(Uint8Array.of(0x80, 2, 0x4e)), "SyntaxError", /cut off/],
  "a pickle that nobody has": [file(new Uint8Array(8e6 + 1)), "RangeError", /8000001 bytes, and at most 8000000/],
  "two million dicts": [file(new Pickler().op("}".repeat(2e6)).end()), "RangeError", /more than 1000000 objects/],
};

for (const [what, [bytes, name, message]] of Object.entries(HOSTILE)) {
  Deno.test(`readPt refuses ${what}`, () => {
    assert.throws(() => readPt(bytes, "a.pt"), (error: Error) => {
      assert.equal(error.name, name, error.message);
      assert.match(error.message, message);
      assert.ok(error.message.startsWith('Cannot read "a.pt": '), error.message);
      return true;
    });
  });
}

Deno.test("readPt notices every changed byte of the numbers, and every place where a file is cut off", () => {
  const bytes = writePt({ x: { shape: [4], data: Float32Array.of(1, 2, 3, 4) } });
  const data = storedEntries(bytes, "a").get("archive/data/0")!().byteOffset;
  for (let i = data; i < data + 16; i++) {
    const damaged = bytes.slice();
    damaged[i]! ^= 1;
    assert.throws(() => readPt(damaged), { name: "SyntaxError", message: /"archive\/data\/0" is damaged/ });
  }
  for (let length = 4; length < bytes.length; length++) {
    assert.throws(() => readPt(bytes.slice(0, length)), SyntaxError);
  }
});

Deno.test("storedEntries refuses entries that are compressed, encrypted, there twice or over each other", () => {
  const data = new Uint8Array(100), bytes = writeZip([["a", data], ["b", data]]);
  const directory = bytes.findIndex((_, i) => bytes[i] === 0x50 && bytes[i + 1] === 0x4b && bytes[i + 2] === 1);
  const change = (offset: number, value: number) => {
    const changed = bytes.slice();
    changed[directory + offset] = value;
    return () => storedEntries(changed, "a");
  };
  assert.doesNotThrow(change(16, 0)); // checksums are looked at when an entry is
  assert.throws(change(8, 1), { name: "TypeError", message: /encrypted/ });
  assert.throws(change(10, 8), { name: "TypeError", message: /compressed/ });
  assert.throws(change(46, 0x62), { name: "TypeError", message: /twice/ });
  assert.throws(change(0, 0), { name: "SyntaxError", message: /entry 1 is not where/ });
  assert.throws(change(28, 255), { name: "SyntaxError", message: /entry 1 is cut off/ });
  assert.throws(change(42, 7), { name: "SyntaxError", message: /a is not there/ });
  const many = writeZip(Array.from({ length: 50 }, (_, i) => [String(i).padStart(2, "0"), data] as const));
  const first = many.findIndex((_, i) => many[i] === 0x50 && many[i + 1] === 0x4b && many[i + 2] === 1);
  // All the entries at the first one's place, each as long as it and those behind.
  for (let i = 0; i < 50; i++) {
    const view = new DataView(many.buffer), at = first + i * 48;
    view.setUint32(at + 20, 4000, true);
    view.setUint32(at + 24, 4000, true);
    view.setUint32(at + 42, 0, true);
  }
  assert.throws(() => storedEntries(many, "a"), { name: "SyntaxError", message: /over each other/ });
});

Deno.test("the PyTorch class in the docs is the one that scripts/pytorch_roundtrip.py runs on padded batches", async () => {
  const read = (path: string) => Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
  const docs = await read(".github/docs/onnx-and-pytorch.md"), script = await read("scripts/pytorch_model.py");
  const module = script.slice(script.indexOf("import torch")).trimEnd();
  assert.ok(module.includes("pack_padded_sequence(") && docs.includes(module));
  assert.match(await read("scripts/pytorch_roundtrip.py"), /\("padded", lengths\)/);
});
