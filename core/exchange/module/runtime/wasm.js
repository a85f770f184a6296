/**
 * The same with kernels in WASM, where that may be compiled: all calls for a length are written down once.
 *
 * @module
 */

import { bytesOf, kept, load, memory, plan, room } from "./memory.js";

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

/** What kernels run in. */
export function engine() {
  return wasm ? "WebAssembly" : "JavaScript";
}

/** The program for T steps, in the memory of the WASM module. */
function layOut(T) {
  const words = [];
  let places;
  plan(T, (found) => places = found, (...call) => words.push(...call));
  const { end } = places;
  grow(end + words.length);
  memory.fill(0, kept, end);
  new Int32Array(memory.buffer).set(words, end);
  return layout = { T, places, words: words.length };
}

/** Runs the program for T steps: see `run`. */
export function runFast(T, write) {
  if (!wasm) {
    plan(T, (places) => {
      room(places.end);
      write(places);
    }, (kernel, ...args) => kernels[kernel](...args));
    return;
  }
  const { places, words } = layout?.T === T ? layout : layOut(T);
  write(places);
  wasm.run(4 * places.end, words);
}
