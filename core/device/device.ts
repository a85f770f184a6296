import type { Call, KernelArguments, KernelName, Tensor } from "./kernels.ts";
import type { Live } from "./live.ts";

/** Calls that run one after the other. */
export type Task = readonly Call[];

/**
 * What a device runs: stages one after the other; the tasks of a stage do not depend on one another and may run in any
 * order or at once. Built once, run many times: what changes between runs stands in tensors.
 */
export type Program = readonly (readonly Task[])[];

/** The memory and the programs that belong together: one model, one batch size, one length, one purpose. */
export interface Plan {
  /** Elements of the arena it needs. */
  readonly arena: number;
  /** Elements of scratch space that one task needs. */
  readonly scratch: number;
  /** Whether its programs are worth several threads. */
  readonly parallel: boolean;
  /** Its programs. */
  readonly programs: readonly Program[];
}

/**
 * The arithmetic of a computation: "plain" SIMD; "relaxed" SIMD, whose multiply-add is fused; "unfused", relaxed SIMD on an
 * engine or a processor that rounds twice, with the bits of plain SIMD; "webgpu".
 */
export type Arithmetic = "plain" | "relaxed" | "unfused" | "webgpu";

/**
 * Which instructions to use: "plain" SIMD, whose results are the same bits on every machine; "relaxed", with fused
 * multiply-add where the processor has it; "wide", relaxed with larger tiles, for V8 run with
 * `--no-wasm-bounds-checks --experimental-wasm-revectorize`. "auto" takes what is faster here.
 */
export type Simd = "auto" | "plain" | "relaxed" | "wide";

/** All of these. */
export const SIMD: readonly Simd[] = ["auto", "plain", "relaxed", "wide"];

/** Threads that a device may have. */
export const MAX_THREADS = 32;

/** How much a device can hold. */
export interface Room {
  /** Elements of the arena and the scratch space of one task together. */
  readonly elements: number;
  /** Whose limit that is, in words: "WebAssembly has". */
  readonly of: string;
}

/**
 * A device knows kernels and memory, and no model.
 *
 * `run` returns when the program has run, or a promise for that where it runs elsewhere; nothing else may be asked of the
 * device in the meantime.
 */
export interface Device {
  /** Its name, as in `createModel(…, { device })`. */
  readonly name: "wasm" | "webgpu";
  /** What it runs on, in words. */
  readonly description: string;
  /** The compiled core, where it is WebAssembly. */
  readonly module?: WebAssembly.Module;
  /** Why it computes on one thread where several were wanted; known after the first program that is worth several. */
  readonly withoutThreads?: string;
  /** What the bits of its results depend on: SIMD without or with fused multiply-add, or the GPU. */
  readonly arithmetic: Arithmetic;
  /** How much it can hold: a plan that needs more is refused. */
  readonly room: Room;
  /** Whether it is best given a batch as one task, being parallel by itself. */
  readonly wholeBatch: boolean;
  /** Most steps worth having under way at a time: more than 1 where results take their time to arrive. */
  readonly stepsAhead: number;
  /** Makes room for a plan. What stands in the first `keep` elements of the arena survives; the rest is undefined. */
  load(plan: Plan, keep: number): void;
  /** Copies numbers to a tensor of the arena. */
  write(tensor: Tensor, data: Float32Array | Int32Array | Uint32Array): void;
  /** Runs a program of the plan loaded last. */
  run(program: Program): void | Promise<void>;
  /** A copy of a tensor of the arena as it is now, after what was run; more may be asked of the device before it comes. */
  read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>>;
  /**
   * Keeps a few small tensors of the arena as they are now, after what was run. What is returned fetches copies of them, and
   * is best called late: all that was kept until then comes at once.
   */
  keep(tensors: readonly Tensor[]): () => Promise<Float32Array<ArrayBuffer>[]>;
  /** The numbers of a tensor of the arena themselves, until another plan is loaded; absent where they are not in this memory. */
  view?(tensor: Tensor): Float32Array;
  /** Gives the memory back. The device cannot be used afterwards. */
  dispose(): void;
}

/** Collects the calls of a task, each checked against the kernel table by its type. */
export class TaskBuilder {
  /** What was collected. */
  readonly calls: Call[] = [];

  /** Adds a call; `live`: its numbers that end with the longest row of the block. */
  call<K extends KernelName>(kernel: K, args: KernelArguments<K>, live?: Live): void {
    this.calls.push({ kernel, arguments: args, live });
  }
}
