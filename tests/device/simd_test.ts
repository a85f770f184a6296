import assert from "node:assert/strict";
import { createModel } from "../../core/model/model.ts";
import { philox, Random } from "../../core/random.ts";
import { assertIdentical } from "../close.ts";
import { compile, instantiate, MODULES } from "./instance.ts";

/**
 * exp, tanh and sigmoid, and the largest error in units in the last place. Found by trying every number from 2⁻²⁵ on in
 * both builds: exp 1.294, tanh 5.999 (fused 5.054), sigmoid 3.190. An engine may fuse or not, so a bound holds for both.
 */
const FUNCTIONS = {
  exp: { which: 0, exact: Math.exp, bound: 1.3 },
  tanh: { which: 1, exact: Math.tanh, bound: 6 },
  sigmoid: { which: 2, exact: (x: number) => 1 / (1 + Math.exp(-x)), bound: 3.2 },
};
type FunctionName = keyof typeof FUNCTIONS;

/** Numbers per call. */
const CHUNK = 65536;

/** One of the functions of a module. */
function evaluator(base64: string): (name: FunctionName, x: ArrayLike<number>) => Float32Array {
  const { call, buffer, base } = instantiate(compile(base64));
  return (name, x) => {
    const input = new Float32Array(buffer, base, CHUNK), output = new Float32Array(buffer, base + 4 * CHUNK, CHUNK);
    const y = new Float32Array(x.length);
    for (let start = 0; start < x.length; start += CHUNK) {
      const part = Array.prototype.slice.call(x, start, start + CHUNK);
      input.set(part);
      call.activation!(base + 4 * CHUNK, base, part.length, FUNCTIONS[name].which);
      y.set(output.subarray(0, part.length), start);
    }
    return y;
  };
}

const word = new Uint32Array(1), number = new Float32Array(word.buffer);

/** The number with these bits. */
function fromBits(bits: number): number {
  word[0] = bits;
  return number[0]!;
}

/** Distance between the numbers of single precision about a value: its unit in the last place. */
function unit(value: number): number {
  number[0] = Math.abs(value);
  return 2 ** (Math.max(word[0]! >>> 23, 1) - 150);
}

/** The error in units in the last place. Infinity counts as the first number that is too large. */
function units(actual: number, exact: number): number {
  const finite = (value: number) => Math.max(-(2 ** 128), Math.min(2 ** 128, value));
  return Math.abs(finite(actual) - finite(exact)) / unit(Math.min(exact, fromBits(0x7f7fffff)));
}

/** Numbers of both signs: thin over all there are, dense from 2⁻²⁵ to 128, where the functions are not trivial. */
function samples(): Float32Array {
  const bits: number[] = [];
  for (let p = 0; p < 0x7f800000; p += 8191) bits.push(p);
  for (let p = 0x33000000; p < 0x43000000; p += 1021) bits.push(p);
  return Float32Array.from(bits.flatMap((p) => [p, p + 0x80000000]), fromBits);
}

const SAMPLES = samples();

for (const [build, base64] of Object.entries(MODULES)) {
  const evaluate = evaluator(base64);

  for (const [name, { exact, bound }] of Object.entries(FUNCTIONS)) {
    Deno.test(`${name} is off by less than ${bound} units in the last place: ${build}`, () => {
      const results = evaluate(name as FunctionName, SAMPLES);
      for (const [i, x] of SAMPLES.entries()) {
        const y = results[i]!, expected = exact(x);
        // Below −87 the exponent of sigmoid is limited, and the results are subnormal.
        const good = name === "sigmoid" && x < -87 ? Math.abs(y - expected) <= 5e-39 : units(y, expected) < bound;
        if (!good) assert.fail(`${name}(${x}) is ${y}, must be ${expected}: ${units(y, expected)} units`);
      }
    });
  }

  Deno.test(`exp, tanh and sigmoid of special values: ${build}`, () => {
    const x = [0, -0, 1e-45, -1e-45, 1e30, -1e30, Infinity, -Infinity, NaN];
    assertIdentical(evaluate("exp", x), [1, 1, 1, 1, Infinity, 0, Infinity, 0, NaN], "exp");
    const tiny = fromBits(1);
    assertIdentical(evaluate("tanh", x), [0, -0, tiny, -tiny, 1, -1, 1, -1, NaN], "tanh");
    const sigmoid = evaluate("sigmoid", x);
    assertIdentical(sigmoid.slice(0, 5), [0.5, 0.5, 0.5, 0.5, 1], "sigmoid");
    // What the limited exponent leaves of 0.
    for (const i of [5, 7]) assert.ok(sigmoid[i]! >= 0 && sigmoid[i]! <= 5e-39, `sigmoid(${x[i]}) is ${sigmoid[i]}`);
    assertIdentical(sigmoid.slice(6, 7), [1], "sigmoid of Infinity");
    assertIdentical(sigmoid.slice(8), [NaN], "sigmoid of NaN");
  });

  Deno.test(`NaN stays in its lane: ${build}`, () => {
    for (const name of ["exp", "tanh", "sigmoid"] as const) {
      const x = Float32Array.from({ length: 21 }, (_, i) => i / 7 - 1), clean = evaluate(name, x);
      for (let at = 0; at < x.length; at++) {
        const spoilt = evaluate(name, x.map((value, i) => i === at ? NaN : value));
        assertIdentical(spoilt, clean.map((value, i) => i === at ? NaN : value), `${name}, NaN at ${at}`);
      }
    }
  });

  Deno.test(`a result does not depend on where its number stands: ${build}`, () => {
    for (const name of ["exp", "tanh", "sigmoid"] as const) {
      const x = Float32Array.from({ length: 67 }, (_, i) => (i - 33) / 3.1), all = evaluate(name, x);
      for (let length = 1; length <= x.length; length++) {
        assertIdentical(evaluate(name, x.slice(-length)), all.slice(-length), `${name} of ${length}`);
      }
    }
  });

  Deno.test(`tanh is exactly ±1 from ±9.01 on, and nowhere beyond ±1: ${build}`, () => {
    const far = SAMPLES.filter((x) => Math.abs(x) >= Math.fround(9.01));
    assertIdentical(evaluate("tanh", far), far.map(Math.sign), "far out");
    // Every number from 8.9 to 9.1, where the rational function ends.
    const near = Float32Array.from({ length: 0x35000 }, (_, i) => fromBits(0x410e6000 + i));
    assert.ok(near[0]! < 8.9 && near.at(-1)! > 9.1);
    assert.ok(evaluate("tanh", near).every((y) => y > 0.999999 && y <= 1));
    assert.ok(evaluate("tanh", SAMPLES).every((y) => Math.abs(y) <= 1));
  });

  Deno.test(`tanh is odd, to the bit: ${build}`, () => {
    const negative = evaluate("tanh", SAMPLES.map((x) => -x));
    assertIdentical(negative.map((y) => -y), evaluate("tanh", SAMPLES), "tanh");
  });

  Deno.test(`exp reaches 0 and Infinity where single precision ends: ${build}`, () => {
    // e^−103.98 is above half of the smallest number, e^88.72284 above the largest.
    assertIdentical(evaluate("exp", [-103.9, -104.1, 88.72283, 88.7229]).map(Math.sign), [1, 0, 1, 1], "signs");
    const [smallest, , largest, beyond] = evaluate("exp", [-103.9, -104.1, 88.72283, 88.7229]);
    assert.equal(smallest, fromBits(1));
    assert.ok(Number.isFinite(largest!) && largest! > 3.4e38);
    assert.equal(beyond, Infinity);
  });

  Deno.test(`exp and sigmoid fall back by no more than 2 units in the last place as x grows: ${build}`, () => {
    // Neighbouring numbers, in places spread over the range; and at the ends, where the limits of x stand.
    const starts = [0x3a000000, 0x3eb17218, 0x3f800000, 0x40c00000, 0x41a00000, 0x42ae0000, 0x42b10000, 0x42cf0000];
    for (const name of ["exp", "sigmoid"] as const) {
      for (const start of starts) {
        const x = Float32Array.from({ length: 20000 }, (_, i) => fromBits(start + i));
        for (const sign of [1, -1]) {
          const y = evaluate(name, x.map((value) => sign * value));
          for (let i = 1; i < y.length; i++) {
            if (Number.isFinite(y[i]!)) assert.ok(sign * (y[i - 1]! - y[i]!) <= 2 * unit(y[i]!), `${name}(${x[i]})`);
            else assert.equal(y[i], Infinity);
          }
        }
      }
    }
  });

  Deno.test(`the host and the kernel draw the same random words: ${build}`, () => {
    const { call, buffer, base } = instantiate(compile(base64));
    const words = new Uint32Array(buffer, base, 16), expected = new Uint32Array(4), random = new Random(1, "data");
    const draws = [[0, 0, 0, 0, 0], [0xfffffffe, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff]];
    for (let i = 0; i < 50; i++) draws.push(Array.from({ length: 5 }, () => random.word()));
    for (const [first, stream, step, seedLow, seedHigh] of draws as [number, number, number, number, number][]) {
      call.randomWords!(base, first, stream, step, seedLow, seedHigh);
      for (let counter = 0; counter < 4; counter++) {
        philox(expected, (first + counter) >>> 0, stream, step, 0, seedLow, seedHigh);
        const drawn = Array.from({ length: 4 }, (_, word) => words[4 * word + counter]!);
        assertIdentical(drawn, expected, `counter ${counter} from ${first}`);
      }
    }
  });
}

Deno.test("the loss of one logit is off by less than 3 units in the last place", async () => {
  using model = await createModel({ inputSize: 1, hiddenSize: 1, outputSize: 1 });
  const state = await model.stateDict(), sequences = { x: new Float32Array(1), shape: [1, 1, 1] };
  state["fc.weight"]!.data.fill(0);
  // With target 0 and l below 0 the loss is log(1 + e^l), so this tries log1p4 and exp4, one on the other.
  for (let l = -100; l < 0; l += l < -20 ? 0.125 : 0.00390625) {
    state["fc.bias"]!.data[0] = l;
    await model.loadStateDict(state);
    const { loss } = await model.gradients(sequences, new Float32Array(1), { loss: "bce" });
    const exact = Math.log1p(Math.exp(l));
    assert.ok(units(loss, exact) < 3, `loss of logit ${l} is ${loss}, must be ${exact}: ${units(loss, exact)} units`);
  }
});
