/**
 * The control tensor: what changes from step to step. From this table come the places of its words in
 * core/kernels/constants (which scripts/build.ts writes), in the shaders, and in what the host sends.
 *
 * @module
 */

/** Its words in order, each an unsigned integer ("word") or a real number ("real"). */
export const CONTROL = {
  /** The seed of dropout. */
  seedLow: "word",
  seedHigh: "word",
  /** The number of the step, from 0. */
  step: "word",
  learningRate: "real",
  /** Adam's learning rate / (1 − β1^t). */
  stepSize: "real",
  /** Adam's √(1 − β2^t). */
  correction: "real",
  /** What AdamW multiplies parameters with. */
  decay: "real",
  /** What SGD's new gradient counts in its momentum. */
  fresh: "real",
  /** Rows before this batch in the same step. */
  rowsBefore: "word",
  /** What the gradient so far and a batch's own count in their mean. */
  kept: "real",
  added: "real",
} as const;

/** The name of a word. */
export type ControlName = keyof typeof CONTROL;

const NAMES = Object.keys(CONTROL) as readonly ControlName[];

/** Elements of the tensor: whole lines of the cache. */
export const CONTROL_WORDS: number = Math.ceil(Object.keys(CONTROL).length / 16) * 16;

/** The words of the control tensor, from its numbers by name. */
export function encodeControl(numbers: Readonly<Record<ControlName, number>>): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(NAMES.length), reals = new Float32Array(words.buffer);
  for (let i = 0; i < NAMES.length; i++) {
    const name = NAMES[i]!;
    if (CONTROL[name] === "word") words[i] = numbers[name];
    else reals[i] = numbers[name];
  }
  return words;
}

/** The place of each word under the name that kernels and shaders have for it: learningRate is CONTROL_LEARNING_RATE. */
export function controlPlaces(): [name: string, place: number][] {
  return Object.keys(CONTROL).map((name, i) => [`CONTROL_${name.replace(/[A-Z]/g, "_$&").toUpperCase()}`, i]);
}
