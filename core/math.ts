/**
 * Exponentials, logarithms and the like in float64, from additions, multiplications and divisions alone. Those have the
 * same bits in every engine, which `Math.exp` and its kin do not: ECMAScript leaves their last bits open.
 *
 * Each result is within one unit in the last place of the true one.
 *
 * @module
 */

/** Multiples of ln 2 and π/2 in parts: the first ones end in zeros, so that a product with a small integer is exact. */
const LN2 = [0.693147180369123816490, 1.90821492927058770002e-10] as const;
const HALF_PI = [1.57079632673412561417, 6.07710050630396597660e-11, 2.02226624879595063154e-21] as const;

const view = new DataView(new ArrayBuffer(8));

/** 2ⁿ for an integer n from -1022 to 1023. */
const POWERS = Float64Array.from({ length: 2046 }, (_, i) => {
  view.setUint32(0, (i + 1) << 20);
  view.setUint32(4, 0);
  return view.getFloat64(0);
});
const powerOfTwo = (n: number) => POWERS[n + 1022]!;

/** a₀ + x·(a₁ + x·(a₂ + …)). */
function polynomial(x: number, coefficients: readonly number[]): number {
  let sum = 0;
  for (let i = coefficients.length - 1; i >= 0; i--) sum = sum * x + coefficients[i]!;
  return sum;
}

/** 1/k! for k = from, from + step, …, with alternating signs if wanted. */
function inverseFactorials(from: number, step: number, count: number, sign: 1 | -1 = 1): number[] {
  return Array.from({ length: count }, (_, i) => {
    let factorial = 1;
    for (let k = 2; k <= from + i * step; k++) factorial *= k;
    return (i % 2 ? sign : 1) / factorial;
  });
}

const EXP = inverseFactorials(2, 1, 13);

/** eˣ. */
export function exp(x: number): number {
  if (Number.isNaN(x) || x === Infinity) return x;
  if (x > 709.8) return Infinity;
  if (x < -745.2) return 0;
  const k = Math.round(x * Math.LOG2E), high = x - k * LN2[0], low = k * LN2[1], r = high - low;
  const lost = high - r - low, y = 1 + (r + (r * r * polynomial(r, EXP) + lost));
  const half = Math.trunc(k / 2);
  return y * powerOfTwo(half) * powerOfTwo(k - half);
}

/** ln(1 + f) = 2·atanh(f / (2 + f)): the coefficients 2/3, 2/5, …. */
const LOG = Array.from({ length: 11 }, (_, i) => 2 / (2 * i + 3));

/** The natural logarithm. */
export function log(x: number): number {
  if (Number.isNaN(x) || x < 0) return NaN;
  if (x === 0) return -Infinity;
  if (x === Infinity) return x;
  let exponent = 0;
  if (x < powerOfTwo(-1022)) {
    x *= powerOfTwo(54);
    exponent = -54;
  }
  view.setFloat64(0, x);
  const word = view.getUint32(0);
  exponent += (word >>> 20) - 1023;
  view.setUint32(0, (word & 0xfffff) | 0x3ff00000);
  let mantissa = view.getFloat64(0);
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent++;
  }
  const f = mantissa - 1, s = f / (2 + f), z = s * s, half = f * f / 2;
  const rest = s * (half + z * polynomial(z, LOG));
  return exponent * LN2[0] - (half - (rest + exponent * LN2[1]) - f);
}

const SIN = inverseFactorials(3, 2, 8, -1), COS = inverseFactorials(4, 2, 8, -1);

/** The quarter turns in an angle, and what is left of it, at most π/4 either way, as a sum of two numbers. */
function quarterTurns(x: number): [turns: number, rest: number, tail: number] {
  const n = Math.round(x / (Math.PI / 2)), high = x - n * HALF_PI[0], middle = n * HALF_PI[1];
  const first = high - middle, lost = high - first - middle, low = n * HALF_PI[2] - lost, rest = first - low;
  return [((n % 4) + 4) % 4, rest, first - rest - low];
}

function sinOf(x: number, tail: number): number {
  const z = x * x;
  return x + (tail * (1 - z / 2) - x * z * polynomial(z, SIN));
}

function cosOf(x: number, tail: number): number {
  const z = x * x, half = z / 2, y = 1 - half;
  return y + (1 - y - half + (z * z * polynomial(z, COS) - x * tail));
}

/** The sine of an angle in radians, of less than a million turns. */
export function sin(x: number): number {
  const [turns, rest, tail] = quarterTurns(x), y = turns % 2 ? cosOf(rest, tail) : sinOf(rest, tail);
  return turns < 2 ? y : -y;
}

/** The cosine of an angle in radians, of less than a million turns. */
export function cos(x: number): number {
  const [turns, rest, tail] = quarterTurns(x), y = turns % 2 ? sinOf(rest, tail) : cosOf(rest, tail);
  return turns === 1 || turns === 2 ? -y : y;
}

/** The upper half of a number's digits: products of such halves have no error. See Veltkamp 1968. */
function upper(x: number): number {
  const large = x * 134217729;
  return large - (large - x);
}

/**
 * A base of at most 1, such as a decay, to an integer power from 0 on. Numbers are sums of two, so that a hundred thousand
 * multiplications lose nothing; see Dekker 1971.
 */
export function power(base: number, exponent: number): number {
  let y = 1, yTail = 0, square = base, squareTail = 0;
  for (let n = exponent; n > 0; n = Math.floor(n / 2)) {
    const high = upper(square), low = square - high;
    if (n % 2) {
      const p = y * square, yHigh = upper(y), yLow = y - yHigh;
      const rest = yLow * low - (p - yHigh * high - yLow * high - yHigh * low) + (y * squareTail + yTail * square);
      y = p + rest;
      yTail = p - y + rest;
    }
    const p = square * square, rest = low * low - (p - high * high - 2 * (high * low)) + 2 * square * squareTail;
    square = p + rest;
    squareTail = p - square + rest;
  }
  return y;
}
