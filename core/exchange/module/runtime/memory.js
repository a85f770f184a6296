/**
 * Where numbers lie, and the programs over them: those of the module's network, `plan`, for sequences of any length.
 *
 * @module
 */

/** All numbers, of the WASM module's memory where there is one. */
export let memory;

/** The exports of the WASM module; undefined: kernels run in plain JavaScript. */
let wasm;

/** The network: see core/exchange/module/program.ts. */
let network;

/** Kernels by number. */
let kernels;

/** What is laid out at the moment: for T steps. */
let layout;

/** Makes room for n numbers. */
function grow(n) {
  if (wasm) {
    const pages = Math.ceil(n / 16384) - wasm.memory.buffer.byteLength / 65536;
    if (pages > 0) wasm.memory.grow(pages);
    memory = new Float32Array(wasm.memory.buffer);
  } else if (memory.length < n) {
    const old = memory;
    memory = new Float32Array(n);
    memory.set(old);
  }
}

/** Bytes of base64. */
function bytesOf(text) {
  return Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0));
}

/** The WASM module in base64; undefined where nothing may be compiled: the kernels in JavaScript have the same bits. */
export function instantiate(text) {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(bytesOf(text))).exports;
  } catch {
    // A page's policy, or a worker's runtime, forbids it.
  }
}

/** Places a network's parameters, float32 in base64, and says what its kernels run in. */
export function load(text, own, all, exports) {
  network = own;
  kernels = all;
  wasm = exports;
  layout = undefined;
  memory = new Float32Array(0);
  grow(own.size);
  new Uint8Array(memory.buffer).set(bytesOf(text), 4 * own.values);
  own.pack((kernel, ...args) => kernel(...args));
}

/** What kernels run in. */
export function engine() {
  return wasm ? "WebAssembly" : "JavaScript";
}

/** The program for T steps. */
function layOut(T) {
  const calls = [], words = [];
  const at = network.plan(T, (kernel, ...args) => {
    if (wasm) words.push(kernel, ...args);
    else calls.push([kernels[kernel], args]);
  });
  const { end } = at;
  grow(end + words.length);
  memory.fill(0, network.size, end);
  if (wasm) new Int32Array(memory.buffer).set(words, end);
  return layout = { T, at, calls, words: words.length };
}

/** Runs the program for T steps: `write` puts the inputs in their places. */
export function run(T, write) {
  const { at, calls, words } = layout?.T === T ? layout : layOut(T);
  write(at);
  if (wasm) wasm.run(4 * at.end, words);
  else for (const [kernel, args] of calls) kernel(...args);
  return at;
}
