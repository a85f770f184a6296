/**
 * The program of a network over one sequence as JavaScript, for sequences of any length: what `SinglePrograms` plans for a
 * few lengths, with the number of steps left open.
 *
 * @module
 */

import { Arena } from "../device/arena.ts";
import { type Call, type KernelName, orderedArguments, type Tensor } from "../device/kernels.ts";
import { fail } from "../errors.ts";
import { type Packed, packParameters } from "./packed.ts";
import type { SinglePrograms } from "./single_program.ts";

/** An input of the network. */
export interface ProgramInput {
  readonly name: string;
  readonly isX: boolean;
  /** Numbers of a row, and elements from one row to the next. */
  readonly size: number;
  readonly ld: number;
  /** Whether there is one row, not one of each step. */
  readonly once: boolean;
  /** Where the table is that its tokens are looked up in, and the tokens there are; 0: it is numbers. */
  readonly table: number;
  readonly count: number;
}

/** A program as source text. Places are elements of the memory. */
export interface ProgramText {
  /**
   * A function of T and of `r`, which is told where everything is before the calls are made; of several parts it makes those
   * of number `u`.
   */
  readonly plan: string;
  /** Elements that are kept. */
  readonly size: number;
  readonly parameters: Packed;
  /** Kernels that are called. */
  readonly kernels: readonly KernelName[];
  readonly inputs: readonly ProgramInput[];
  readonly output: { readonly size: number; readonly ld: number; readonly steps: boolean };
  readonly hasWeights: boolean;
}

/**
 * A network's program.
 *
 * @param values All parameters, as the network's layout says.
 * @param first Elements of the memory before the parameters.
 * @param called What a kernel's arguments follow in the text: "c(3,".
 * @param wanted Values, "layer.port", whose places `r` is told too, by number under "v".
 * @throws {TypeError} If its program does not grow evenly with the steps.
 */
export function programText(
  programs: SinglePrograms,
  values: Float32Array,
  first: number,
  called: (kernel: KernelName) => string,
  wanted: readonly string[] = [],
): ProgramText {
  const kept = new Kept(programs, first),
    plans = LENGTHS.map((T) => new Planned(programs, T, kept, wanted)),
    [one] = plans;
  const tensors = plans.map(({ arena }) => arena.tensors), { inputs, output, weights } = one!;
  const parts = sameLength(plans.map(({ parts }) => parts)).map((part) => {
    const own = plans.map(({ parts }) => parts[part]!);
    return sameLength(own.map(({ loops }) => loops)).map((i) => loopText(own, i, called)).join(";");
  });
  const places = (of: (plan: Planned) => Argument) => text(merged(plans.map(of)));
  const allocated = sameLength(tensors).map((i) =>
    `${variable(i)}=n(${text(merged(tensors.map((all) => ({ value: all[i]!.length }))))})`
  );
  const found = [
    `end:p`,
    `inputs:[${inputs.map((_, i) => places(({ inputs }) => inputs[i]!.place)).join()}]`,
    `output:${places(({ output }) => output.place)}`,
    ...weights ? [`weights:${places(({ weights }) => weights!)}`] : [],
    ...wanted.length ? [`v:[${wanted.map((_, i) => places(({ values }) => values[i]!)).join()}]`] : [],
  ];
  const isOne = parts.length === 1, made = isOne ? parts[0]! : parts.map((part, u) => `if(u==${u}){${part}}`).join("");
  const plan = `(T,r,c${isOne ? "" : ",u"})=>{let p=${kept.size};const n=e=>{const a=p;p+=e+15&-16;return a},` +
    `${allocated.join()};r({${found.join()}});${made}}`;
  const { runs, values: packed } = packParameters(programs, values);
  return {
    plan,
    size: kept.size,
    parameters: { runs: runs.map((run) => ({ ...run, place: kept.place(run.place) })), values: packed },
    kernels: [...new Set(one!.parts.flatMap(({ calls }) => calls.map(({ kernel }) => kernel)))],
    inputs: inputs.map(({ input }) => input),
    output: output.shape,
    hasWeights: weights !== undefined,
  };
}

/** Where parameters are: in a memory without those that are only packed. */
class Kept {
  readonly #first: number;
  readonly #values: number;
  readonly #shift: number;
  readonly size: number;

  constructor({ store, net, persistent }: SinglePrograms, first: number) {
    this.#first = first;
    this.#values = store.values.length;
    this.#shift = align(this.#values) - align(net.resolved.layout.tables);
    this.size = first + persistent - this.#shift;
  }

  place(offset: number): number {
    return this.#first + (offset < this.#values ? offset : offset - this.#shift);
  }
}

/** As an arena rounds up. */
function align(elements: number): number {
  return Math.ceil(elements / 16) * 16;
}

/** Lengths that are planned: two say how everything grows, the third whether it does. */
const LENGTHS = [32, 48, 80] as const;

/** Calls that a loop may be made of. */
const LONGEST_BODY = 8;

/** An argument at one length: a number, or a place in a tensor. */
interface Argument {
  readonly value: number;
  readonly tensor?: number;
  /** Of a loop: how much it grows each turn. */
  readonly turn?: number;
}

/** A call, or calls that are made once for each step. */
interface Loop {
  readonly first: number;
  readonly body: number;
  readonly turns: number;
}

/** An arena that remembers its tensors. */
class Remembered extends Arena {
  readonly tensors: { readonly offset: number; readonly length: number }[] = [];

  override allocate(...shape: readonly number[]): Tensor {
    const tensor = super.allocate(...shape);
    this.tensors.push(tensor);
    return tensor;
  }
}

/** A plan for one length. */
class Planned {
  readonly arena: Remembered;
  readonly parts: readonly Part[];
  readonly inputs: readonly { readonly input: ProgramInput; readonly place: Argument }[];
  readonly output: { readonly shape: ProgramText["output"]; readonly place: Argument };
  readonly weights: Argument | undefined;
  readonly values: readonly Argument[];
  readonly #kept: Kept;

  constructor(programs: SinglePrograms, T: number, kept: Kept, wanted: readonly string[]) {
    this.#kept = kept;
    this.arena = new Remembered(programs.persistent);
    const { feeds, result, weights, values, programs: all } = programs.plan(T, this.arena);
    this.parts = all.map((program) =>
      new Part(program.flat(1)[0]!.map((call) => ({ kernel: call.kernel, args: this.argumentsOf(call) })), T)
    );
    this.values = wanted.map((name) => this.#place(values.get(name)!.data));
    this.inputs = feeds.map(({ input, isX, size, ld, table, V, to }) => ({
      input: {
        name: input,
        isX,
        size,
        ld,
        once: to.length === ld,
        table: table ? kept.place(table.byteOffset / 4) : 0,
        count: V,
      },
      place: this.#place(to),
    }));
    const { data, parts, ld, kind } = result;
    this.output = { shape: { size: parts[0]!, ld, steps: kind === "steps" }, place: this.#place(data) };
    this.weights = weights && this.#place(weights.data);
  }

  /** The arguments of a call, in the order of its kernel. */
  argumentsOf({ kernel, arguments: given }: Call): Argument[] {
    return orderedArguments(kernel).map(({ name, kind }) => {
      const value = given[name] ?? null;
      if (kind === "tensor") return value === null ? { value: 0 } : this.#place(value as Tensor);
      return { value: kind === "dim" ? value as number : bitsOf(value as number) };
    });
  }

  /** Where a tensor is: within one of the plan's own, or among the parameters. */
  #place({ offset }: Tensor): Argument {
    const tensor = this.arena.tensors.findLastIndex((own) => own.offset <= offset);
    return tensor < 0
      ? { value: this.#kept.place(offset) }
      : { tensor, value: offset - this.arena.tensors[tensor]!.offset };
  }
}

/** Calls that are made one after the other. */
class Part {
  readonly loops: readonly Loop[];

  constructor(
    readonly calls: readonly { readonly kernel: KernelName; readonly args: readonly Argument[] }[],
    readonly T: number,
  ) {
    this.loops = [...this.#loops()];
  }

  *#loops(): Generator<Loop> {
    const { calls, T } = this;
    for (let first = 0; first < calls.length;) {
      let body = 1;
      while (body <= LONGEST_BODY && !this.#repeats(first, body)) body++;
      const turns = body > LONGEST_BODY ? 1 : T, loop = { first, body: turns === 1 ? 1 : body, turns };
      yield loop;
      first += loop.body * turns;
    }
  }

  /** Whether some calls are made once for each step, with arguments that grow evenly. */
  #repeats(first: number, body: number): boolean {
    const { calls, T } = this;
    if (first + body * T > calls.length) return false;
    for (let i = first + body; i < first + body * T; i++) {
      const call = calls[i]!, before = calls[i - body]!, origin = calls[first + (i - first) % body]!;
      const next = calls[first + (i - first) % body + body]!;
      if (call.kernel !== before.kernel) return false;
      const isEven = call.args.every(({ value, tensor }, a) =>
        tensor === before.args[a]!.tensor &&
        value - before.args[a]!.value === next.args[a]!.value - origin.args[a]!.value
      );
      if (!isEven) return false;
    }
    return true;
  }

  /** The arguments of call number `i` of a loop. */
  argumentsIn({ first, body, turns }: Loop, i: number): Argument[] {
    const { args } = this.calls[first + i]!, next = turns > 1 ? this.calls[first + i + body]!.args : args;
    return args.map((argument, a) => ({ ...argument, turn: next[a]!.value - argument.value }));
  }
}

/** A loop of every plan as text. */
function loopText(plans: readonly Part[], at: number, called: (kernel: KernelName) => string): string {
  const loops = plans.map(({ loops }) => loops[at]!), [{ first, body, turns }] = loops as [Loop];
  if (loops.some((loop) => loop.body !== body || (loop.turns === 1) !== (turns === 1))) throw uneven();
  const calls = Array.from({ length: body }, (_, i) => {
    const { kernel } = plans[0]!.calls[first + i]!, args = plans.map((plan, p) => plan.argumentsIn(loops[p]!, i));
    if (plans.some((plan, p) => plan.calls[loops[p]!.first + i]!.kernel !== kernel)) throw uneven();
    return `${called(kernel)}${args[0]!.map((_, a) => text(merged(args.map((all) => all[a]!)))).join()})`;
  });
  return turns === 1 ? calls.join(";") : `for(let t=0;t<T;t++){${calls.join(";")}}`;
}

/** Numbers of the items that lists of every plan have. */
function sameLength(lists: readonly (readonly unknown[])[]): number[] {
  if (lists.some(({ length }) => length !== lists[0]!.length)) throw uneven();
  return lists[0]!.map((_, i) => i);
}

/** A number that grows with the steps. */
interface Growing extends Argument {
  readonly step: number;
}

/** An argument at every length. */
function merged(values: readonly Argument[]): Growing {
  const [a, b, c] = values as [Argument, Argument, Argument], [first, second, third] = LENGTHS;
  const step = (b.value - a.value) / (second - first), value = a.value - step * first;
  const fits = value + step * third === c.value && Number.isInteger(step) &&
    values.every(({ tensor, turn }) => tensor === a.tensor && turn === a.turn);
  if (!fits) throw uneven();
  return { ...a, value, step };
}

function text({ value, step, turn = 0, tensor }: Growing): string {
  const term = (factor: number, name: string) =>
    !factor ? [] : factor === 1 ? [name] : factor === -1 ? [`-${name}`] : [`${factor}*${name}`];
  const terms = [
    ...tensor === undefined ? [] : [variable(tensor)],
    ...term(step, "T"),
    ...term(turn, "t"),
    ...value ? [String(value)] : [],
  ];
  return terms.length ? terms.join("+").replaceAll("+-", "-") : "0";
}

/** A short name: none of those that the text has otherwise. */
function variable(i: number): string {
  return `$${i.toString(36)}`;
}

const real = new Float32Array(1), bits = new Int32Array(real.buffer);

/** The bits of a number, as kernels take those that are not whole. */
function bitsOf(value: number): number {
  real[0] = value;
  return bits[0]!;
}

function uneven(): TypeError {
  return fail("wiring", "export model", "its program does not grow evenly with the steps", {
    advice: "keep the model as a checkpoint",
  });
}
