/** What a network says of one sequence. */

import { memory, run } from "./memory.js";

/** Refuses what cannot be predicted. */
export function refuse(problem, field, Type = RangeError) {
  throw Object.assign(new Type(`Cannot predict: ${problem}`), { field });
}

/** Writes an input's rows to their place; of tokens, those of a table. */
function feed([name, size, ld, once, table, count], place, T, data) {
  const m = memory, rows = once ? 1 : T, width = table ? 1 : size;
  if (data?.length !== rows * width) {
    refuse(`input "${name}" must have ${rows * width} numbers, got ${data?.length ?? "none"}`, name);
  }
  for (let t = 0, i = 0; t < rows; t++) {
    let p = place + t * ld;
    if (table) {
      const token = data[t];
      if (!(Number.isInteger(token) && token >= 0 && token < count)) {
        refuse(`tokens must be from 0 to ${count - 1}, got ${token} in step ${t + 1}`, name);
      }
      const from = table + token * size;
      for (let e = from; e < from + size; e++) m[p++] = m[e];
    } else {
      for (let e = 0; e < size; e++) {
        const value = data[i++];
        m[p++] = value;
        if (!(Math.abs(value) < 3.4028235677973366e38)) {
          refuse(
            `input "${name}" must be finite numbers, got ${value} in step ${t + 1}${
              size > 1 ? `, number ${e + 1}` : ""
            }`,
            name,
          );
        }
      }
    }
  }
}

/** Numbers of the memory, `rows` times O of them. */
function read(place, rows, O, ld) {
  const numbers = [];
  for (let t = 0; t < rows; t++, place += ld) {
    for (let o = place; o < place + O; o++) {
      if (!(Math.abs(memory[o]) < Infinity)) refuse("an output is not finite: the numbers may be too large");
      numbers.push(memory[o]);
    }
  }
  return numbers;
}

/**
 * The outputs (O), of every step (T, O), and the attention weights (T), if there are some.
 *
 * @param shape { width, feeds, size O, ld, steps: whether outputs are of every step, attention }
 */
export function forward(shape, x, inputs) {
  const { width, feeds, size, ld, steps, attention } = shape, T = x.length / width;
  if (!(T >= 1 && Number.isInteger(T))) refuse(`a step must have ${width} numbers, got ${x.length} in all`, "x");
  const at = run(T, ({ inputs: places }) => {
    for (let i = 0; i < feeds.length; i++) feed(feeds[i], places[i], T, feeds[i][6] ? x : inputs?.[feeds[i][0]]);
  });
  return { outputs: read(at.output, steps ? T : 1, size, ld), weights: attention && read(at.weights, 1, T, 0) };
}
