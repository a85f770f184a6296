/** Whether a model and a batch fit into a device's memory, and if not, what takes how much. */

import type { Device } from "../device/device.ts";
import { fail } from "../errors.ts";
import type { ParameterStore } from "./parameters.ts";
import type { PlacedNetwork } from "./placed_network.ts";
import { blockTask, layOut, type PlanOptions, type PlanShape } from "./plan.ts";

/** What takes so many elements of memory. */
interface Use {
  readonly what: string;
  readonly elements: number;
}

/** What a model takes whatever it computes. */
function modelUses({ paddedSize, slots, persistent }: ParameterStore): Use[] {
  const state = slots.length * paddedSize;
  return [
    { what: "parameters", elements: paddedSize },
    { what: "gradients", elements: paddedSize },
    { what: "optimizer state", elements: state },
    { what: "packed weights", elements: persistent - 2 * paddedSize - state },
  ];
}

/** What a device can hold, and how it takes a batch, perhaps with other processes. */
export type Holder = Pick<Device, "room" | "wholeBatch"> & Pick<PlanOptions, "sharers">;

/** What a batch takes besides, on one thread. */
function batchUses(net: PlacedNetwork, shape: PlanShape, holder: Holder): Use[] {
  const layout = layOut(net, shape, holder), { parts, first, end, R, arena } = layout, gradients = parts?.length ?? 0;
  const sequences = `${R} sequence${R === 1 ? "" : "s"}`;
  return [
    { what: "inputs and results", elements: arena - net.store.persistent - gradients },
    { what: `gradients of ${end - first} blocks of ${sequences}`, elements: gradients },
    { what: `activations of ${sequences} over ${shape.T} steps`, elements: blockTask(layout, 0).scratch },
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
 * @param shape What is to be computed; none: the model by itself.
 * @throws {RangeError} With what takes how much, and what would fit.
 */
export function checkMemory(net: PlacedNetwork, shape: PlanShape | undefined, holder: Holder): void {
  const { room } = holder, model = modelUses(net.store);
  const usesOf = (changed: PlanShape) => [...model, ...batchUses(net, changed, holder)];
  const fits = (changed: PlanShape) => sum(usesOf(changed)) <= room.elements;
  if (shape ? fits(shape) : sum(model) <= room.elements) return;
  const uses = shape ? usesOf(shape) : model;
  const list = uses.map(({ what, elements }) => `${what} ${mebibytes(elements)}`).join(", ");
  throw fail(
    "out-of-memory",
    "place the model in memory",
    `it needs ${mebibytes(sum(uses))} MiB of the ${Math.floor(room.elements / 2 ** 18)} that ${room.of}: ${list}; ${
      advice(shape, fits)
    }`,
  );
}

function advice(shape: PlanShape | undefined, fits: (shape: PlanShape) => boolean): string {
  const smaller = "take a smaller hidden size or vocabulary";
  if (!shape) return smaller;
  const B = greatest(shape.B, (B) => fits({ ...shape, B }));
  if (B) return `a batch of ${B} would fit`;
  const T = greatest(shape.T, (T) => fits({ ...shape, B: 1, T }));
  return T ? `one sequence of ${T} steps would fit` : smaller;
}

function mebibytes(elements: number): number {
  return Math.ceil(elements / 2 ** 18);
}
