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

  /** A new tensor of a shape. */
  allocate(...shape: readonly number[]): Tensor {
    let length = 1;
    for (const n of shape) length *= n;
    const tensor = { offset: this.#top, length, shape, scratch: this.#scratch };
    this.#top = Math.ceil((this.#top + length) / ALIGNMENT) * ALIGNMENT;
    return tensor;
  }
}

/** The part of a tensor from element `skip` on. */
export function from(tensor: Tensor, skip: number, length: number = tensor.length - skip): Tensor {
  return tensorAt(tensor.offset + skip, length, tensor.scratch);
}

/** `length` elements from a place on. */
export function tensorAt(offset: number, length: number, scratch = false): Tensor {
  return { offset, length, shape: [length], scratch };
}
