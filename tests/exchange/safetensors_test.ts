import assert from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import { readSafetensors, writeSafetensors } from "../../core/exchange/safetensors.ts";
import { numbers, readFixture, type StoredTensors } from "../golden.ts";
import { bitsOf, name, stateDict } from "./arbitrary.ts";

const CHECKPOINT = new URL("../testdata/golden/checkpoint/", import.meta.url);

/** A file of a header, as text or as a value, and data. */
function file(header: unknown, data = new Uint8Array(0)): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

const entry = (dtype: string, shape: unknown, data_offsets: unknown) => ({ dtype, shape, data_offsets });
const F4 = entry("F32", [1], [0, 4]);

Deno.test("readSafetensors reads what PyTorch's side wrote", () => {
  const { tensors, metadata } = readSafetensors(Deno.readFileSync(new URL("model.safetensors", CHECKPOINT)));
  const { params } = readFixture<{ params: StoredTensors }>("checkpoint/model.json");
  assert.deepEqual(metadata, { format: "pt", seed: "0" });
  assert.deepEqual(Object.keys(tensors), Object.keys(params));
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    assert.deepEqual(shape, params[name]!.shape);
    assert.deepEqual(Float64Array.from(data), numbers(params[name]!));
  }
});

Deno.test("safetensors: any dict and any metadata come back, bit for bit", () => {
  const metadata = fc.dictionary(name, fc.string({ unit: "binary" }));
  fc.assert(fc.property(stateDict, metadata, (dict, texts) => {
    const read = readSafetensors(writeSafetensors(dict, texts));
    assert.deepEqual(
      new Map(bitsOf(read.tensors).map(([n, ...t]) => [n, t])),
      new Map(bitsOf(dict).map(([n, ...t]) => [n, t])),
    );
    assert.deepEqual(Object.entries(read.metadata), Object.entries(texts));
  }));
});

Deno.test("readSafetensors takes other types of numbers as 32-bit floats", () => {
  const data = new DataView(new ArrayBuffer(31));
  data.setFloat64(0, 0.1, true);
  data.setUint16(8, 0x3e00, true); // 1.5 in half precision
  data.setUint16(10, 0xbfc0, true); // −1.5 in bfloat16
  data.setBigInt64(12, -5n, true);
  data.setInt32(20, 16777216, true);
  data.setInt16(24, -3, true);
  data.setInt8(26, -2);
  data.setUint8(27, 255);
  data.setUint8(28, 7);
  data.setUint16(29, 0x0001, true); // the least half
  const types = { F64: 8, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 };
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(types).map(([type, size]) => [type, entry(type, [], [end, end += size])]),
  );
  const { tensors } = readSafetensors(
    file({ ...header, least: entry("F16", [1], [29, 31]) }, new Uint8Array(data.buffer)),
  );
  assert.deepEqual(
    Object.values(tensors).map(({ data }) => data[0]),
    [Math.fround(0.1), 1.5, -1.5, -5, 16777216, -3, -2, 255, 1, 2 ** -24],
  );
});

Deno.test("readSafetensors refuses numbers that 32-bit floats cannot hold", () => {
  const int = new Uint8Array(BigInt64Array.of(16777217n).buffer), float = new Uint8Array(Float64Array.of(1e300).buffer);
  assert.throws(
    () => readSafetensors(file({ x: entry("I64", [1], [0, 8]) }, int), "a"),
    { name: "RangeError", message: 'Cannot read "a": "x": a 32-bit float cannot hold its int64 16777217 at 0' },
  );
  assert.throws(() => readSafetensors(file({ x: entry("F64", [1], [0, 8]) }, float)), RangeError);
});

const four = new Uint8Array(4);
const REFUSED: Record<string, [bytes: Uint8Array, name: string, message: RegExp]> = {
  "nothing": [new Uint8Array(0), "SyntaxError", /cut off/],
  "a header beyond the file": [file("{}").fill(255, 0, 8), "RangeError", /would be \d+ bytes, and 2 follow/],
  "a header that nobody has": [file(" ".repeat(16e6 + 1)), "RangeError", /16000001 bytes, and at most 16000000/],
  "no JSON": [file("{"), "SyntaxError", /not JSON/],
  "no UTF-8": [file("{}").fill(0xff, 8), "SyntaxError", /not JSON/],
  "a list": [file([]), "TypeError", /must be an object/],
  "a tensor that is a number": [file({ x: 3 }), "TypeError", /"x": it must be an object, got 3/],
  "a type unknown": [file({ x: entry("F8_E5M2", [1], [0, 1]) }, four), "TypeError", /dtype must be one of F32/],
  "a type inherited": [
    file('{"x":{"__proto__":{"dtype":"F32"},"shape":[1],"data_offsets":[0,4]}}', four),
    "TypeError",
    /"__proto__"/,
  ],
  "a field too much": [file({ x: { ...F4, strides: [1] } }, four), "TypeError", /unknown field "strides"/],
  "no shape": [file({ x: { dtype: "F32", data_offsets: [0, 4] } }, four), "TypeError", /shape must be a list/],
  "a negative shape": [file({ x: entry("F32", [-1], [0, 4]) }, four), "TypeError", /shape must be a list/],
  "a fraction": [file({ x: entry("F32", [0.5], [0, 2]) }, four), "TypeError", /shape must be a list/],
  "an overflowing shape": [
    file({ x: entry("F32", [2 ** 40, 2 ** 40], [0, 4]) }, four),
    "RangeError",
    /bytes from 0 to 4/,
  ],
  "a huge shape": [file({ x: entry("F32", [1e9], [0, 4e9]) }, four), "RangeError", /take 4000000000 bytes, and 4/],
  "a shape that is not the bytes": [file({ x: entry("F32", [2], [0, 4]) }, four), "RangeError", /bytes from 0 to 4/],
  "three offsets": [file({ x: entry("F32", [1], [0, 4, 8]) }, four), "TypeError", /must be two/],
  "reversed offsets": [file({ x: entry("F32", [1], [4, 0]) }, four), "RangeError", /bytes from 4 to 0/],
  "a hole": [file({ x: entry("F32", [1], [4, 8]) }, new Uint8Array(8)), "RangeError", /begins at byte 4, expected 0/],
  "an overlap": [file({ x: F4, y: F4 }, four), "RangeError", /"y" begins at byte 0, expected 4/],
  "bytes too many": [file({ x: F4 }, new Uint8Array(8)), "RangeError", /take 4 bytes, and 8/],
  "a name twice": [
    file(
      '{"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0078":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
    ),
    "TypeError",
    /twice/,
  ],
  "a field twice": [file('{"x":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}}'), "TypeError", /twice/],
  "metadata that are no texts": [file({ __metadata__: { a: 1 } }), "TypeError", /"a" must be a string/],
  "metadata twice": [file('{"__metadata__":{"a":"1","a":"2"}}'), "TypeError", /twice/],
};

for (const [what, [bytes, name, message]] of Object.entries(REFUSED)) {
  Deno.test(`readSafetensors refuses ${what}`, () => {
    assert.throws(() => readSafetensors(bytes, "a.safetensors"), (error: Error) => {
      assert.equal(error.name, name);
      assert.match(error.message, message);
      assert.ok(error.message.startsWith('Cannot read "a.safetensors": '), error.message);
      return true;
    });
  });
}

Deno.test("readSafetensors reads as many texts as there are", () => {
  const texts = Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`text ${i}`, ""]));
  assert.equal(Object.keys(readSafetensors(writeSafetensors({}, texts)).metadata).length, 200_000);
});

Deno.test("a tensor may be named __proto__: nothing else changes", () => {
  const { tensors } = readSafetensors(file('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', four));
  assert.deepEqual(Object.keys(tensors), ["__proto__"]);
  assert.equal(Object.getPrototypeOf(tensors), Object.prototype);
  assert.equal(({} as Record<string, unknown>).dtype, undefined);
});

Deno.test("writeSafetensors refuses what is no dict of tensors", () => {
  const data = new Float32Array(2);
  assert.throws(() => writeSafetensors({ x: { shape: [3], data } }), RangeError);
  assert.throws(() => writeSafetensors({ __metadata__: { shape: [2], data } }), TypeError);
  assert.throws(
    () => writeSafetensors({ x: { shape: [2], data: [1, 2] as unknown as Float32Array<ArrayBuffer> } }),
    TypeError,
  );
  assert.throws(() => writeSafetensors({}, { a: 1 as unknown as string }), TypeError);
});
