/** What goes into a network, and what comes out. */

import { memory } from "./memory.js";

/** Refuses what cannot be predicted. */
export function refuse(problem, field, Type = RangeError) {
  throw Object.assign(new Type(`Cannot predict: ${problem}`), { field });
}

/** Steps of a sequence of so many numbers each. */
export function stepsOf(x, width) {
  const steps = x.length / width;
  return steps >= 1 && Number.isInteger(steps)
    ? steps
    : refuse(`x must have a multiple of ${width} numbers, got ${x.length}`, "x");
}

/** Another input, which must have so many numbers. */
export function given(inputs, name, count) {
  const numbers = inputs?.[name];
  return numbers?.length === count
    ? numbers
    : refuse(`input "${name}" must have ${count} numbers, got ${numbers?.length ?? "none"}`, name);
}

/** Writes rows of `size` numbers, `ld` apart. */
export function feedNumbers(name, x, place, size, ld) {
  for (let i = 0; i < x.length; place += ld - size) {
    for (let e = size; e--; i++, place++) {
      const value = memory[place] = x[i];
      if (!(Math.abs(memory[place]) < Infinity)) {
        refuse(`${name} must be finite numbers, got ${value} in step ${Math.floor(i / size) + 1}`, name);
      }
    }
  }
}

/** Writes the rows of tokens, from a table of `count` rows. */
export function feedTokens(name, x, place, size, ld, table, count) {
  for (const [t, token] of x.entries()) {
    if (!(Number.isInteger(token) && token >= 0 && token < count)) {
      refuse(`${name} must be tokens from 0 to ${count - 1}, got ${token} in step ${t + 1}`, name);
    }
    memory.copyWithin(place + t * ld, table + token * size, table + token * size + size);
  }
}

/** Numbers of the memory: rows of `size`, `ld` apart. */
export function read(place, rows, size, ld) {
  const numbers = [];
  for (; rows--; place += ld - size) {
    for (let i = size; i--; place++) {
      if (!(Math.abs(memory[place]) < Infinity)) refuse("an output is not finite");
      numbers.push(memory[place]);
    }
  }
  return numbers;
}
