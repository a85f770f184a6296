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
   * of number `u`. A steady one is a function of `s` and `C` too: steps that were computed before, which stay as they are,
   * and steps that there is room for.
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
  /** Whether it goes on from steps that were computed before. */
  readonly isSteady: boolean;
}

/** How a program is to be written. */
export interface ProgramOptions {
  /** Values, "layer.port", whose places `r` is told too, by number under "v". */
  readonly wanted?: readonly string[];
  /** Whether it is to go on from steps that were computed before, if it can. */
  readonly steady?: boolean;
}

/**
 * A network's program.
 *
 * @param values All parameters, as the network's layout says.
 * @param first Elements of the memory before the parameters.
 * @param called What a kernel's arguments follow in the text: "c(3,".
 * @throws {TypeError} If its program does not grow evenly with the steps.
 */
export function programText(
  programs: SinglePrograms,
  values: Float32Array,
  first: number,
  called: (kernel: KernelName) => string,
  { wanted = [], steady = false }: ProgramOptions = {},
): ProgramText {
  const kept = new Kept(programs, first),
    isSteady = steady &&
      new Planned(programs, LENGTHS[0], kept, wanted, false).parts.every(({ calls }) => calls.every(goesOn)),
    plans = LENGTHS.map((T) => new Planned(programs, T, kept, wanted, isSteady)),
    [one] = plans;
  const tensors = plans.map(({ arena }) => arena.tensors), { inputs, output, weights } = one!;
  const parts = sameLength(plans.map(({ parts }) => parts)).map((part) => {
    const own = plans.map(({ parts }) => parts[part]!);
    return sameLength(own.map(({ loops }) => loops)).map((i) => loopText(own, i, called, isSteady)).join(";");
  });
  const places = (of: (plan: Planned) => Argument) => text(merged(plans.map(of)));
  const allocated = sameLength(tensors).map((i) =>
    `${variable(i)}=n(${text(merged(tensors.map((all) => ({ value: all[i]!.length }))), isSteady ? "C" : "T")})`
  );
  const found = [
    `end:p`,
    `inputs:[${inputs.map((_, i) => places(({ inputs }) => inputs[i]!.place)).join()}]`,
    `output:${places(({ output }) => output.place)}`,
    ...weights ? [`weights:${places(({ weights }) => weights!)}`] : [],
    ...wanted.length ? [`v:[${wanted.map((_, i) => places(({ values }) => values[i]!)).join()}]`] : [],
  ];
  const isOne = parts.length === 1, made = isOne ? parts[0]! : parts.map((part, u) => `if(u==${u}){${part}}`).join("");
  const plan =
    `(T,r,c${isOne ? "" : ",u"}${isSteady ? ",s=0,C=T" : ""})=>{let p=${kept.size};const n=(e,a=p)=>(p+=e+15&-16,a),` +
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
    isSteady,
  };
}

/** Arguments of kernels over the rows of a sequence: how many there are, and what begins with the first, with its stride. */
const ROWS: {
  readonly [Name in KernelName]?: { readonly count: string; readonly places: Readonly<Record<string, string>> };
} = {
  linearForwardSingle: { count: "rows", places: { y: "ldy", x: "ldx" } },
  layerNormSingle: { count: "rows", places: { y: "ldy", x: "ldx" } },
  elementwiseSingle: { count: "rows", places: { y: "ldy", x: "ldx" } },
  gruForwardSingle: { count: "T", places: { h: "ldh", gates: "Hp" } },
  lstmForwardSingle: { count: "T", places: { h: "ldh", c: "ldh", gates: "Hp" } },
};

/** Parts of a row whose stride is that of one of them. */
const PARTS: Readonly<Record<string, number>> = { Hp: 4 };

/** Whether a call can go on from steps before: from those behind it, it cannot. */
function goesOn({ kernel, args }: MadeCall): boolean {
  const reverse = orderedArguments(kernel).findIndex(({ name }) => name === "reverse");
  return reverse < 0 || args[reverse]!.value === 0;
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

/** A call with its arguments in the order of its kernel. */
interface MadeCall {
  readonly kernel: KernelName;
  readonly args: readonly Argument[];
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

  constructor(programs: SinglePrograms, T: number, kept: Kept, wanted: readonly string[], keeps: boolean) {
    this.#kept = kept;
    this.arena = new Remembered(programs.persistent);
    const { feeds, result, weights, values, programs: all } = programs.plan(T, this.arena, keeps);
    // A program that keeps what it wrote begins in memory that is clear, and what is to be 0 stays so.
    this.parts = all.map((program) => {
      const calls = program.flat(1)[0]!.filter(({ kernel }) => !keeps || kernel !== "clear");
      return new Part(calls.map((call) => ({ kernel: call.kernel, args: this.argumentsOf(call) })), T);
    });
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
    readonly calls: readonly MadeCall[],
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
function loopText(
  plans: readonly Part[],
  at: number,
  called: (kernel: KernelName) => string,
  isSteady: boolean,
): string {
  const loops = plans.map(({ loops }) => loops[at]!), [{ first, body, turns }] = loops as [Loop];
  if (loops.some((loop) => loop.body !== body || (loop.turns === 1) !== (turns === 1))) throw uneven();
  const calls = Array.from({ length: body }, (_, i) => {
    const { kernel } = plans[0]!.calls[first + i]!, args = plans.map((plan, p) => plan.argumentsIn(loops[p]!, i));
    if (plans.some((plan, p) => plan.calls[loops[p]!.first + i]!.kernel !== kernel)) throw uneven();
    return callText(kernel, called(kernel), args[0]!.map((_, a) => merged(args.map((all) => all[a]!))), isSteady);
  });
  return turns === 1 ? calls.join(";") : `for(let t=${isSteady ? "s" : "0"};t<T;t++){${calls.join(";")}}`;
}

/** A call as text; of a steady program over the rows that are new. */
function callText(kernel: KernelName, called: string, args: readonly Growing[], isSteady: boolean): string {
  const rows = isSteady ? ROWS[kernel] : undefined, names = orderedArguments(kernel).map(({ name }) => name);
  const of = (name: string) => args[names.indexOf(name)]!, grows = rows && of(rows.count).step === 1;
  const texts = args.map((argument, a) => {
    const stride = grows ? rows.places[names[a]!] : undefined;
    if (grows && names[a] === rows.count) return "T-s";
    if (stride === undefined) return text(argument);
    return `${text(argument)}+${of(stride).value * (PARTS[stride] ?? 1)}*s`;
  });
  return `${called}${texts.join()})`;
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

function text({ value, step, turn = 0, tensor }: Growing, steps = "T"): string {
  const term = (factor: number, name: string) =>
    !factor ? [] : factor === 1 ? [name] : factor === -1 ? [`-${name}`] : [`${factor}*${name}`];
  const terms = [
    ...tensor === undefined ? [] : [variable(tensor)],
    ...term(step, steps),
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
