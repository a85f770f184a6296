/** Tokens: where each is in a batch, so that the gradients of its rows can be added up. */

import { from } from "../device/arena.ts";
import { type Task, TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import { spell } from "../display.ts";
import { fail } from "../errors.ts";
import type { IoTensors } from "./block.ts";
import type { Node } from "./layers/node.ts";
import { layerOf } from "./layers/node.ts";
import type { ParameterStore } from "./parameters.ts";

/** Most different tokens that a batch can have. */
function mostTokens(V: number, B: number, T: number): number {
  return Math.min(V, B * T);
}

/** Integers that {@linkcode Tokens.occurrences} gives. */
export function occurrencesLength(V: number, B: number, T: number): number {
  return 2 * mostTokens(V, B, T) + 1 + B * T;
}

/** The calls that add up an embedding's gradient, when that of all embedded tokens is in `io`: `count` tasks. */
export function scatterTasks(
  { name, inputs, outputs }: Node,
  store: ParameterStore,
  io: IoTensors,
  { B, T }: { readonly B: number; readonly T: number },
  gradient: Tensor,
  count: number,
): Task[] {
  const most = mostTokens(inputs.input!.size, B, T), occurrences = io.get(`${name}.occurrences`)!;
  const tokens = from(occurrences, 0, most), starts = from(occurrences, most, most + 1);
  const positions = from(occurrences, 2 * most + 1, B * T), E = outputs.output!.size;
  const { offset, length } = store.parameter(`${name}.weight`), dTable = from(gradient, offset, length);
  return Array.from({ length: Math.min(count, most) }, (_, first) => {
    const task = new TaskBuilder(), args = { dTable, dx: io.get(`${name}.grad`)!, tokens, starts, positions };
    task.call("embeddingBackward", { ...args, first, step: Math.min(count, most), count: most, E });
    return task.calls;
  });
}

/** Looks through the tokens of batches for one embedding. */
export class Tokens {
  /** The network's input that it reads, and what its results are called. */
  readonly input: string;
  readonly name: string;
  /** The time axis of the tokens. */
  readonly axis: string | undefined;
  readonly #V: number;
  readonly #padding: number;
  /** For each token of the vocabulary how often it was seen, then where its next position goes; 0 between batches. */
  readonly #seen: Int32Array;

  constructor({ name, sources, inputs, options }: Node) {
    const [port, { size, axis }] = Object.entries(inputs).find(([, { kind }]) => kind === "tokens")!;
    this.input = layerOf(sources[port]!);
    this.name = `${name}.occurrences`;
    this.axis = axis;
    this.#V = size;
    this.#padding = (options.paddingIdx as number | undefined) ?? -1;
    this.#seen = new Int32Array(this.#V);
  }

  /**
   * Refuses tokens that are not in the vocabulary; past a sequence's length there may be anything.
   *
   * @throws {RangeError} With the token and its place.
   */
  check(x: Int32Array, lengths: Int32Array | undefined, [B, T]: readonly [number, number]): void {
    const V = this.#V;
    for (let b = 0; b < B; b++) {
      const length = lengths ? lengths[b]! : T;
      for (let t = 0; t < length; t++) {
        const token = x[b * T + t]!;
        if (token < 0 || token >= V) {
          throw fail(
            "batch-value",
            "run model",
            `tokens must be from 0 to ${V - 1}, got ${spell(token)} in sequence ${b}, step ${t}`,
            { name: "x", value: token },
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
    const most = mostTokens(this.#V, B, T), seen = this.#seen, paddingIdx = this.#padding;
    const found = new Int32Array(occurrencesLength(this.#V, B, T));
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
