/**
 * Numbers in the least room that gives every one of them back to the bit: as integers over a power of ten, as which most
 * are written; as float32; or else as float64.
 *
 * @module
 */

/** Powers of ten that numbers are taken for integers over. */
const POWERS = Array.from({ length: 10 }, (_, k) => 10 ** k);

/** Types of integers: the least value of each stands for NaN. */
const INTEGERS = [Int8Array, Int16Array, Int32Array] as const;

const MOST_INTEGER = 2 ** 31 - 1;

/** Types that numbers are kept as. */
type Numbers = Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

/** Bytes of the first piece of a store, and of the largest. */
const LEAST_PIECE = 1 << 16, MOST_PIECE = 1 << 22;

/**
 * Room for many small arrays in few large pieces: arrays that stay, between others that go, leave gaps that nothing else
 * fits into, which took a third of the memory.
 */
export class NumberStore {
  #piece = new ArrayBuffer(0);
  #used = 0;

  /** An array of zeros that stays as long as the store. */
  take<T extends Numbers>(
    type: { new (buffer: ArrayBuffer, start: number, length: number): T; readonly BYTES_PER_ELEMENT: number },
    length: number,
  ): T {
    const bytes = Math.ceil(length * type.BYTES_PER_ELEMENT / 8) * 8;
    if (this.#used + bytes > this.#piece.byteLength) {
      const next = Math.min(MOST_PIECE, Math.max(LEAST_PIECE, 2 * this.#piece.byteLength));
      if (bytes > next / 4) return new type(new ArrayBuffer(bytes), 0, length);
      this.#piece = new ArrayBuffer(next);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += bytes;
    return new type(this.#piece, start, length);
  }
}

/** Numbers that take little room. */
export class PackedNumbers {
  readonly #data: Numbers;
  /** What integers are divided by; 0 where they are none. */
  readonly #divisor: number;

  /** @param values They are copied, to a store. */
  constructor(values: Float32Array | Float64Array, store = new NumberStore()) {
    const found = divisorOf(values);
    if (!found) {
      this.#divisor = 0;
      const isSingle = values.every((value) => Math.fround(value) === value || value !== value);
      this.#data = store.take<Numbers>(isSingle ? Float32Array : Float64Array, values.length);
      this.#data.set(values);
      return;
    }
    const { divisor, most } = found, none = (bits: number) => -(2 ** (bits - 1));
    const type = INTEGERS.find(({ BYTES_PER_ELEMENT: bytes }) => most < -none(8 * bytes))!;
    const missing = none(8 * type.BYTES_PER_ELEMENT), data = this.#data = store.take<Numbers>(type, values.length);
    this.#divisor = divisor;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      data[i] = value === value ? Math.round(value * divisor) : missing;
    }
  }

  /** Those from one place up to another. */
  slice(start: number, end: number): Float64Array<ArrayBuffer> {
    const values = new Float64Array(end - start);
    this.copy(start, end, values);
    return values;
  }

  /** Writes them in front of an array. */
  copy(start: number, end: number, values: Float64Array): void {
    const data = this.#data, divisor = this.#divisor, count = end - start;
    if (!divisor) {
      for (let i = 0; i < count; i++) values[i] = data[start + i]!;
      return;
    }
    const missing = -(2 ** (8 * data.BYTES_PER_ELEMENT - 1));
    for (let i = 0; i < count; i++) {
      const integer = data[start + i]!;
      values[i] = integer === missing ? NaN : integer / divisor;
    }
  }
}

/** The power of ten over which all numbers are integers to the bit, and the greatest of these; undefined if there is none. */
function divisorOf(values: ArrayLike<number>): { divisor: number; most: number } | undefined {
  let power = 0, divisor = 1, most = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value !== value) continue;
    let integer = Math.round(value * divisor);
    while (integer / divisor !== value) {
      if (++power === POWERS.length) return undefined;
      divisor = POWERS[power]!;
      most *= 10;
      integer = Math.round(value * divisor);
    }
    most = Math.max(most, Math.abs(integer));
    if (most > MOST_INTEGER || Object.is(value, -0)) return undefined;
  }
  return { divisor, most };
}
