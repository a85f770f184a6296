/** State dicts for property tests. */

import fc from "npm:fast-check@4.10.2";
import type { StateDict } from "../../core/model/model.ts";

/** Any bits at all as a 32-bit float: NaNs with messages, infinities, subnormals, −0. */
const bits = fc.integer({ min: 0, max: 0xffffffff });

/** A tensor of up to three dimensions, some of them 0. */
const tensor = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }).chain((shape) => {
  const length = shape.reduce((a, b) => a * b, 1);
  return fc.array(bits, { minLength: length, maxLength: length }).map((words) => ({
    shape,
    data: new Float32Array(Uint32Array.from(words).buffer),
  }));
});

/** Names that harm careless programs among them. */
export const name: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "toString", "0", "", "../../etc/passwd", "\ufeff", "a\nb", 'say "é"'),
  fc.string({ unit: "binary", maxLength: 12 }),
);

/** A dict of any tensors under any names. */
export const stateDict: fc.Arbitrary<StateDict> = fc.array(fc.tuple(name, tensor), { maxLength: 6 })
  .map((entries) => Object.fromEntries(entries));

/** A dict as it can be compared: the bits of each tensor, as NaN is not equal to itself. */
export function bitsOf(dict: StateDict): [string, readonly number[], Uint32Array][] {
  return Object.entries(dict).map(([name, { shape, data }]) => [name, shape, new Uint32Array(data.slice().buffer)]);
}
