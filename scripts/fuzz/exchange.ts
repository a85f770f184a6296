/**
 * Fuzzes the readers of other programs' model files with mutations that know their structure: the header of safetensors,
 * the directory of a zip archive, the instructions of a pickle.
 *
 *     deno task fuzz:exchange --runs 100000
 *
 * @module
 */

import { readModel, readPt, readSafetensors, type StateDict, writePt, writeSafetensors } from "../../mod.ts";
import { storedEntries, writeZip } from "../../core/exchange/zip.ts";
import type { Random } from "../../core/random.ts";
import { EDGES, IN_WORKER, main, mutateBytes, pick, type Target, WrongAcceptance } from "./harness.ts";

const TESTDATA = new URL("../../tests/testdata/", import.meta.url);
const read = (path: string): Uint8Array => Deno.readFileSync(new URL(path, TESTDATA));

const PT = [
  "golden/checkpoint/model.pt",
  "golden/checkpoint/full.pt",
  ...["types", "views", "nested", "parameters", "evil", "legacy"].map((name) => `exchange/${name}.pt`),
].map(read);

const SMALL: StateDict = {
  a: { shape: [2, 3], data: new Float32Array(6) },
  b: { shape: [0], data: new Float32Array(0) },
  c: { shape: [], data: new Float32Array(1) },
};

const SAFETENSORS = [
  read("golden/checkpoint/model.safetensors"),
  writeSafetensors(SMALL, { grutto: "{}" }),
  writeSafetensors(readPt(read("exchange/parameters.pt")).tensors, {
    grutto: '{"config":{"inputSize":1,"hiddenSize":2,"outputSize":1},"loss":"bce"}',
  }),
];

const NAMES = ["__proto__", "constructor", "__metadata__", "", "a", "dtype", "../a", "\u0000", "grutto"];
const VALUES: readonly unknown[] = [
  ...EDGES,
  ...NAMES,
  ...[null, true, [], {}, [[]], 0.5, 1e308, -0, "F32", "F64", "BF16", "BOOL", "I64", [0, 4], [4, 0], [1e9, 1e9]],
];

/** A value of JSON with something within it changed. */
function mutateJson(value: unknown, random: Random): unknown {
  if (typeof value !== "object" || value === null || random.below(6) === 0) return pick(random, VALUES);
  if (Array.isArray(value)) {
    const i = random.below(value.length + 1);
    return value.toSpliced(i, random.below(2), value.length ? mutateJson(value[i % value.length], random) : 0);
  }
  const entries = Object.entries(value);
  if (!entries.length) return { [pick(random, NAMES)]: pick(random, VALUES) };
  const i = random.below(entries.length), [key, old] = entries[i]!;
  return Object.fromEntries(
    pick(random, [
      () => entries.toSpliced(i, 1),
      () => [...entries, [pick(random, NAMES), old] as const],
      () => entries.with(i, [key, pick(random, entries)[1]]),
      () => entries.with(i, [key, mutateJson(old, random)]),
      () => entries.with(i, [key, mutateJson(old, random)]),
    ])(),
  );
}

/** A text of JSON with something changed that JSON.stringify would not write. */
function mutateText(text: string, random: Random): string {
  const at = random.below(text.length), [, member] = text.match(/("[^"]+":\{[^{}]*\})/) ?? [, '"a":1'];
  return pick(random, [
    () => text.replace("{", `{${member},`),
    () => text.replace('"dtype"', '"dtype":"F32","dtype"'),
    () => text.replace('"', '"\\u0061'),
    () => text.slice(0, at) + "[".repeat(1 + random.below(5000)) + text.slice(at),
    () =>
      text.slice(0, at) + pick(random, ["1e999", "\ufeff", "\\", '"', ",", "}", "{}", " ", "\u0000", "-0", "//"]) +
      text.slice(at),
    () => text.replace(/\d+/, String(pick(random, EDGES))),
    () => text.replace(/\d+/g, (digits) => random.below(4) ? digits : String(pick(random, EDGES))),
  ])();
}

function makeSafetensors(random: Random): Uint8Array {
  const bytes = pick(random, SAFETENSORS),
    length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (random.below(4) === 0) return mutateBytes(bytes, random);
  let header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  for (let i = random.below(3); i >= 0; i--) header = mutateJson(header, random);
  let text = JSON.stringify(header) ?? "";
  if (random.below(3) === 0) text = mutateText(text, random);
  const json = new TextEncoder().encode(text);
  const data = random.below(5) ? bytes.subarray(8 + length) : mutateBytes(bytes.subarray(8 + length), random);
  const made = new Uint8Array([...new Uint8Array(8), ...json, ...data]);
  const said = random.below(10) ? json.length : pick(random, EDGES);
  new DataView(made.buffer).setBigInt64(0, BigInt(said), true);
  return made;
}

/** Bytes behind an instruction of a pickle; "line": two lines of text; "text": a length and so many bytes. */
const ARGUMENTS: ReadonlyMap<string, number | "lines" | "text"> = new Map<string, number | "lines" | "text">([
  ...[..."().NRQbtusae}]\x85\x86\x87\x88\x89"].map((op) => [op, 0] as const),
  ...([["K", 1], ["q", 1], ["h", 1], ["M", 2], ["J", 4], ["r", 4], ["j", 4], ["G", 8]] as const),
  ["c", "lines"],
  ["X", "text"],
]);

const GLOBALS = [
  "collections\nOrderedDict\n",
  "torch._utils\n_rebuild_tensor_v2\n",
  "torch._utils\n_rebuild_parameter\n",
  "torch\nFloatStorage\n",
  "torch\nLongStorage\n",
  "torch\nSize\n",
  "os\nsystem\n",
  "builtins\neval\n",
  "__main__\n__proto__\n",
];

const latin = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** The instructions of a pickle, each with what stands behind it; the rest as one, where one is not known. */
function instructionsOf(pickle: Uint8Array): Uint8Array[] {
  const list: Uint8Array[] = [pickle.slice(0, 2)];
  for (let at = 2; at < pickle.length;) {
    const size = ARGUMENTS.get(String.fromCharCode(pickle[at]!));
    let end = pickle.length;
    if (typeof size === "number") end = at + 1 + size;
    else if (size === "lines") end = pickle.indexOf(10, pickle.indexOf(10, at) + 1) + 1;
    else if (size === "text") end = at + 5 + new DataView(pickle.buffer, pickle.byteOffset + at + 1).getUint32(0, true);
    list.push(pickle.slice(at, end));
    at = end;
  }
  return list;
}

/** An instruction that may be any, with an argument that may be any. */
function anyInstruction(random: Random): Uint8Array {
  const op = pick(random, [...ARGUMENTS.keys(), "0", "1", "i", "o", "\x81", "\x8a", "\x93", "\x94", "\x95"]);
  const size = ARGUMENTS.get(op);
  if (size === "lines") return latin(`c${pick(random, GLOBALS)}`);
  if (size === "text") return latin(`X${String.fromCharCode(random.below(4))}\0\0\0abc`);
  const bytes = new Uint8Array(9);
  new DataView(bytes.buffer).setBigInt64(1, BigInt(pick(random, EDGES)), true);
  bytes[0] = op.charCodeAt(0);
  return bytes.slice(0, 1 + (size ?? random.below(9)));
}

function mutatePickle(pickle: Uint8Array, random: Random): Uint8Array {
  const list = instructionsOf(pickle), at = 1 + random.below(list.length);
  const to = Math.min(list.length, at + 1 + random.below(pick(random, [2, 8, 40])));
  const changed = pick(random, [
    () => list.toSpliced(at, to - at),
    () => list.toSpliced(at, 0, ...list.slice(at, to)),
    () => list.toSpliced(at, 0, anyInstruction(random)),
    () => list.toSpliced(at, 1, anyInstruction(random)),
    () => list.toSpliced(at, to - at, ...list.slice(1 + random.below(list.length)).slice(0, to - at)),
    () => list.toSpliced(at, 0, ...Array.from({ length: random.below(3000) }, () => list[at % list.length]!)),
    // A number of one that has any: sizes, offsets, strides, what is kept and recalled.
    () => {
      const numbers = [...list.keys()].filter((i) => "KMJ".includes(String.fromCharCode(list[i]![0]!)));
      const J = new Uint8Array(5);
      J[0] = 0x4a;
      new DataView(J.buffer).setInt32(1, pick(random, EDGES), true);
      return numbers.length ? list.with(pick(random, numbers), J) : list;
    },
  ])();
  return new Uint8Array(changed.flatMap((part) => [...part]));
}

function makePt(random: Random): Uint8Array {
  const bytes = pick(random, [...PT, writePt(SMALL, { grutto: "{}" })]);
  const kind = random.below(8);
  if (kind === 0) return mutateBytes(bytes, random);
  let entries: (readonly [string, Uint8Array])[];
  try {
    entries = [...storedEntries(bytes, "a")].map(([name, read]) => [name, read()]);
  } catch {
    return mutateBytes(bytes, random);
  }
  const i = random.below(entries.length), [name, data] = entries[i]!;
  if (kind <= 4) {
    entries = entries.map(([name, data]) => {
      if (!name.endsWith("data.pkl")) return [name, data];
      for (let times = random.below(3); times >= 0; times--) data = mutatePickle(data, random);
      return [name, data];
    });
  } else if (kind === 5) {
    entries = pick(random, [
      () => entries.toSpliced(i, 1),
      () => entries.with(i, [pick(random, [...NAMES, "archive/data.pkl", `${name}/`, "b/data.pkl"]), data]),
      () => [...entries, [name, data] as const],
      () => entries.with(i, [name, mutateBytes(data, random)]),
      () => [...entries, ["archive/extra/grutto.json", latin(mutateText('{"grutto":"{}"}', random))] as const],
    ])();
  }
  const made = writeZip(entries);
  if (kind < 6) return made;
  // A field of the archive's own: of a header, or of the end of the directory.
  const view = new DataView(made.buffer), records: number[] = [];
  for (let at = 0; at + 4 <= made.length; at++) {
    if (view.getUint16(at, true) === 0x4b50) records.push(at);
  }
  for (let times = random.below(3); times >= 0; times--) {
    const at = pick(random, records) + random.below(48), value = pick(random, [...EDGES, ...records]);
    if (at + 4 > made.length) continue;
    if (random.below(2)) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
  }
  return made;
}

/** What was read must be tensors, and the same again once it is written. */
function verify(bytes: Uint8Array, tensors: StateDict, again: (dict: StateDict) => StateDict): void {
  const bits = (dict: StateDict) =>
    Object.entries(dict).map(([name, { shape, data }]) => [name, shape, [...new Uint8Array(data.buffer)]]).sort();
  let size = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    size += data.byteLength;
    if (shape.reduce((a, b) => a * b, 1) !== data.length) throw new WrongAcceptance(`the shape of ${name}`);
  }
  // As much again for every type of one byte or two, and for views that share a storage.
  if (size > 16 * bytes.length) throw new WrongAcceptance(`${size} bytes of numbers in a file of ${bytes.length}`);
  if (JSON.stringify(bits(tensors)) !== JSON.stringify(bits(again(tensors)))) throw new WrongAcceptance("other bits");
  try {
    readModel(bytes);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("Cannot read ")) throw error;
  }
}

/** The readers of core/exchange. */
export const TARGETS: readonly Target[] = [
  {
    name: "safetensors",
    make: makeSafetensors,
    read: (bytes) => {
      const { tensors } = readSafetensors(bytes);
      verify(bytes, tensors, (dict) => readSafetensors(writeSafetensors(dict)).tensors);
    },
  },
  {
    name: "pt",
    make: makePt,
    read: (bytes) => {
      const { tensors } = readPt(bytes);
      verify(bytes, tensors, (dict) => readPt(writePt(dict)).tensors);
    },
  },
];

if (import.meta.main || IN_WORKER) await main("deno task fuzz:exchange", TARGETS, import.meta.url);
