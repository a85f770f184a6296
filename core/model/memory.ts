/** Whether a model and a batch fit into a device's memory, and if not, what takes how much. */

import type { Room } from "../device/device.ts";
import { fail } from "../errors.ts";
import type { Network } from "./network.ts";
import { layersOf, layOut, type PlanRequest } from "./programs.ts";

/** What takes so many elements of memory. */
interface Use {
  readonly what: string;
  readonly elements: number;
}

/** What a model takes whatever it computes. */
function modelUses({ paddedSize, slots, persistent }: Network): Use[] {
  const state = slots.length * paddedSize;
  return [
    { what: "parameters", elements: paddedSize },
    { what: "gradients", elements: paddedSize },
    { what: "optimizer state", elements: state },
    { what: "packed weights", elements: persistent - 2 * paddedSize - state },
  ];
}

/** What a batch takes besides, on one thread. */
function batchUses(network: Network, request: PlanRequest): Use[] {
  const layout = layOut(network, request), { parts, blocks, R, arena } = layout, gradients = parts?.length ?? 0;
  const sequences = `${R} sequence${R === 1 ? "" : "s"}`;
  return [
    { what: "inputs and results", elements: arena - network.persistent - gradients },
    { what: `gradients of ${blocks} blocks of ${sequences}`, elements: gradients },
    { what: `activations of ${sequences} over ${request.T} steps`, elements: layersOf(layout, 0).scratch },
  ].filter(({ elements }) => elements > 0);
}

function sum(uses: readonly Use[]): number {
  return uses.reduce((total, { elements }) => total + elements, 0);
}

/** The greatest number below `n` that fits, found by halving; 0 if not even 1 does. */
function greatest(n: number, fits: (n: number) => boolean): number {
  let low = 0, high = n;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * Refuses what does not fit, before anything is placed.
 *
 * @param request What is to be computed; none: the model by itself.
 * @throws {RangeError} With what takes how much, and what would fit.
 */
export function checkMemory(network: Network, request: PlanRequest | undefined, room: Room): void {
  const model = modelUses(network),
    fits = (changed: PlanRequest) => sum([...model, ...batchUses(network, changed)]) <= room.elements;
  if (request ? fits(request) : sum(model) <= room.elements) return;
  const uses = [...model, ...request ? batchUses(network, request) : []];
  const list = uses.map(({ what, elements }) => `${what} ${mebibytes(elements)}`).join(", ");
  throw fail(
    "out-of-memory",
    "place the model in memory",
    `it needs ${mebibytes(sum(uses))} MiB of the ${Math.floor(room.elements / 2 ** 18)} that ${room.of}: ${list}; ${
      advice(request, fits)
    }`,
  );
}

function advice(request: PlanRequest | undefined, fits: (request: PlanRequest) => boolean): string {
  const smaller = "take a smaller hidden size or vocabulary";
  if (!request) return smaller;
  const B = greatest(request.B, (B) => fits({ ...request, B }));
  if (B) return `a batch of ${B} would fit`;
  const T = greatest(request.T, (T) => fits({ ...request, B: 1, T }));
  return T ? `one sequence of ${T} steps would fit` : smaller;
}

function mebibytes(elements: number): number {
  return Math.ceil(elements / 2 ** 18);
}
