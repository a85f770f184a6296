/**
 * Where numbers lie, and the program over them, for sequences of any length: with kernels in JavaScript, then with those in
 * WASM, where that may be compiled.
 *
 * @module
 */

/** All numbers, of the WASM module's memory where there is one. */
export let memory = new Float32Array(0);

/** The program of the network: see core/model/program_text.ts. */
let plan;

/** Elements that are kept: the parameters. */
let kept;

/** Bytes of base64. */
function bytesOf(text) {
  const packed = atob(text), bytes = new Uint8Array(packed.length);
  for (let i = bytes.length; i--;) bytes[i] = packed.charCodeAt(i);
  return bytes;
}

/** Makes room for n numbers, and clears those that are not kept. */
function room(n) {
  if (memory.length < n) {
    const old = memory;
    memory = new Float32Array(2 * n);
    memory.set(old);
  }
  memory.fill(0, kept, n);
}

/** Places a network's parameters, float32 in base64: rows of them are placed at a distance from one another. */
export function load(text, runs, size, own) {
  const numbers = new Float32Array(bytesOf(text).buffer);
  let at = 0;
  plan = own;
  kept = size;
  room(size);
  for (let [place, count, length, stride] of runs) {
    for (; count--; place += stride) memory.set(numbers.subarray(at, at += length), place);
  }
}

/**
 * Runs the program for T steps: `write` puts the inputs in their places, which it is told, with those of the outputs.
 *
 * @param before Steps of them that were computed before, with room for as many as now; `most`: steps to have room for.
 */
export function run(T, write, before, most) {
  plan(
    T,
    (places) => {
      if (!before) room(places.end);
      write(places);
    },
    undefined,
    before,
    most,
  );
}

/** The stream whose numbers are in the memory. */
let owner;

/** Gives the memory to a stream, or to none: what another has there it keeps itself from now on. */
export function enter(stream) {
  if (owner === stream) return;
  if (owner) owner.saved = memory.slice(kept, owner.end);
  owner = stream;
  if (stream?.saved) memory.set(stream.saved, kept);
}

/** The exports of the WASM module; undefined: kernels run in plain JavaScript. */
let wasm;

/** Kernels in JavaScript, by number. */
let kernels;

/** What is laid out at the moment: for T steps. */
let layout;

/** Makes room for n numbers in the memory of the WASM module. */
function grow(n) {
  const pages = Math.ceil(n / 16384) - wasm.memory.buffer.byteLength / 65536;
  if (pages > 0) wasm.memory.grow(pages);
  memory = new Float32Array(wasm.memory.buffer);
}

/** The WASM module in base64; undefined where nothing may be compiled: the kernels in JavaScript have the same bits. */
export function instantiate(text) {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(bytesOf(text))).exports;
  } catch {
    // A page's policy, or a worker's runtime, forbids it.
  }
}

/** Places a network's parameters in the memory of a WASM module, or where there is none in one of its own. */
export function loadInto(exports, all, text, runs, size, own) {
  wasm = exports;
  kernels = all;
  layout = undefined;
  memory = new Float32Array(0);
  if (wasm) grow(size);
  load(text, runs, size, own);
}

/** The exports of a WASM module: of a compiled one, of bytes, or of the file beside a module. */
export async function fetched(source, file, base) {
  if (source === undefined) {
    const url = new URL(file, base), files = globalThis.process?.getBuiltinModule?.("node:fs/promises");
    source = files && url.protocol === "file:" ? await files.readFile(url) : await (await fetch(url)).arrayBuffer();
  }
  const made = await WebAssembly.instantiate(source);
  return (made.instance ?? made).exports;
}

/** What kernels run in. */
export function engine() {
  return wasm ? "WebAssembly" : "JavaScript";
}

/** The program for T steps, in the memory of the WASM module. */
function layOut(T, before, most) {
  const words = [];
  let places;
  plan(T, (found) => places = found, (...call) => words.push(...call), before, most);
  const { end } = places;
  grow(end + words.length);
  if (!before) memory.fill(0, kept, end);
  new Int32Array(memory.buffer).set(words, end);
  return layout = { T: most ? 0 : T, places, words: words.length };
}

/** `run` in WASM, if there is some: all calls for a length are written down once. */
export function runFast(T, write, before, most) {
  if (!wasm) {
    plan(
      T,
      (places) => {
        if (!before) room(places.end);
        write(places);
      },
      (kernel, ...args) => kernels[kernel](...args),
      before,
      most,
    );
    return;
  }
  const { places, words } = !most && layout?.T === T ? layout : layOut(T, before, most);
  write(places);
  wasm.run(4 * places.end, words);
}

/** `run` of one part of a program in several; the first clears what is not kept. */
export function runPart(T, part, write, call) {
  plan(
    T,
    (places) => {
      if (!part) room(places.end);
      write(places);
    },
    call,
    part,
  );
}

/** The program's two parts for T steps, in the memory of the WASM module: words for it, and between them what it knows not. */
function layOutParts(T) {
  const parts = [[], []], own = [];
  let places;
  parts.forEach((pieces, part) =>
    plan(T, (found) => places = found, (kernel, ...args) => {
      // Kernels in JavaScript alone have numbers below 0.
      if (kernel < 0) return pieces.push(() => kernels.at(kernel)(...args));
      const last = pieces.at(-1);
      if (last?.size) return last.size = own.push(kernel, ...args) - last.first;
      const first = own.length;
      pieces.push({ first, size: own.push(kernel, ...args) - first });
    }, part)
  );
  const { end } = places;
  grow(end + own.length);
  memory.fill(0, kept, end);
  new Int32Array(memory.buffer).set(own, end);
  return layout = { T, places, parts };
}

/** `runPart` in WASM, if there is some, as far as that goes. */
export function runPartFast(T, part, write) {
  if (!wasm) return runPart(T, part, write, (kernel, ...args) => kernels.at(kernel)(...args));
  const { places, parts } = layout?.T === T ? layout : layOutParts(T);
  write(places);
  for (const piece of parts[part]) piece.size ? wasm.run(4 * (places.end + piece.first), piece.size) : piece();
}
