/** Numbers that must be finite: what a model is given, and what it answers. */

import { spell } from "../display.ts";
import { fail } from "../errors.ts";
import type { Sequences } from "./batch.ts";
import type { PlacedNetwork } from "./placed_network.ts";

/** The index of the first number in a range that is not finite, or −1. */
export function firstBad(values: Float32Array, start = 0, end = values.length): number {
  for (let i = start; i < end; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

/**
 * Checks that all numbers that a network is given are finite. Steps beyond a sequence's length are not checked: they are
 * never used.
 *
 * @param sequences A batch that fits the network.
 * @param what What the error calls the batch: " of the data".
 * @throws {RangeError} If one is not; the message says where the first is.
 */
export function checkFiniteInputs(net: PlacedNetwork, sequences: Sequences, action: string, what = ""): void {
  const { x, shape: [B, T], lengths, h0, inputs = {}, axes = {}, states = {} } = sequences as Sequences & {
    shape: [number, number, number];
  };
  const first = net.firstInput.name;
  for (const { name, outputs } of net.inputs) {
    const data = name === first ? x : inputs[name], { kind, axis } = outputs.output!;
    if (!(data instanceof Float32Array)) continue;
    const along = axis === undefined ? { steps: T, lengths } : axes[axis];
    const steps = kind === "steps" && along ? along.steps : 1, each = data.length / B, width = each / steps;
    for (let row = 0; row < B; row++) {
      const start = row * each, valid = kind === "steps" ? along?.lengths?.[row] ?? steps : 1;
      const bad = firstBad(data, start, start + valid * width);
      if (bad < 0) continue;
      const at = bad - start, step = kind === "steps" ? `step ${Math.floor(at / width)}, ` : "";
      refuse(name === first ? "x" : `inputs.${name}`, data[bad]!, `sequence ${row}, ${step}channel ${at % width}`);
    }
  }
  for (const [name, data] of [["h0", h0], ...Object.entries(states)] as const) {
    const bad = data ? firstBad(data) : -1;
    if (bad >= 0) refuse(name, data![bad]!, `number ${bad}`);
  }

  function refuse(name: string, value: number, place: string): never {
    const problem = `${name}${what} must be finite numbers, got ${spell(value)} in ${place} (counted from 0)`;
    throw fail("not-finite", action, problem, { name, value });
  }
}

/**
 * Checks what a model answers.
 *
 * @throws {RangeError} If a number is not finite.
 */
export function checkFiniteOutputs(outputs: Float32Array, action: string): void {
  const bad = firstBad(outputs);
  if (bad < 0) return;
  const value = outputs[bad]!;
  throw fail("not-finite", action, `the model's output ${bad} is ${value}: its parameters are too large`, {
    name: "outputs",
    value,
  });
}
