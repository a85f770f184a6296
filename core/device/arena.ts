import type { Tensor } from "./kernels.ts";

/** Tensors start at multiples of this many elements: 64 bytes, a line of the cache. */
const ALIGNMENT = 16;

/** Gives tensors their places, one after the other. Pure arithmetic: it knows no device. */
export class Arena {
  readonly #scratch: boolean;
  #top: number;

  /** @param start Elements already in use. */
  constructor(start = 0, scratch = false) {
    this.#top = start;
    this.#scratch = scratch;
  }

  /** Elements given out so far. */
  get length(): number {
    return this.#top;
  }

  /** A new tensor of `length` elements. */
  allocate(length: number): Tensor {
    const tensor = { offset: this.#top, length, scratch: this.#scratch };
    this.#top = Math.ceil((this.#top + length) / ALIGNMENT) * ALIGNMENT;
    return tensor;
  }
}

/** The part of a tensor from element `skip` on. */
export function from(tensor: Tensor, skip: number, length: number = tensor.length - skip): Tensor {
  return { offset: tensor.offset + skip, length, scratch: tensor.scratch };
}
