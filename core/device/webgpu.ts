import { fail } from "../errors.ts";
import { greatest } from "../greatest.ts";
import type { Device, Plan, Program, Room } from "./device.ts";
import { type Call, KERNELS, orderedArguments, type Signature, type Tensor } from "./kernels.ts";
import { ARGUMENT_BYTES, argumentWords, MOST_CALLS, shaderOf, shaderTexts, type WorkgroupLimits } from "./shaders.ts";

/** Alignment of the arguments, as uniform offsets have it on every adapter. */
const ALIGNMENT = 256;
/** Most workgroups along one dimension of a dispatch. Kernels go on in strides where they want more. */
const MAX_WORKGROUPS = 65535;
/** What stands for a tensor that is null. */
const NONE = 0xffffffff;

/** One pass of a shader: which, with whose arguments, how many workgroups for each of how many calls, and how often. */
export interface Dispatch {
  readonly file: number;
  readonly entry: string;
  readonly constants?: Record<string, number>;
  /** Byte offset of the arguments. */
  readonly args: number;
  readonly workgroups: number;
  readonly calls: number;
  readonly times: number;
}

/** A plan as the GPU runs it. */
export interface Encoded {
  /** Arguments of all calls. */
  readonly words: Uint32Array<ArrayBuffer>;
  readonly programs: ReadonlyMap<Program, readonly Dispatch[]>;
  /** Most times that a pass is run. */
  readonly times: number;
}

/** Copies of tensors, one after the other in a buffer that is mapped once for all of them. */
interface Kept {
  readonly buffer: GPUBuffer;
  /** Numbers in it. */
  length: number;
  /** Once it was fetched. */
  numbers?: Promise<Float32Array<ArrayBuffer>>;
}

/** Kernels in WGSL on a GPU, or on what stands in for one. */
export class WebGpuDevice implements Device {
  readonly name = "webgpu";
  readonly arithmetic = "webgpu";
  readonly description: string;
  readonly room: Room;
  readonly wholeBatch = true;
  readonly stepsAhead = 256;
  readonly #device: GPUDevice;
  readonly #layout: GPUPipelineLayout;
  readonly #bindings: GPUBindGroupLayout;
  readonly #modules: (GPUShaderModule | undefined)[] = [];
  readonly #texts: readonly string[] = shaderTexts();
  readonly #pipelines = new Map<string, GPUComputePipeline>();
  readonly #encoded = new WeakMap<Plan, Encoded>();
  #plan: Plan | undefined;
  #programs: Encoded["programs"] = new Map();
  #arena: GPUBuffer | undefined;
  #args: GPUBuffer | undefined;
  /** The numbers from 0 on, for passes that are run several times. */
  #numbers: GPUBuffer | undefined;
  #group: GPUBindGroup | undefined;
  /** What was asked for and not submitted yet: a training step is one command buffer. */
  #commands: GPUCommandEncoder | undefined;
  /** What was kept and not fetched yet. */
  #kept: Kept | undefined;
  /** Small buffers to read through that nobody uses at the moment. */
  readonly #staging: GPUBuffer[] = [];
  /** What went wrong first; said by whatever is asked for next. */
  #failure: Error | undefined;
  #disposed = false;

  /** Use {@linkcode WebGpuDevice.open}. */
  constructor(device: GPUDevice, description: string) {
    this.#device = device;
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
    const most = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    this.room = { elements: Math.floor(most / 4) - 16, of: "the adapter allows in one buffer" };
    this.description = description;
    const visibility = GPUShaderStage.COMPUTE;
    this.#bindings = device.createBindGroupLayout({
      entries: [
        { binding: 0, visibility, buffer: { type: "storage" } },
        { binding: 1, visibility, buffer: { type: "uniform", hasDynamicOffset: true } },
        { binding: 2, visibility, buffer: { type: "uniform", hasDynamicOffset: true } },
      ],
    });
    this.#layout = device.createPipelineLayout({ bindGroupLayouts: [this.#bindings] });
    // Whatever else went wrong then went wrong because of that.
    device.lost.then(({ message }) => {
      this.#failure = undefined;
      this.#fail(`the GPU was lost: ${message}`);
    });
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      const { error } = event as GPUUncapturedErrorEvent;
      this.#fail(error instanceof GPUOutOfMemoryError ? "the GPU has not enough memory" : error.message);
    });
  }

  /**
   * Asks for the fastest adapter.
   *
   * @throws {Error} If there is none.
   */
  static async open(): Promise<WebGpuDevice> {
    const adapter = await globalThis.navigator?.gpu?.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) {
      throw fail(
        "gpu-unavailable",
        "use WebGPU",
        "no adapter was found; it needs a GPU with a Vulkan, Metal or DirectX 12 driver, " +
          "or a software one (Debian, Ubuntu: apt-get install mesa-vulkan-drivers)",
      );
    }
    const { limits, info } = adapter;
    const device = await adapter.requestDevice({
      requiredLimits: {
        maxBufferSize: limits.maxBufferSize,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        // For the GRU: see core/device/shaders.ts.
        maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
        maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
        maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      },
    });
    return new WebGpuDevice(device, describe(info));
  }

  #fail(reason: string) {
    if (!this.#disposed) this.#failure ??= fail("device-failed", "continue", `${reason.replace(/\s+/g, " ").trim()}`);
  }

  #check() {
    if (this.#failure) throw this.#failure;
  }

  load(plan: Plan, keep: number): void {
    this.#check();
    if (plan === this.#plan) return;
    let encoded = this.#encoded.get(plan);
    if (!encoded) this.#encoded.set(plan, encoded = encode(plan, this.#device.limits));
    const size = 4 * (align(plan.arena) + plan.scratch);
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const old = this.#arena, oldArgs = this.#args;
    if (!old || old.size < size) {
      this.#arena = this.#device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
      if (old && keep) this.#encoder().copyBufferToBuffer(old, 0, this.#arena, 0, 4 * keep);
      this.#submit();
      old?.destroy();
    }
    // What was run wants the arguments that stand there now.
    this.#submit();
    const { words, programs, times } = encoded, oldNumbers = this.#numbers;
    if (words.length && (!oldArgs || oldArgs.size < words.byteLength)) {
      this.#args = this.#device.createBuffer({ size: words.byteLength, usage: UNIFORM | COPY_DST });
      oldArgs?.destroy();
    }
    if (words.length) this.#device.queue.writeBuffer(this.#args!, 0, words);
    if (!oldNumbers || oldNumbers.size < times * ALIGNMENT) {
      this.#numbers = this.#device.createBuffer({ size: times * ALIGNMENT, usage: UNIFORM | COPY_DST });
      const numbers = Uint32Array.from({ length: times * ALIGNMENT / 4 }, (_, i) => i * 4 / ALIGNMENT);
      this.#device.queue.writeBuffer(this.#numbers, 0, numbers);
      oldNumbers?.destroy();
    }
    if (this.#args && (old !== this.#arena || oldArgs !== this.#args || oldNumbers !== this.#numbers)) {
      this.#group = this.#device.createBindGroup({
        layout: this.#bindings,
        entries: [
          { binding: 0, resource: { buffer: this.#arena! } },
          { binding: 1, resource: { buffer: this.#args, size: ARGUMENT_BYTES } },
          { binding: 2, resource: { buffer: this.#numbers!, size: 4 } },
        ],
      });
    }
    this.#programs = programs;
    this.#plan = plan;
  }

  write(tensor: Tensor, data: Float32Array | Int32Array | Uint32Array): void {
    this.#check();
    if (data.length > tensor.length) {
      throw fail("shape-mismatch", "write tensor", `it holds ${tensor.length} numbers, got ${data.length}`);
    }
    this.#submit();
    // Of nothing: Deno would panic.
    if (data.length) this.#device.queue.writeBuffer(this.#arena!, 4 * tensor.offset, data as Float32Array<ArrayBuffer>);
  }

  run(program: Program): void {
    this.#check();
    const dispatches = this.#programs.get(program);
    if (!dispatches) throw fail("program-unknown", "run program", "it is not part of the loaded plan");
    const pass = this.#encoder().beginComputePass();
    for (const dispatch of dispatches) {
      const { args, workgroups, calls, times } = dispatch;
      pass.setPipeline(this.#pipeline(dispatch));
      for (let i = 0; i < times; i++) {
        pass.setBindGroup(0, this.#group!, [args, i * ALIGNMENT]);
        pass.dispatchWorkgroups(Math.min(workgroups, MAX_WORKGROUPS), calls);
      }
    }
    pass.end();
  }

  #encoder(): GPUCommandEncoder {
    return this.#commands ??= this.#device.createCommandEncoder();
  }

  #submit() {
    if (!this.#commands) return;
    this.#device.queue.submit([this.#commands.finish()]);
    this.#commands = undefined;
  }

  #pipeline({ file, entry: entryPoint, constants }: Dispatch): GPUComputePipeline {
    const key = constants ? `${entryPoint} ${JSON.stringify(constants)}` : entryPoint;
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      const module = this.#modules[file] ??= this.#device.createShaderModule({ code: this.#texts[file]! });
      const compute = { module, entryPoint, ...constants && { constants } };
      pipeline = this.#device.createComputePipeline({ layout: this.#layout, compute });
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  async read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    const [numbers] = await this.keep([tensor])();
    return numbers!;
  }

  keep(tensors: readonly Tensor[]): () => Promise<Float32Array<ArrayBuffer>[]> {
    this.#check();
    const length = tensors.reduce((sum, tensor) => sum + tensor.length, 0);
    if (this.#kept && 4 * (this.#kept.length + length) > this.#kept.buffer.size) {
      // Whoever asks for it is told if it fails.
      this.#fetch(this.#kept).catch(() => {});
    }
    const kept = this.#kept ??= { buffer: this.#stage(4 * length), length: 0 };
    const pieces = tensors.map((tensor) => {
      const start = kept.length, end = kept.length += tensor.length;
      this.#encoder().copyBufferToBuffer(this.#arena!, 4 * tensor.offset, kept.buffer, 4 * start, 4 * tensor.length);
      return [start, end] as const;
    });
    this.#submit();
    return async () => {
      const numbers = await this.#fetch(kept);
      return pieces.map(([start, end]) => numbers.slice(start, end));
    };
  }

  /** A buffer to read at least `size` bytes through. */
  #stage(size: number): GPUBuffer {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return size <= STAGING_BYTES && this.#staging.pop() ||
      this.#device.createBuffer({ size: Math.max(size, STAGING_BYTES), usage });
  }

  /** Everything that was kept together. */
  #fetch(kept: Kept): Promise<Float32Array<ArrayBuffer>> {
    if (kept === this.#kept) this.#kept = undefined;
    return kept.numbers ??= this.#map(kept);
  }

  async #map({ buffer, length }: Kept): Promise<Float32Array<ArrayBuffer>> {
    try {
      await buffer.mapAsync(GPUMapMode.READ, 0, 4 * length);
    } catch (error) {
      this.#fail((error as Error).message);
      // The news that the GPU was lost may come a moment later.
      await Promise.race([this.#device.lost, new Promise((resolve) => setTimeout(resolve, NEWS))]);
    }
    this.#check();
    if (this.#disposed) throw fail("disposed", "read tensor", "its device was disposed");
    const numbers = new Float32Array(buffer.getMappedRange(0, 4 * length).slice(0));
    buffer.unmap();
    if (buffer.size === STAGING_BYTES) this.#staging.push(buffer);
    else buffer.destroy();
    return numbers;
  }

  dispose(): void {
    this.#disposed = true;
    for (const buffer of [this.#arena, this.#args, this.#numbers, this.#kept?.buffer, ...this.#staging]) {
      buffer?.destroy();
    }
    this.#device.destroy();
  }
}

/** Milliseconds to wait for the reason of a failure. */
const NEWS = 100;

/** Bytes of the buffers to read through, some hundred steps' results; what is larger gets one of its own. */
const STAGING_BYTES = 4096;

/** The adapter in words. */
function describe(info: GPUAdapterInfo): string {
  const { vendor, architecture, device, description, isFallbackAdapter } = info;
  const name = description || [vendor, architecture, device].filter(Boolean).join(" ") || "unnamed adapter";
  return `WebGPU, ${name}${isFallbackAdapter ? ", a software adapter: no GPU" : ""}`;
}

/** Every call's arguments, and the dispatches of each program. Scratch tensors stand behind the arena. */
export function encode(plan: Plan, limits: WorkgroupLimits): Encoded {
  const scratch = align(plan.arena), programs = new Map<Program, Dispatch[]>();
  const blocks: { readonly start: number; readonly calls: readonly Call[] }[] = [];
  let end = 0;
  for (const program of plan.programs) {
    const dispatches: Dispatch[] = [];
    for (const calls of together(program)) {
      const { kernel } = calls[0]!, shader = shaderOf(kernel), args = end;
      blocks.push({ start: args / 4, calls });
      end = Math.ceil((end + 4 * argumentWords(kernel) * calls.length) / ALIGNMENT) * ALIGNMENT;
      for (const [entry, count] of Object.entries(shader.passes)) {
        type Given = Parameters<typeof count>[0];
        const [given] = calls.map((call) => call.arguments as Given), { file, times = {}, constants } = shader;
        const workgroups = greatest(calls.map((call) => count(call.arguments as Given)));
        if (!workgroups) continue;
        dispatches.push({
          file,
          entry,
          args,
          workgroups,
          calls: calls.length,
          times: times[entry]?.(given!) ?? 1,
          constants: constants?.(given!, limits),
        });
      }
    }
    programs.set(program, dispatches);
  }
  // A shader may look beyond the last arguments.
  const words = new Uint32Array(blocks.length && (end + ARGUMENT_BYTES) / 4), reals = new Float32Array(words.buffer);
  for (const { start, calls } of blocks) {
    calls.forEach(({ kernel, arguments: args }, i) => {
      let place = start + i * argumentWords(kernel);
      for (const { name, kind } of orderedArguments(kernel)) {
        const value = args[name] ?? null;
        if (kind === "tensor") {
          const tensor = value as Tensor | null;
          words[place++] = tensor ? tensor.offset + (tensor.scratch ? scratch : 0) : NONE;
        } else if (typeof value !== "number" || Number.isNaN(value)) {
          throw fail("kernel-call", `call kernel "${kernel}"`, `${name} is ${value}`, { name });
        } else if (kind === "dim") words[place++] = value;
        else reals[place++] = value;
      }
      for (const derive of Object.values(shaderOf(kernel).extra ?? {})) {
        reals[place++] = derive(args as Parameters<typeof derive>[0]);
      }
    });
  }
  const times = [...programs.values()].flat().map((dispatch) => dispatch.times);
  return { words, programs, times: greatest(times, 1) };
}

/**
 * The calls of a program in an order in which they may run, those that run at once being together: neighbours of the same
 * kernel, none of which touches what another changes.
 */
function together(program: Program): Call[][] {
  const sets: Call[][] = [];
  for (const stage of program) {
    // Tasks do not depend on one another: the first calls of all, the second calls of all, and so on.
    const longest = greatest(stage.map((task) => task.length), 0);
    for (let i = 0; i < longest; i++) {
      for (const call of stage.flatMap((task) => task[i] ?? [])) {
        const last = sets.at(-1);
        const joins = last && last[0]!.kernel === call.kernel && shaderOf(call.kernel).many &&
          last.length < MOST_CALLS &&
          last.every((other) => !touches(call, other) && !touches(other, call));
        if (joins) last.push(call);
        else sets.push([call]);
      }
    }
  }
  return sets;
}

/** Whether a call changes what another reads or changes. */
function touches(call: Call, other: Call): boolean {
  const { out, acc, in: inputs }: Signature = KERNELS[call.kernel];
  const tensors = ({ arguments: args }: Call, names: readonly string[]) =>
    names.map((name) => args[name.replace("?", "")] as Tensor | null).filter((tensor) => tensor !== null);
  const all = tensors(other, [...out, ...acc, ...inputs]);
  return tensors(call, [...out, ...acc]).some((a) =>
    all.some((b) => a.scratch === b.scratch && a.offset < b.offset + b.length && b.offset < a.offset + a.length)
  );
}

/** Scratch begins at a multiple of 16 elements, as tensors do. */
function align(elements: number): number {
  return Math.ceil(elements / 16) * 16;
}
