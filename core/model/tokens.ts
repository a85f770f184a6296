/** Tokens: where each stands in a batch, so that the gradients of its rows can be added up. */

import { from } from "../device/arena.ts";
import { type Task, TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import type { InputsOutputs } from "./block.ts";
import type { FullConfig } from "./config.ts";

/** Most different tokens that a batch can have. */
function mostTokens({ numEmbeddings }: FullConfig, B: number, T: number): number {
  return Math.min(numEmbeddings, B * T);
}

/** Whole numbers that {@linkcode Tokens.occurrences} gives. */
export function occurrencesLength(config: FullConfig, B: number, T: number): number {
  return 2 * mostTokens(config, B, T) + 1 + B * T;
}

/** The calls that add up an embedding's gradient, when that of all embedded tokens stands in io.dx: `count` tasks. */
export function scatterTasks(config: FullConfig, io: InputsOutputs, dTable: Tensor, count: number): Task[] {
  const { B, dx, occurrences, lengths, x } = io, T = x.length / lengths.length, most = mostTokens(config, B, T);
  const tokens = from(occurrences!, 0, most), starts = from(occurrences!, most, most + 1);
  const positions = from(occurrences!, 2 * most + 1, B * T), E = config.inputSize;
  return Array.from({ length: Math.min(count, most) }, (_, first) => {
    const task = new TaskBuilder();
    const args = { dTable, dx: dx!, tokens, starts, positions };
    task.call("embeddingBackward", { ...args, first, step: Math.min(count, most), count: most, E });
    return task.calls;
  });
}

/** Looks through the tokens of batches. */
export class Tokens {
  readonly #config: FullConfig;
  /** For each token of the vocabulary how often it was seen, then where its next position goes; 0 between batches. */
  readonly #seen: Int32Array;

  constructor(config: FullConfig) {
    this.#config = config;
    this.#seen = new Int32Array(config.numEmbeddings);
  }

  /**
   * Refuses tokens that are not in the vocabulary; behind a sequence's length anything may stand.
   *
   * @throws {RangeError} With the token and its place.
   */
  check(x: Int32Array, lengths: Int32Array | undefined, [B, T]: readonly [number, number]): void {
    const { numEmbeddings: V } = this.#config;
    for (let b = 0; b < B; b++) {
      const length = lengths ? lengths[b]! : T;
      for (let t = 0; t < length; t++) {
        const token = x[b * T + t]!;
        if (token < 0 || token >= V) {
          throw new RangeError(
            `Cannot run model: tokens must be from 0 to ${V - 1}, got ${token} in sequence ${b}, step ${t}`,
          );
        }
      }
    }
  }

  /**
   * The different tokens of a batch, where the positions of each begin, and these: rows of (B·T), ascending. The padding
   * token is left out, and gets no gradient thereby.
   */
  occurrences(
    x: Int32Array,
    lengths: Int32Array | undefined,
    [B, T]: readonly [number, number],
  ): Int32Array<ArrayBuffer> {
    const { paddingIdx = -1 } = this.#config, most = mostTokens(this.#config, B, T), seen = this.#seen;
    const found = new Int32Array(occurrencesLength(this.#config, B, T));
    const starts = found.subarray(most, 2 * most + 1), positions = found.subarray(2 * most + 1);
    let different = 0, total = 0;
    const each = (visit: (token: number, position: number) => void) => {
      for (let b = 0; b < B; b++) {
        const end = b * T + (lengths ? lengths[b]! : T);
        for (let p = b * T; p < end; p++) if (x[p] !== paddingIdx) visit(x[p]!, p);
      }
    };
    each((token) => {
      if (seen[token]!++ === 0) found[different++] = token;
    });
    for (let u = 0; u < different; u++) {
      const token = found[u]!, count = seen[token]!;
      starts[u] = seen[token] = total;
      total += count;
    }
    starts.fill(total, different);
    each((token, position) => {
      positions[seen[token]!++] = position;
    });
    for (let u = 0; u < different; u++) seen[found[u]!] = 0;
    return found;
  }
}
