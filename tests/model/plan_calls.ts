/**
 * The kernel calls of plans, in a form that two layouts of memory share: a tensor is the allocation it lies in, numbered by
 * first appearance, and its distance from the start of that. What is null is left out.
 */

import { Arena } from "../../core/device/arena.ts";
import { type Program, TaskBuilder } from "../../core/device/device.ts";
import type { Call, KernelArguments, KernelName, Tensor } from "../../core/device/kernels.ts";

type Place = readonly [allocation: object, offset: number];

/** What a call's arguments were when it was made: later blocks use the same scratch space again. */
const resolved = new WeakMap<Call, Record<string, number | Place>>();

/** Watches allocations and calls while `build` runs, and returns the calls of the programs it gives, as text. */
export function callsOf(build: () => readonly Program[]): string {
  const { allocate } = Arena.prototype, { call } = TaskBuilder.prototype;
  let arenas: { arena: Arena; tensors: Tensor[] }[] = [];
  Arena.prototype.allocate = function (this: Arena, ...args: readonly number[]) {
    const tensor = allocate.call(this, ...args);
    let own = arenas.find(({ arena }) => arena === this);
    // A block's scratch space begins anew.
    if (!own) {
      if (tensor.scratch) arenas = arenas.filter(({ tensors }) => !tensors[0]!.scratch);
      arenas.push(own = { arena: this, tensors: [] });
    }
    own.tensors.push(tensor);
    return tensor;
  };
  TaskBuilder.prototype.call = function <K extends KernelName>(this: TaskBuilder, kernel: K, args: KernelArguments<K>) {
    (call as typeof this.call).call(this, kernel, args as never);
    const places: Record<string, number | Place> = {};
    for (const [name, value] of Object.entries(args as Record<string, Tensor | number | null>)) {
      if (value === null || value === undefined) continue;
      places[name] = typeof value === "number" ? value : place(value);
    }
    resolved.set(this.calls.at(-1)!, places);
  };
  const place = ({ offset, scratch }: Tensor): Place => {
    const all = arenas.flatMap(({ tensors }) => tensors).filter((t) => t.scratch === scratch && t.length > 0);
    const found = all.filter((t) => t.offset <= offset).sort((a, b) => b.offset - a.offset)[0];
    if (!found) throw new Error(`No allocation holds offset ${offset}`);
    return [found, offset - found.offset];
  };
  try {
    return format(build());
  } finally {
    Object.assign(Arena.prototype, { allocate });
    Object.assign(TaskBuilder.prototype, { call });
  }
}

/** Names that kernels and arguments had when the hashes were made: a new name is no other call. */
const BEFORE: Readonly<Record<string, string>> = { transposeInput: "turnInput", transposed: "turned" };

function format(programs: readonly Program[]): string {
  const numbers = new Map<object, number>(), lines: string[] = [];
  const show = (value: number | Place): string => {
    if (typeof value === "number") return String(value);
    const [allocation, offset] = value;
    if (!numbers.has(allocation)) numbers.set(allocation, numbers.size);
    return `#${numbers.get(allocation)}+${offset}`;
  };
  for (const program of programs) {
    lines.push("program");
    for (const stage of program) {
      lines.push(" stage");
      for (const task of stage) {
        lines.push("  task");
        for (const call of task) {
          const named = Object.entries(resolved.get(call)!).map(([name, value]) =>
            [BEFORE[name] ?? name, value] as const
          );
          const args = named.sort(([a], [b]) => a < b ? -1 : 1);
          lines.push(
            `   ${BEFORE[call.kernel] ?? call.kernel} ${
              args.map(([name, value]) => `${name}=${show(value)}`).join(" ")
            }`,
          );
        }
      }
    }
  }
  return lines.join("\n");
}

/** A short hash of a text. */
export async function hashText(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex().slice(0, 16);
}
