/** The parameters of a network over one sequence as its kernels read them, without the padding between them. */

import type { Call, Tensor } from "../device/kernels.ts";
import { pad4 } from "./layers/single.ts";
import type { SinglePrograms } from "./single_program.ts";

/** Rows of numbers in the memory: `count` rows of `length` numbers, `stride` apart. */
export interface Run {
  readonly place: number;
  readonly count: number;
  readonly length: number;
  readonly stride: number;
}

/** Packed parameters: the numbers of one run after the other. */
export interface Packed {
  readonly runs: readonly Run[];
  readonly values: Float32Array<ArrayBuffer>;
}

type Arguments = Readonly<Record<string, number>>;

/** What the kernels that pack do: see core/kernels/single.ts, gru.ts and lstm.ts. Each says what is to be kept. */
const PACKING: Readonly<Record<string, (m: Float32Array, args: Arguments) => Run | undefined>> = {
  packColumns(m, { columns, w, rowParts, rows, rotate, inputs, ldw }) {
    for (let p = 0; p < rowParts!; p++) {
      for (let i = 0; i < rows!; i++) {
        const source = w! + (((p + rotate!) % rowParts!) * rows! + i) * ldw!;
        for (let j = 0; j < inputs!; j++) m[columns! + (j * rowParts! + p) * pad4(rows!) + i] = m[source + j]!;
      }
    }
    return { place: columns!, count: rowParts! * inputs!, length: rows!, stride: pad4(rows!) };
  },
  packParts(m, { dst, src, parts, n, rotate }) {
    for (let p = 0; p < parts!; p++) {
      for (let i = 0; i < n!; i++) m[dst! + p * pad4(n!) + i] = m[src! + ((p + rotate!) % parts!) * n! + i]!;
    }
    return { place: dst!, count: parts!, length: n!, stride: pad4(n!) };
  },
  gruPackBias(m, { bias, biasIh, biasHh, H }) {
    for (let i = 0; i < H!; i++) {
      m[bias! + i] = m[biasIh! + 2 * H! + i]!;
      m[bias! + H! + i] = m[biasIh! + i]! + m[biasHh! + i]!;
      m[bias! + 2 * H! + i] = m[biasIh! + H! + i]! + m[biasHh! + H! + i]!;
      m[bias! + 3 * H! + i] = m[biasHh! + 2 * H! + i]!;
    }
    return undefined;
  },
  lstmPackBias(m, { bias, biasIh, biasHh, H }) {
    for (let i = 0; i < 4 * H!; i++) m[bias! + i] = m[biasIh! + i]! + m[biasHh! + i]!;
    return undefined;
  },
};

/**
 * Packs parameters as the device would.
 *
 * @param values All parameters, as the network's layout says: the tables come first, and are kept as they are.
 */
export function packParameters({ store, net }: SinglePrograms, values: Float32Array): Packed {
  const memory = new Float32Array(store.arena.length), { tables } = net.resolved.layout, { offset } = store.values;
  memory.set(values, offset);
  const runs: Run[] = tables ? [{ place: offset, count: 1, length: tables, stride: tables }] : [];
  for (const { kernel, arguments: given } of store.pack.calls) {
    const run = PACKING[kernel]!(memory, placesOf(given));
    if (run) runs.push(run);
  }
  const packed = new Float32Array(runs.reduce((sum, { count, length }) => sum + count * length, 0));
  let at = 0;
  for (const { place, count, length, stride } of runs) {
    for (let i = 0; i < count; i++, at += length) {
      packed.set(memory.subarray(place + i * stride, place + i * stride + length), at);
    }
  }
  return { runs, values: packed };
}

function placesOf(given: Call["arguments"]): Arguments {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, typeof value === "number" ? value : (value as Tensor).offset]),
  );
}
