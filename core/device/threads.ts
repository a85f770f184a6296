/**
 * Runs the tasks of a program on several threads, over one shared memory.
 *
 * Between programs they sleep, and
 * end by themselves after a while without work, so that they do not keep a program alive; they are started again when
 * needed. Which thread does which task is left to chance: tasks do not depend on one another, and what they add up stands
 * in places of their own, so the result is the same bits for any number of threads.
 *
 * @module
 */

import { fail } from "../errors.ts";
import type { HostedWorker, StartWorker } from "./workers.ts";

/** One stage for the workers: how many tasks, and where their list begins: pairs of address and count of calls. */
export interface StageTable {
  readonly tasks: number;
  readonly list: number;
}

/** Bytes of the control block. */
export const CONTROL_BYTES = 512;

/** Stages that a program may have. */
const MAX_STAGES = 16;

/** The words of the control block. */
const CELL = {
  /** Counts programs: workers sleep on it. */
  generation: 0,
  /** 1 while a program is being worked on: only then may a worker touch it. */
  open: 1,
  /** Workers that may be touching the program. */
  inside: 2,
  /** Stages of the program. */
  stages: 3,
  /** Counts finished programs: the host waits for it. */
  finished: 4,
  /** Address and size of the scratch space of slot 0; the others follow. */
  scratch: 5,
  scratchSize: 6,
  /** 1 when workers are to end. */
  stop: 7,
  /** Whether products take the larger tiles. */
  wide: 8,
  /** Slots from this one on have no scratch space in this plan. */
  threads: 9,
  /** 1 after a task failed: the program is given up. */
  failed: 10,
  /** For each stage four words: tasks, address of their list, tasks claimed, tasks done. */
  table: 16,
  /** For each slot, whether it has a worker. */
  slots: 16 + 4 * MAX_STAGES,
} as const;

/** What a worker is told when it starts. */
interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address of the control block. */
  readonly control: number;
  readonly slot: number;
  readonly cell: typeof CELL;
}

/** What a worker runs. It becomes the text of a Blob: it must not refer to anything outside itself. */
function workerMain(): void {
  const scope = globalThis as unknown as {
    onmessage: ((event: { data: WorkerStart }) => void) | null;
    postMessage(message: string): void;
    close(): void;
  };
  scope.onmessage = ({ data: { module, memory, control, slot, cell } }) => {
    const words = new Int32Array(memory.buffer), cells = words.subarray(control / 4);
    const { run, setWide } = new WebAssembly.Instance(module, { env: { memory } }).exports as {
      run(program: number, count: number, scratch: number): void;
      setWide(on: number): void;
    };
    // Spinning costs less than sleeping for the short waits between stages and steps; the count is about 0.1 ms.
    const SPINS = 20_000, IDLE = 500;
    const changes = (at: number, value: number, timeout: number, spins = SPINS) => {
      for (let i = 0; i < spins; i++) if (Atomics.load(cells, at) !== value) return true;
      return Atomics.wait(cells, at, value, timeout) !== "timed-out";
    };
    const work = () => {
      setWide(cells[cell.wide]!);
      const scratch = cells[cell.scratch]! + slot * cells[cell.scratchSize]!;
      for (let stage = 0; stage < cells[cell.stages]!; stage++) {
        const base = cell.table + 4 * stage, claimed = base + 2, done = base + 3;
        // Addresses are unsigned: above 2 GiB their words are negative.
        const tasks = cells[base]!, list = cells[base + 1]! >>> 2;
        for (let i = Atomics.add(cells, claimed, 1); i < tasks; i = Atomics.add(cells, claimed, 1)) {
          run(words[list + 2 * i]!, words[list + 2 * i + 1]!, scratch);
          if (Atomics.add(cells, done, 1) + 1 === tasks) Atomics.notify(cells, done);
        }
        for (let n = Atomics.load(cells, done); n < tasks; n = Atomics.load(cells, done)) {
          if (Atomics.load(cells, cell.failed) === 1) return;
          changes(done, n, 1);
        }
      }
      close();
    };
    // The first to come here closes the program, so that nobody enters it any more.
    const close = () => {
      if (Atomics.compareExchange(cells, cell.open, 1, 0) === 1) {
        Atomics.add(cells, cell.finished, 1);
        Atomics.notify(cells, cell.finished);
      }
    };
    for (let seen = 0;;) {
      const generation = Atomics.load(cells, cell.generation);
      let spins = SPINS;
      if (generation !== seen) {
        seen = generation;
        Atomics.add(cells, cell.inside, 1);
        try {
          if (Atomics.load(cells, cell.open) === 1) {
            // A thread too many sleeps at once: the others need its core.
            if (slot < cells[cell.threads]!) work();
            else spins = 0;
          }
        } catch (error) {
          scope.postMessage(String(error));
          Atomics.store(cells, cell.failed, 1);
          close();
        }
        Atomics.sub(cells, cell.inside, 1);
      }
      if (Atomics.load(cells, cell.stop) === 1) break;
      if (changes(cell.generation, seen, IDLE, spins)) continue;
      // Leave, unless a program has come in the meantime and nobody else took the slot.
      Atomics.store(cells, cell.slots + slot, 0);
      if (Atomics.load(cells, cell.generation) === seen) break;
      if (Atomics.compareExchange(cells, cell.slots + slot, 0, 1) !== 0) break;
    }
    scope.close();
  };
}

/** Threads are not to be had here: the reason. */
export class NoThreads extends Error {}

/** Where the plan of a program has its scratch space, and for how many threads. */
export interface ScratchSpace {
  readonly first: number;
  readonly size: number;
  readonly threads: number;
}

/** Runs a task: the address of its calls, their number, and that of a scratch space. */
export type Help = (program: number, count: number, scratch: number) => void;

/** Looks at who is still inside, before the host sleeps: about 0.1 ms. */
const PATIENCE = 10_000;

/** Threads that share a memory. Made anew when the memory is. */
export class ThreadPool {
  readonly #start: Omit<WorkerStart, "slot">;
  readonly #cells: Int32Array;
  readonly #workers: (HostedWorker | undefined)[] = [];
  readonly #startWorker: StartWorker;
  /** Ends the program in hand with an error. */
  #fail: (error: Error) => void = () => {};
  /** Why nothing can be run any more. */
  #broken: Error | undefined;

  /**
   * @param control Address of CONTROL_BYTES zeros in the memory.
   * @param startWorker How workers are started here, if there are any.
   */
  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, control: number, startWorker?: StartWorker) {
    if (!startWorker) throw new NoThreads("there are no workers here");
    if (typeof Atomics.waitAsync !== "function") throw new NoThreads("Atomics.waitAsync is missing here");
    this.#startWorker = startWorker;
    this.#start = { module, memory, control, cell: CELL };
    this.#cells = new Int32Array(memory.buffer, control, CONTROL_BYTES / 4);
  }

  /**
   * Runs a program's stages on all threads.
   *
   * @param help The core's `run`, where the host is to be one of the threads: neither it nor the others fall asleep between
   * short programs. It does not come back before all is done.
   * @returns A promise for when all is done.
   * @throws {NoThreads} If workers cannot be started, or cannot be given shared memory.
   * @throws {Error} If a worker failed, now or before, or the pool was disposed.
   */
  async run(stages: readonly StageTable[], scratch: ScratchSpace, wide: boolean, help?: Help): Promise<void> {
    const cells = this.#cells, workers = scratch.threads - Number(help !== undefined);
    if (stages.length > MAX_STAGES) {
      throw fail(
        "argument-out-of-range",
        "run program",
        `it has ${stages.length} stages, at most ${MAX_STAGES} are taken`,
        { count: stages.length },
      );
    }
    // Those that are still on their way out of the program before.
    for (let i = 0; !this.#broken && Atomics.load(cells, CELL.inside) > 0; i++) {
      if (i >= PATIENCE) await new Promise((done) => setTimeout(done, 0));
    }
    if (this.#broken) throw this.#broken;
    cells[CELL.stages] = stages.length;
    cells[CELL.scratch] = scratch.first;
    cells[CELL.scratchSize] = scratch.size;
    cells[CELL.threads] = workers;
    cells[CELL.wide] = Number(wide);
    stages.forEach(({ tasks, list }, i) => cells.set([tasks, list, 0, 0], CELL.table + 4 * i));
    const finished = Atomics.load(cells, CELL.finished);
    Atomics.store(cells, CELL.open, 1);
    Atomics.add(cells, CELL.generation, 1);
    Atomics.notify(cells, CELL.generation);
    const failure = new Promise<never>((_, reject) => this.#fail = reject);
    failure.catch(() => {}); // nobody may be waiting for it any more
    this.#startWorkers(workers);
    if (help) return this.#help(stages, help, scratch.first + workers * scratch.size);
    const wait = Atomics.waitAsync(cells, CELL.finished, finished);
    await Promise.race([failure, wait.value]);
    if (Atomics.load(cells, CELL.failed) === 0) return;
    // What was wrong is on its way.
    await Promise.race([failure, new Promise((done) => setTimeout(done, 100))]);
    this.#break("for a reason unknown");
    throw this.#broken;
  }

  /** The host's part of a program, in the same steps as a worker's. */
  #help(stages: readonly StageTable[], run: Help, scratch: number) {
    const cells = this.#cells, words = new Int32Array(cells.buffer);
    try {
      for (const [stage, { tasks, list }] of stages.entries()) {
        const base = CELL.table + 4 * stage, claimed = base + 2, done = base + 3;
        for (let i = Atomics.add(cells, claimed, 1); i < tasks; i = Atomics.add(cells, claimed, 1)) {
          run(words[list / 4 + 2 * i]!, words[list / 4 + 2 * i + 1]!, scratch);
          if (Atomics.add(cells, done, 1) + 1 === tasks) Atomics.notify(cells, done);
        }
        while (Atomics.load(cells, done) < tasks) {
          if (Atomics.load(cells, CELL.failed) === 1) throw new Error("another thread failed");
        }
      }
    } catch (error) {
      Atomics.store(cells, CELL.failed, 1);
      this.#break((error as Error).message);
      throw this.#broken;
    }
    Atomics.store(cells, CELL.open, 0);
  }

  #startWorkers(threads: number) {
    for (let slot = 0; slot < threads; slot++) {
      if (Atomics.compareExchange(this.#cells, CELL.slots + slot, 0, 1) !== 0) continue;
      try {
        const breaks = (message: string) => this.#break(message);
        const worker = this.#startWorker(`(${workerMain})()`, { message: breaks, error: breaks });
        this.#workers[slot]?.terminate();
        this.#workers[slot] = worker;
        worker.post({ ...this.#start, slot } satisfies WorkerStart);
      } catch (error) {
        // A page may forbid workers, and one without cross-origin isolation cannot hand them shared memory.
        const message = (error as DOMException).name === "DataCloneError"
          ? "shared memory cannot be passed to workers here"
          : `workers cannot be started here: ${(error as Error).message}`;
        Atomics.store(this.#cells, CELL.open, 0);
        this.#end(new NoThreads(message));
        throw this.#broken;
      }
    }
  }

  /** A worker failed. If nobody has begun the program, workers cannot be started here at all: a page may forbid them. */
  #break(message: string) {
    // Who is inside may be at work; who comes inside now finds the program closed.
    const closed = Atomics.compareExchange(this.#cells, CELL.open, 1, 0) === 1;
    const begun = Atomics.load(this.#cells, CELL.table + 2) > 0 || Atomics.load(this.#cells, CELL.inside) > 0;
    const unused = closed && !begun;
    this.#end(
      unused
        ? new NoThreads(`workers cannot be started here: ${message}`)
        : fail("device-failed", "use model", `a thread failed: ${message}`),
    );
  }

  /** Ends the workers, for a reason that what is running and everything asked for later is rejected with. */
  #end(reason: Error) {
    this.#broken ??= reason;
    Atomics.store(this.#cells, CELL.stop, 1);
    Atomics.add(this.#cells, CELL.generation, 1);
    Atomics.notify(this.#cells, CELL.generation);
    for (const worker of this.#workers) worker?.terminate();
    this.#fail(this.#broken);
  }

  /** Ends the workers. What is running is rejected, and everything asked for later. */
  dispose(): void {
    this.#end(fail("disposed", "use model", "it was disposed"));
  }
}
