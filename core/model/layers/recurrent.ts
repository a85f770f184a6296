import { from } from "../../device/arena.ts";
import type { TaskBuilder } from "../../device/device.ts";
import { LANES, type Tensor } from "../../device/kernels.ts";
import type { ParameterSpec, ParameterStore, Weight } from "../parameters.ts";
import { type Cell, type CellName, CELLS, type CellTensors, gatesFrom } from "./cells.ts";
import {
  type Block,
  Gradient,
  gradientScratch,
  groupStride,
  type LayerType,
  type NodeShape,
  type Pass,
  transposedSize,
  type Value,
  weightGradient,
} from "./layer.ts";
import { layerOf, type Node } from "./node.ts";
import { each, type FullOptions, OPTIONS, type RecurrentOptions, suffixOf, widthOf } from "./recurrent_options.ts";

/** One direction of one layer. */
interface Direction {
  readonly layer: number;
  readonly reverse: boolean;
  /** W_ih, its rows in the order of the buffer of gates. */
  readonly input: Weight;
  /** W_hh. */
  readonly hidden: Weight;
  /** Sums of the biases, in the order of the buffer of gates; 0 without biases. */
  readonly bias: Tensor;
  /** Offsets of the bias parameters; null without biases. */
  readonly biasIh: number | null;
  readonly biasHh: number | null;
}

/** Layers and directions of any cell, over whole sequences: a row of the table of layers. */
function recurrent(cell: Cell): LayerType<RecurrentOptions> {
  const counts = ({ options }: NodeShape<RecurrentOptions>) => ({
    size: options.hiddenSize,
    count: options.numLayers! * (options.bidirectional ? 2 : 1),
  });
  return {
    options: OPTIONS,
    inputs: { input: ["steps"] },
    products: true,
    outputs(node) {
      const size = widthOf(node.options), states = { kind: "states" as const, ...counts(node) };
      return {
        output: { kind: "steps", size },
        state: { kind: "rows", size },
        ...Object.fromEntries(cell.states.map(({ final }) => [final, states])),
      };
    },
    parameters: (node) => parameters(cell, node),
    streams: ({ options: { numLayers } }) => numLayers! - 1,
    work({ inputs, options }) {
      const { hiddenSize: H, numLayers, bidirectional } = options, D = widthOf(options);
      const layer = (l: number) => cell.gates * H * (H + (l ? D : inputs.input!.size)) * (bidirectional ? 2 : 1);
      return { products: sumOf(numLayers!, layer), state: H };
    },
    given: (node) =>
      Object.fromEntries(cell.states.map(({ initial }) => [initial, { kind: "states" as const, ...counts(node) }])),
    place: (node, store) => {
      const layers = placeWeights(cell, node as Node<FullOptions>, store);
      return { over: (block, { input }) => new RecurrentPass(cell, node as Node<FullOptions>, layers, block, input!) };
    },
  };
}

/** Recurrent layers by their cell: torch.nn.GRU, torch.nn.LSTM. */
export const RECURRENT = Object.fromEntries(
  Object.entries(CELLS).map(([name, cell]) => [name, recurrent(cell)]),
) as Record<CellName, LayerType<RecurrentOptions>>;

function sumOf(n: number, term: (i: number) => number): number {
  return Array.from({ length: n }, (_, i) => term(i)).reduce((a, b) => a + b, 0);
}

function parameters(cell: Cell, node: NodeShape<RecurrentOptions>): ParameterSpec[] {
  const options = node.options as FullOptions, { hiddenSize: H, bias } = options, rows = cell.gates * H;
  const bound = 1 / Math.sqrt(H);
  return each(options, (layer, direction): ParameterSpec[] => {
    const suffix = suffixOf(layer, direction);
    return [
      { name: `weight_ih${suffix}`, shape: [rows, layer ? widthOf(options) : node.inputs.input!.size], bound },
      { name: `weight_hh${suffix}`, shape: [rows, H], bound },
      ...bias ? ["bias_ih", "bias_hh"].map((name) => ({ name: `${name}${suffix}`, shape: [rows], bound })) : [],
    ];
  }).flat(2);
}

function placeWeights(cell: Cell, { name, options, sources }: Node<FullOptions>, store: ParameterStore): Direction[][] {
  const { hiddenSize: H, bias } = options, below = layerOf(sources.input!);
  return each(options, (layer, direction): Direction => {
    const full = (what: string) => `${name}.${what}${suffixOf(layer, direction)}`;
    const [ih, hh] = bias ? [store.parameter(full("bias_ih")), store.parameter(full("bias_hh"))] : [];
    return {
      layer,
      reverse: direction === 1,
      input: store.weight(full("weight_ih"), { rotate: cell.rotate * H, gradientOf: layer ? undefined : below }),
      hidden: store.weight(full("weight_hh")),
      bias: store.vector(4 * H, (task, dst) => {
        if (!ih || !hh) return;
        const [biasIh, biasHh] = [store.valuesOf(ih.name), store.valuesOf(hh.name)];
        cell.packBias(task, { bias: dst, biasIh, biasHh, H });
      }),
      biasIh: ih?.offset ?? null,
      biasHh: hh?.offset ?? null,
    };
  });
}

/**
 * Memory per block, in elements, with R rows rounded up to groups of 8, L layers of d directions: gates L·d·T·R·4H, states
 * L·(T + 2)·R·d·H for each state; for backward 2·(T + 2)·R·d·H more, T·R·max(I, d·H) for transposed inputs, and the
 * largest weight.
 */
class RecurrentPass implements Pass {
  readonly outputs: Record<string, Value>;
  readonly #cell: Cell;
  readonly #node: Node<FullOptions>;
  readonly #layers: readonly (readonly Direction[])[];
  readonly #block: Block;
  readonly #input: Value;
  readonly #D: number;
  /** Distance between groups of states. */
  readonly #stride: number;
  readonly #gateStride: number;
  /** For each layer its states, (T + 2, groups, D, 8) each. */
  readonly #states: Tensor[][] = [];
  readonly #gates: Tensor[][] = [];
  /** What the layer above reads of each layer but the last: its states, or those after dropout. */
  readonly #masks: Tensor[] = [];
  readonly #dropped: Tensor[] = [];
  readonly #words: Tensor;
  readonly #dStates: Tensor[];
  /** Gradient of a cell state, (groups, H, 8). */
  readonly #dCell: Tensor;
  readonly #transposed: Tensor;
  readonly #scratch: Tensor;

  constructor(
    cell: Cell,
    node: Node<FullOptions>,
    layers: readonly (readonly Direction[])[],
    block: Block,
    input: Value,
  ) {
    const { hiddenSize: H, numLayers, bidirectional, dropout } = node.options;
    const { T, groups, backward, scratch } = block, D = this.#D = widthOf(node.options);
    this.#cell = cell;
    this.#node = node;
    this.#layers = layers;
    this.#block = block;
    this.#input = input;
    const stride = this.#stride = groupStride(D);
    this.#gateStride = groupStride(4 * H);
    const dropLayers = block.dropout === "random" && dropout > 0;
    const gates = () => scratch.allocate(T * groups * this.#gateStride);
    const states = () => scratch.allocate((T + 2) * groups * stride);
    // Without a backward pass nobody reads the gates again: one buffer serves all layers.
    const shared = backward ? undefined : gates();
    for (let layer = 0; layer < numLayers; layer++) {
      this.#states.push(cell.states.map(states));
      this.#gates.push(Array.from({ length: bidirectional ? 2 : 1 }, () => shared ?? gates()));
      if (dropLayers && layer < numLayers - 1) {
        this.#masks.push(scratch.allocate(T * groups * stride));
        this.#dropped.push(scratch.allocate(T * groups * stride));
      }
    }
    this.#words = scratch.allocate(dropLayers ? 16 : 0);
    this.#dStates = Array.from({ length: backward ? Math.min(2, numLayers) : 0 }, states);
    this.#dCell = scratch.allocate(backward && cell.states.length > 1 ? groups * H * LANES : 0);
    const widest = Math.max(input.shape.size, numLayers > 1 ? D : H);
    this.#transposed = scratch.allocate(backward ? transposedSize(widest, T * groups) : 0);
    const weights = layers.flat().flatMap(({ input, hidden }) => [input, hidden]);
    this.#scratch = scratch.allocate(
      backward ? Math.max(...weights.map((w) => gradientScratch(block, w, T * groups))) : 0,
    );
    const dTop = backward ? new Gradient(this.#slot(this.#dLayer(numLayers - 1), 1), stride) : null;
    const output = { shape: node.outputs.output!, data: this.#slot(this.#top, 1), stride, gradient: dTop };
    const wanted = this.#wanted("state") || block.io(`${node.name}.state`);
    this.outputs = { output, ...wanted && { state: this.#rowsValue("state", stride) } };
    for (const { final } of cell.states) {
      const { size, count } = node.outputs[final]!;
      if (this.#wanted(final)) this.outputs[final] = this.#rowsValue(final, groupStride(size * count!));
    }
  }

  /** Whether a layer reads a port, or it leaves the network. */
  #wanted(port: string): boolean {
    return this.#node.uses(`${this.#node.name}.${port}`) > 0;
  }

  /** Final states as a value of their own. */
  #rowsValue(port: string, stride: number): Value {
    const { groups, backward, scratch } = this.#block, data = scratch.allocate(groups * stride);
    const gradient = backward ? new Gradient(scratch.allocate(groups * stride), stride) : null;
    return { shape: this.#node.outputs[port]!, data, stride, gradient };
  }

  get #top(): Tensor {
    return this.#states.at(-1)![0]!;
  }

  /** Slot `slot` of states, from the features of a direction on. */
  #slot(states: Tensor, slot: number, direction = 0): Tensor {
    return from(states, slot * this.#block.groups * this.#stride + direction * this.#node.options.hiddenSize * LANES);
  }

  /** Slot of the state a direction starts from. */
  #firstSlot(reverse: boolean): number {
    return reverse ? this.#block.T + 1 : 0;
  }

  /** Slot of the state a direction ends in. */
  #lastSlot(reverse: boolean): number {
    return reverse ? 1 : this.#block.T;
  }

  /** What layer `layer` reads. */
  #below(layer: number): { x: Tensor; ldx: number } {
    if (layer === 0) return { x: this.#input.data, ldx: this.#input.stride };
    return { x: this.#dropped[layer - 1] ?? this.#slot(this.#states[layer - 1]![0]!, 1), ldx: this.#stride };
  }

  /** What the kernels take of a direction. */
  #tensors({ layer, reverse, bias }: Direction, panels: Tensor): CellTensors {
    const { T, groups, mask } = this.#block, { hiddenSize: H } = this.#node.options, d = Number(reverse);
    return {
      states: this.#states[layer]!.map((states) => from(states, d * H * LANES)),
      ld: this.#stride,
      gates: this.#gates[layer]![d]!,
      ldg: this.#gateStride,
      panels,
      bias,
      mask,
      T,
      groups,
      H,
      reverse: d,
    };
  }

  /** Where the rows of this block are in a tensor of states (layers·directions, B, H). */
  #rows(states: Tensor, { layer, reverse }: Direction): Tensor {
    const { B, row0 } = this.#block, { hiddenSize: H, bidirectional } = this.#node.options;
    return from(states, ((layer * (bidirectional ? 2 : 1) + Number(reverse)) * B + row0) * H);
  }

  /** The part of a direction in a value of final states. */
  #part(states: Tensor, { layer, reverse }: Direction): Tensor {
    const { hiddenSize: H, bidirectional } = this.#node.options;
    return from(states, (layer * (bidirectional ? 2 : 1) + Number(reverse)) * H * LANES);
  }

  forward(task: TaskBuilder): void {
    const { T, groups, rows, row0, control } = this.#block, { name, options, stream } = this.#node;
    const { hiddenSize: H, dropout: p } = options, ld = this.#stride, D = this.#D, live = this.#block.live();
    this.#layers.forEach((layer, l) => {
      const { x, ldx } = this.#below(l);
      for (const direction of layer) {
        const { input, hidden, bias, reverse } = direction, d = Number(reverse), gates = this.#gates[l]![d]!;
        this.#cell.states.forEach(({ initial }, s) => {
          const given = this.#block.io(`${name}.${initial}`),
            dst = this.#slot(
              this.#states[l]![s]!,
              this.#firstSlot(reverse),
              d,
            );
          task.call("rowsIn", { dst, src: given && this.#rows(given, direction), rows, F: H, lddst: ld, ldsrc: H });
        });
        const size = { M: input.M, K: input.K, groups: T * groups, ldy: this.#gateStride, ldx };
        task.call("linearForward", { y: gates, x, panels: input.forward, bias, ...size }, { groups: live });
        this.#cell.forward(task, this.#tensors(direction, hidden.forward));
        this.#cell.states.forEach(({ final }, s) => {
          const wanted = this.#block.io(`${name}.${final}`);
          const src = this.#slot(this.#states[l]![s]!, this.#lastSlot(reverse), d), read = this.outputs[final];
          if (read) {
            const args = { dst: this.#part(read.data, direction), src, groups, F: H, accumulate: 0 };
            task.call("copyGroups", { ...args, lddst: read.stride, ldsrc: ld });
          }
          if (!wanted) return;
          task.call("rowsOut", { dst: this.#rows(wanted, direction), src, rows, F: H, lddst: H, ldsrc: ld });
        });
      }
      const mask = this.#masks[l];
      if (mask) {
        const drawn = { mask, words: this.#words, control, T, groups, row0, F: D, ldm: ld, stream: stream + l, p };
        task.call("dropoutMask", drawn);
        const y = this.#dropped[l]!, x = this.#slot(this.#states[l]![0]!, 1);
        const args = { y, x, mask, groups: T * groups, F: D, ldy: ld, ldx: ld, ldm: ld };
        task.call("dropoutApply", args, { groups: live });
      }
    });
    this.#block.publish(task, `${name}.output`, this.outputs.output!);
    if (this.outputs.state) this.#copyFinal(task, this.#top, this.outputs.state.data, false);
  }

  /** The last layer's final states to or from a row of both directions; `back` adds. */
  #copyFinal(task: TaskBuilder, states: Tensor, rows: Tensor, back: boolean): void {
    const { groups } = this.#block, { hiddenSize: H } = this.#node.options, ld = this.#stride;
    for (const { reverse } of this.#layers.at(-1)!) {
      const slot = this.#slot(states, this.#lastSlot(reverse), Number(reverse));
      const row = from(rows, Number(reverse) * H * LANES), [dst, src] = back ? [slot, row] : [row, slot];
      task.call("copyGroups", { dst, src, groups, F: H, lddst: ld, ldsrc: ld, accumulate: Number(back) });
    }
  }

  /** The gradient of a layer's states. Neighboring layers use two buffers in turn. */
  #dLayer(layer: number): Tensor {
    return this.#dStates[layer % this.#dStates.length]!;
  }

  backward(task: TaskBuilder): void {
    const { T, groups } = this.#block, { numLayers } = this.#node.options, ld = this.#stride, all = T * groups;
    const live = this.#block.live();
    const { state } = this.outputs, dTop = this.#dLayer(numLayers - 1);
    if (state?.gradient) this.#copyFinal(task, dTop, state.gradient.into, true);
    const input = this.#input.gradient, accumulate = input?.claim() ?? 0;
    for (let l = numLayers - 1; l >= 0; l--) {
      const dStates = this.#dLayer(l);
      // The initial states' gradients are summed up from 0; what reads the layer wrote the other slots.
      for (const slot of [0, T + 1]) {
        task.call("clear", { dst: from(this.#slot(dStates, slot), 0, groups * ld), n: groups * ld });
      }
      const dInput = l > 0
        ? { dx: this.#slot(this.#dLayer(l - 1), 1), lddx: ld }
        : input
        ? { dx: input.into, lddx: input.stride }
        : undefined;
      let adds = l > 0 ? 0 : accumulate;
      if (dInput && live && !adds) {
        // What products leave alone, behind the longest row.
        task.call("clear", { dst: dInput.dx, n: all * dInput.lddx });
        adds = 1;
      }
      for (const direction of this.#layers[l]!) {
        this.#backwardCell(task, direction, dStates);
        if (!dInput) continue;
        const { input: { M, K, backward: panels }, reverse } = direction, dy = this.#gates[l]![Number(reverse)]!;
        const product = { ...dInput, dy, panels, M: K, K: M, groups: all, lddy: this.#gateStride };
        task.call("linearBackwardInput", { ...product, accumulate: reverse ? 1 : adds }, { groups: live });
      }
      const mask = this.#masks[l - 1];
      if (mask) {
        const dx = this.#slot(this.#dLayer(l - 1), 1), F = this.#D;
        task.call("dropoutApply", { y: dx, x: dx, mask, groups: all, F, ldy: ld, ldx: ld, ldm: ld }, { groups: live });
      }
    }
  }

  /** From the gradient of a direction's states to those of its gates, weights, biases and initial states. */
  #backwardCell(task: TaskBuilder, direction: Direction, dStates: Tensor): void {
    const { name, options: { hiddenSize: H } } = this.#node, { T, groups, rows, gradient } = this.#block;
    const { layer, reverse, input, hidden, biasIh, biasHh } = direction, d = Number(reverse), ld = this.#stride;
    const all = T * groups,
      live = this.#block.live(),
      transposed = this.#transposed,
      tensors = this.#tensors(direction, hidden.backward);
    const { gates, ldg } = tensors,
      recurrent = gatesFrom(gates, this.#cell.recurrent, H),
      { x, ldx } = this.#below(layer);
    const dCells = this.#cell.states.slice(1).map(() => this.#dCell);
    for (const dst of dCells) task.call("clear", { dst, n: dst.length });
    this.#cell.states.forEach(({ final }, s) => {
      const read = this.outputs[final]?.gradient;
      if (!read) return;
      const [dst, lddst] = s ? [this.#dCell, H * LANES] : [this.#slot(dStates, this.#lastSlot(reverse), d), ld];
      const args = { dst, src: this.#part(read.into, direction), groups, F: H, lddst, ldsrc: read.stride };
      task.call("copyGroups", { ...args, accumulate: 1 });
    });
    this.#cell.backward(task, tensors, [from(dStates, d * H * LANES), ...dCells], ld);
    const before = this.#slot(this.#states[layer]![0]!, reverse ? 2 : 0, d);
    const args = { lddy: ldg, transposed, groups: all, scratch: this.#scratch };
    task.call("transposeInput", { transposed, x, F: input.K, groups: all, ldx }, { groups: live });
    weightGradient(task, this.#block, input, { dy: gates, ...args }, live);
    task.call("transposeInput", { transposed, x: before, F: H, groups: all, ldx: ld }, { groups: live });
    weightGradient(task, this.#block, hidden, { dy: recurrent, ...args }, live);
    const { M } = input;
    for (const [offset, dy, rotate] of [[biasIh, gates, input.rotate], [biasHh, recurrent, 0]] as const) {
      if (offset === null) continue;
      const sum = { db: from(gradient, offset, M), dy, M, groups: all, lddy: ldg, rotate };
      task.call("linearBackwardBias", sum, { groups: live });
    }
    this.#cell.states.forEach(({ initial }, s) => {
      const wanted = this.#block.io(`${name}.${initial}.grad`);
      if (!wanted) return;
      const [src, ldsrc] = s ? [this.#dCell, H * LANES] : [this.#slot(dStates, this.#firstSlot(reverse), d), ld];
      task.call("rowsOut", { dst: this.#rows(wanted, direction), src, rows, F: H, lddst: H, ldsrc });
    });
  }
}
