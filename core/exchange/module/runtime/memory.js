/**
 * Where numbers lie, and the program over them: for sequences of any length.
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
  return Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0));
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

/** Runs the program for T steps: `write` puts the inputs in their places, which it is told, with those of the outputs. */
export function run(T, write) {
  plan(T, (places) => {
    room(places.end);
    write(places);
  });
}
