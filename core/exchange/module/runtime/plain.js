/** Models without preprocessing: numbers in, numbers out. */

import { enter } from "./memory.js";
import { refuse } from "./network.js";

/** A sequence as numbers one after the other: from those, or from a row of them for each step. */
export function flat(x, width) {
  if (!x || typeof x !== "object" || !(x.length >= 0)) {
    refuse(`a sequence must be a list, got ${typeof x}`, "x", TypeError);
  }
  const rowAt = (row, t) =>
    row?.length === width ? [...row] : refuse(`step ${t + 1} must have ${width} numbers, got ${row?.length}`, "x");
  const numbers = x[0]?.length === undefined ? x : x.flatMap(rowAt);
  return ArrayBuffer.isView(numbers)
    ? numbers
    : numbers.map((value, i) =>
      typeof value === "number" ? value : refuse(`number ${i + 1} of the sequence is ${value}`, "x", TypeError)
    );
}

/** A row of outputs for each step. */
export function rowsOf(outputs, size) {
  return Array.from({ length: outputs.length / size }, (_, t) => outputs.slice(t * size, t * size + size));
}

/**
 * Sequences that come one step at a time: each says what all steps so far do.
 *
 * @param least Steps without which nothing is said.
 * @param most Steps that are looked back at.
 */
export function streams(predict, least = 1, most = Infinity) {
  return () => {
    let all = [], count = 0;
    return {
      get steps() {
        return count;
      },
      push(step, inputs) {
        const steps = [...all, step].slice(-most),
          prediction = steps.length < least ? undefined : predict(steps, inputs);
        all = steps;
        count++;
        return prediction;
      },
      reset() {
        all = [];
        count = 0;
      },
    };
  };
}

/**
 * The same of a network that goes on from the steps before: each is computed once.
 *
 * @param network What it says of sequences: of numbers behind so many steps, with room for so many.
 * @param shape Steps as numbers, those behind so many alone; of these nothing where they depend on steps to come.
 * @param say An answer.
 * @param size Numbers that it says of a step.
 */
export function steady(network, shape, say, size) {
  return () => {
    let all, own, done, most;
    const reset = () => {
      all = [];
      done = 0;
    };
    const last = ([outputs, weights]) => say([outputs.slice(-size), weights]);
    reset();
    return {
      get steps() {
        return all.length;
      },
      push(step) {
        all.push(step);
        try {
          let x = done && all.length <= most && shape(all, done);
          if (!x) {
            done = 0;
            most = 2 * all.length + 62;
            own = {};
            x = shape(all);
          }
          enter(own);
          const found = network(x, 0, done, most);
          [, , own.end, done] = found;
          return last(found);
        } catch {
          // Of the whole sequence it says what is wrong, and where.
          enter();
          done = 0;
          try {
            return last(network(shape(all)));
          } catch (error) {
            all.pop();
            throw error;
          }
        }
      },
      reset,
    };
  };
}

/** Steps and their other inputs, which come together: those by name that each step has of its own. */
function together(pairs, names) {
  const each = names.map((name) => [name, pairs.flatMap(([, inputs]) => [...inputs?.[name] ?? []])]);
  return [pairs.map(([step]) => step), { ...pairs.at(-1)[1], ...Object.fromEntries(each) }];
}

/** Streams that push steps with what else goes in at them. */
function paired(open) {
  return () => {
    const stream = open();
    return {
      get steps() {
        return stream.steps;
      },
      push: (step, inputs) => stream.push([step, inputs]),
      reset: stream.reset,
    };
  };
}

/** `streams` of a network with other inputs, those that `names` say a row at each step. */
export function streamsWith(predict, names) {
  return paired(streams((pairs) => predict(...together(pairs, names))));
}

/** `steady` of such a network. */
export function steadyWith(network, shape, say, size, names) {
  const over = ([x, inputs], _, before, most) => network(x, inputs, before, most);
  const shaped = (pairs, before) => {
    const x = shape(pairs.map(([step]) => step), before);
    return x && [x, together(pairs.slice(before), names)[1]];
  };
  return paired(steady(over, shaped, say, size));
}
