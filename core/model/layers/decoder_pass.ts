import { from } from "../../device/arena.ts";
import type { TaskBuilder } from "../../device/device.ts";
import { LANES, type Tensor } from "../../device/kernels.ts";
import { fail } from "../../errors.ts";
import type { Weight } from "../parameters.ts";
import { gatesFrom } from "./cells.ts";
import { type At, DecoderMemory, type Mask } from "./decoder_memory.ts";
import { PAD, START } from "./decoder_options.ts";
import type { Affine } from "./decoder_weights.ts";
import { Gradient, type Pass, weightGradient } from "./layer.ts";

/** A decoder over a block: what it does in the memory that it has. Forward and backward stand side by side. */
export class DecoderPass extends DecoderMemory implements Pass {
  forward(task: TaskBuilder): void {
    const { name } = this.node, { T: U, groups, rows, row0, lengths, mask } = this.block;
    const { O } = this.sizes;
    if (!this.inputs.answers) this.#answer(task);
    this.#initial(task, false);
    this.#targets(task);
    if (this.teacher) {
      const src = from(this.block.io(`${name}.teacher`)!, row0 * U);
      task.call("sequencesIn", { dst: this.teacher, src, lengths, T: U, rows, F: 1, lddst: LANES });
    }
    for (const mask of [this.targetMask, this.readoutMask, ...this.layerMasks]) if (mask) this.#draw(task, mask);
    if (!this.teacher) this.#feed(task, 0, U);
    for (let u = 0; u < U; u++) {
      if (this.teacher) {
        if (u) this.#choose(task, u);
        this.#feed(task, u, 1);
      }
      this.#step(task, u);
      if (this.teacher) this.#readout(task, u, 1);
    }
    if (!this.teacher) this.#readout(task, 0, U);
    this.#allStates(task, false);
    task.call("maskLanes", { x: this.output.data, mask, groups: U * groups, F: O, ldx: this.output.ld });
  }

  /** What the attention makes of the keys. */
  #answer(task: TaskBuilder): void {
    const { answers } = this.weights, { keys } = this.inputs, { A, D } = this.sizes, { T: S } = this.source;
    const product = { y: this.keys, x: keys!.data, panels: answers.forward, bias: null, M: A, K: D };
    const args = { ...product, groups: S * this.block.groups, ldy: this.lda, ldx: keys!.stride };
    task.call("linearForward", args, { groups: this.source.live() });
  }

  /** The states before the first step from where they come from, or their gradients back there. */
  #initial(task: TaskBuilder, back: boolean): void {
    const { groups } = this.block, { H } = this.sizes, { state, cell } = this.inputs;
    [state, cell].slice(0, this.cell.states.length).forEach((given, s) => {
      const accumulate = back ? given?.gradient?.claim() ?? 0 : 0, tensor = back ? given?.gradient?.into : given?.data;
      this.states.forEach((states, l) => {
        const dense = { data: this.dCells[l]!, ld: H * LANES };
        const { data, ld } = !back ? this.at(states[s]!, 0) : s ? dense : this.at(this.dStates[l]!, 0);
        if (!back && !tensor) task.call("clear", { dst: data, n: groups * ld });
        if (!tensor) return;
        const there = from(tensor, l * H * LANES), [dst, src] = back ? [there, data] : [data, there];
        const [lddst, ldsrc] = back ? [given!.stride, ld] : [ld, given!.stride];
        task.call("copyGroups", { dst, src, groups, F: H, lddst, ldsrc, accumulate });
      });
    });
  }

  /** What it is fed where it is fed what was wanted: of the step before. */
  #targets(task: TaskBuilder): void {
    const { T: U, groups, rows, lengths } = this.block, { O, tokens } = this.sizes, { targets, start } = this.inputs;
    // The first step that is fed a target: of the step before, or of its own.
    const first = Number(this.node.options.shift);
    if (tokens) {
      // A slot more than steps where the last target is not fed.
      const dst = from(this.tokens, first * groups * LANES),
        none = { tokens: this.tokens, logits: null, teacher: null };
      if (first) task.call("nextTokens", { ...none, groups, V: O, ldl: O * LANES, pad: PAD, start: START });
      task.call("classesIn", { dst, src: targets!.data, lengths, T: U, rows });
      return;
    }
    const copy = (u: number, src: Tensor, ldsrc: number, n: number) => {
      const { data: dst, ld: lddst } = this.fed(u), args = { F: O, lddst, ldsrc, accumulate: 0 };
      if (n) task.call("copyGroups", { dst, src, groups: n * groups, ...args });
    };
    if (start) copy(0, start.data, start.stride, 1);
    copy(first, targets!.data, targets!.stride, U - first);
  }

  /** All layers' states after every step side by side, or their gradients of step `u` to where they belong. */
  #allStates(task: TaskBuilder, back: boolean, u = 0): void {
    const value = this.outputs.states, { H } = this.sizes, { T, groups: each } = this.block, L = this.states.length;
    const side = back ? value?.gradient?.into : value?.data;
    if (!value || !side) return;
    this.states.forEach((states, l) =>
      states.forEach((own, s) => {
        const there = from(side, u * each * value.stride + (s * L + l) * H * LANES), groups = back ? each : T * each;
        const dense = { data: this.dCells[l]!, ld: H * LANES };
        const here = !back ? this.at(own, 1) : s ? dense : this.at(this.dStates[l]!, u + 1);
        const [dst, src] = back ? [here.data, there] : [there, here.data];
        const [lddst, ldsrc] = back ? [here.ld, value.stride] : [value.stride, here.ld];
        task.call("copyGroups", { dst, src, groups, F: H, lddst, ldsrc, accumulate: Number(back) });
      })
    );
  }

  #draw(task: TaskBuilder, { name, data: mask, ld, stream, F, p }: Mask): void {
    const { T, groups, rows, row0, lengths, control, words, dropout } = this.block;
    if (dropout === "random") {
      task.call("dropoutMask", { mask, words, control, T, groups, row0, F, ldm: ld, stream, p });
    } else {
      const src = from(this.block.io(`${this.node.name}.${name}`)!, row0 * T * F);
      task.call("sequencesIn", { dst: mask, src, lengths, T, rows, F, lddst: ld });
    }
  }

  /** Feeds step `u` its own output of the step before, where there is no teacher. */
  #choose(task: TaskBuilder, u: number): void {
    const { groups } = this.block, { O, tokens } = this.sizes, said = this.at(this.output, u - 1);
    const teacher = from(this.teacher!, u * groups * LANES);
    if (tokens) {
      const own = { tokens: from(this.tokens, u * groups * LANES), logits: said.data, ldl: said.ld, teacher };
      task.call("nextTokens", { ...own, groups, V: O, pad: PAD, start: START }, this.live(u, 1));
      return;
    }
    const { data: dst, ld: lddst } = this.fed(u), args = { groups, F: O, lddst, ldsrc: said.ld, accumulate: 0 };
    task.call("replaceLanes", { dst, src: said.data, keep: teacher, ...args }, this.live(u, 1));
    // A sequence that has ended would go on, to numbers without bounds, which times 0 are none.
    const mask = from(this.block.mask, u * groups * LANES);
    task.call("maskLanes", { x: dst, mask, groups, F: O, ldx: lddst });
  }

  /** What `n` steps from `u` on are fed, and its part of the gates. */
  #feed(task: TaskBuilder, u: number, n: number): void {
    const { groups, mask } = this.block,
      { E } = this.sizes,
      { table, cells: [first] } = this.weights,
      fed = this.fed(u);
    const place = u * groups * LANES;
    if (table) {
      const args = { dst: fed.data, table, tokens: from(this.tokens, place), mask: from(mask, place) };
      task.call("gatherRows", { ...args, groups: n * groups, E, lddst: fed.ld }, this.live(u, n));
    }
    if (this.targetMask) this.drop(task, this.targetMask, fed, fed, u, n);
    this.product(task, this.at(this.gates[0]!, u), fed, first!.input, [u, n], first!.bias);
  }

  /** Asks the keys with the state before step `u`, and takes the step. */
  #step(task: TaskBuilder, u: number): void {
    const { groups } = this.block, { T: S, mask } = this.source, { A, D } = this.sizes, { keys } = this.inputs;
    const { asks, context, cells, v } = this.weights, query = this.at(this.queries, u), found = this.context(u);
    const { data: hidden, ld: ldh } = this.hiddenOf(u);
    this.product(task, query, this.at(this.read, u), asks.weight, [u, 1], asks.bias);
    task.call("attentionAsk", {
      context: found.data,
      weights: this.weightsOf(u),
      hidden,
      keys: this.keys,
      encoded: keys!.data,
      query: query.data,
      v,
      mask,
      T: S,
      groups,
      D,
      A,
      ldc: found.ld,
      lda: this.lda,
      lde: keys!.stride,
      ldq: query.ld,
      ldh,
    }, { ...this.live(u, 1), T: this.source.live() });
    this.product(task, this.at(this.gates[0]!, u), found, context, [u, 1], null, true);
    cells.forEach(({ input, hidden, bias }, l) => {
      const below = this.at(this.below[l]!, u), mask = this.layerMasks[l];
      if (mask) this.drop(task, mask, below, this.at(this.states[l - 1]![0]!, u + 1), u, 1);
      if (l) this.product(task, this.at(this.gates[l]!, u), below, input, [u, 1], bias);
      this.cell.forward(task, this.tensors(l, u, hidden.forward));
    });
  }

  /** What it says at `n` steps from `u` on. */
  #readout(task: TaskBuilder, u: number, n: number): void {
    const { projection, fc } = this.weights, x = this.at(this.dropped, u), y = this.at(this.output, u);
    if (this.readoutMask) this.drop(task, this.readoutMask, x, this.at(this.read, u + 1), u, n);
    if (!projection) return this.product(task, y, x, fc.weight, [u, n], fc.bias);
    const { data, ld } = this.at(this.projected, u), groups = n * this.block.groups;
    this.product(task, { data, ld }, x, projection.weight, [u, n], projection.bias);
    const args = { groups, F: projection.weight.M, ldy: ld, ldx: ld, which: TANH };
    task.call("elementwiseForward", { y: data, x: data, ...args }, this.live(u, n));
    this.product(task, y, { data, ld }, fc.weight, [u, n], fc.bias);
  }

  backward(task: TaskBuilder): void {
    if (this.inputs.answers) {
      const { name } = this.node, problem = `layer "${name}": with its input "answers" it is not trained`;
      throw fail("wiring", "run model", problem, { name });
    }
    const { T: U, groups } = this.block, { keys, start } = this.inputs, { O } = this.sizes, S = this.source.T;
    const clear = (dst: Tensor, n = dst.length) => n && task.call("clear", { dst, n });
    for (const { data } of this.dStates) clear(data);
    for (const tensor of [...this.dCells, this.dKeys, this.dv]) clear(tensor);
    const beside = () => new Gradient(this.block.scratch.allocate(S * groups * keys!.stride), keys!.stride);
    const dEncoded = keys!.gradient ?? beside(), feeds = this.feedsNumbers;
    if (!dEncoded.claim()) clear(dEncoded.into, S * groups * dEncoded.stride);
    if (!feeds) this.#readoutBackward(task, 0, U);
    for (let u = U - 1; u >= 0; u--) {
      if (feeds) this.#readoutBackward(task, u, 1);
      this.#stepBackward(task, u, dEncoded);
      if (!feeds) continue;
      this.#feedBackward(task, u, 1);
      if (u) this.#chooseBackward(task, u);
    }
    if (!feeds) this.#feedBackward(task, 0, U);
    if (start?.gradient) {
      const { into: dst, stride: lddst } = start.gradient, { data: src, ld: ldsrc } = this.fed(0, this.dRead);
      task.call("copyGroups", { dst, src, groups, F: O, lddst, ldsrc, accumulate: start.gradient.claim() });
    }
    this.#initial(task, true);
    this.#weightGradients(task);
    if (!keys!.gradient) return;
    const { answers: { backward: panels, M: K, K: M } } = this.weights, { into: dx, stride: lddx } = dEncoded;
    const product = { panels, M, K, groups: S * groups, lddx, lddy: this.lda, accumulate: 1 };
    task.call("linearBackwardInput", { dx, dy: this.dKeys, ...product }, { groups: this.source.live() });
  }

  /** #choose backwards: what it was fed of its own is a part of what it said. */
  #chooseBackward(task: TaskBuilder, u: number): void {
    const { groups } = this.block, { data: dst, ld: lddst } = this.at(this.dOutput, u - 1);
    const { data: src, ld: ldsrc } = this.fed(u, this.dRead), keep = from(this.teacher!, u * groups * LANES);
    task.call(
      "replaceLanes",
      { dst, src, keep, groups, F: this.sizes.O, lddst, ldsrc, accumulate: 1 },
      this.live(u, 1),
    );
  }

  /** #feed backwards, but for the rows of tokens. */
  #feedBackward(task: TaskBuilder, u: number, n: number): void {
    if (!this.sizes.tokens && !this.inputs.start!.gradient && !this.feedsNumbers) return;
    const dFed = this.fed(u, this.dRead);
    this.back(task, dFed, this.at(this.gates[0]!, u), this.weights.cells[0]!.input, [u, n], 1);
    if (this.targetMask) this.drop(task, this.targetMask, dFed, dFed, u, n);
  }

  #readoutBackward(task: TaskBuilder, u: number, n: number): void {
    const { projection, fc } = this.weights,
      { H, D } = this.sizes,
      mask = this.readoutMask,
      groups = n * this.block.groups;
    const dRead = this.at(this.dRead, u + 1), dx = mask ? this.at(this.dDropped, u) : dRead, add = mask ? 0 : 1;
    let dy = this.at(this.dOutput, u), weight = fc.weight;
    if (projection) {
      const { data, ld } = this.at(this.dProjected, u), y = this.at(this.projected, u);
      this.back(task, { data, ld }, dy, weight, [u, n], 0);
      const args = { groups, F: projection.weight.M, lddx: ld, lddy: ld, ldy: y.ld, which: TANH, accumulate: 0 };
      task.call("elementwiseBackward", { dx: data, dy: data, y: y.data, ...args }, this.live(u, n));
      dy = { data, ld }, weight = projection.weight;
    }
    this.back(task, dx, dy, weight, [u, n], add);
    if (mask) this.#dropBackward(task, mask, dRead, dx, u, n);
    for (const [port, F, skip] of [["state", H, 0], ["context", D, H]] as const) {
      const { gradient } = this.outputs[port]!;
      if (!gradient) continue;
      const src = from(gradient.into, u * this.block.groups * gradient.stride),
        dst = this.at(this.dRead, u + 1, skip);
      const strides = { lddst: dst.ld, ldsrc: gradient.stride };
      task.call("copyGroups", { dst: dst.data, src, groups, F, ...strides, accumulate: 1 });
    }
  }

  /** Adds what a mask lets through of a gradient, over `n` steps from `u` on. */
  #dropBackward(task: TaskBuilder, mask: Mask, y: At, x: At, u: number, n: number): void {
    const { data, ld: ldm } = this.at(mask, u), groups = n * this.block.groups;
    const args = { groups, F: mask.F, ldy: y.ld, ldx: x.ld, ldm };
    task.call("dropoutAccumulate", { y: y.data, x: x.data, mask: data, ...args }, this.live(u, n));
  }

  #stepBackward(task: TaskBuilder, u: number, { into: dEncoded, stride: ldde }: Gradient): void {
    const { cells, context, asks, v } = this.weights, { groups } = this.block, { A, D } = this.sizes;
    const { keys } = this.inputs, dContext = this.context(u, this.dRead);
    this.#allStates(task, true, u);
    for (let l = cells.length - 1; l >= 0; l--) {
      const { input, hidden } = cells[l]!,
        { data, ld } = this.at(this.dStates[l]!, u),
        gates = this.at(this.gates[l]!, u);
      this.cell.backward(task, this.tensors(l, u, hidden.backward), [data, this.dCells[l]!], ld);
      const dBelow = this.at(this.dBelow[l]!, u), mask = this.layerMasks[l];
      if (l) this.back(task, dBelow, gates, input, [u, 1], mask ? 0 : 1);
      if (mask) this.#dropBackward(task, mask, this.at(this.dStates[l - 1]!, u + 1), dBelow, u, 1);
      if (!l) this.back(task, dContext, gates, context, [u, 1], 1);
    }
    const query = this.at(this.queries, u), dQuery = this.at(this.dQueries, u);
    const { data: hidden, ld: ldh } = this.hiddenOf(u);
    task.call("attentionAskBackward", {
      dQuery: dQuery.data,
      dScores: this.scores,
      hidden,
      dEncoded,
      dKeys: this.dKeys,
      dvLanes: this.dv,
      dContext: dContext.data,
      weights: this.weightsOf(u),
      encoded: keys!.data,
      keys: this.keys,
      query: query.data,
      v,
      T: this.source.T,
      groups,
      D,
      A,
      ldde,
      ldq: query.ld,
      ldc: dContext.ld,
      lda: this.lda,
      lde: keys!.stride,
      ldh,
    }, { ...this.live(u, 1), T: this.source.live() });
    this.back(task, this.at(this.dRead, u), dQuery, asks.weight, [u, 1], 1);
  }

  /** The gradients of all weights, over all steps at once. */
  #weightGradients(task: TaskBuilder): void {
    const { groups, T: U, gradient, mask } = this.block, { A, O, E, tokens } = this.sizes, all = U * groups;
    const { cells, context, asks, answers, projection, fc, vOffset, tableOffset } = this.weights,
      { keys } = this.inputs;
    const weights = (x: At, pairs: readonly (readonly [Weight, At])[], n = all, live = this.live()) => {
      const transposed = this.transposed, scratch = this.scratch;
      task.call("transposeInput", { transposed, x: x.data, F: pairs[0]![0].K, groups: n, ldx: x.ld }, live);
      for (const [weight, { data: dy, ld: lddy }] of pairs) {
        weightGradient(task, this.block, weight, { dy, lddy, transposed, groups: n, scratch }, live.groups);
      }
    };
    const bias = (offset: number | null, { data: dy, ld: lddy }: At, M: number, rotate = 0) => {
      if (offset === null) return;
      task.call("linearBackwardBias", { db: from(gradient, offset, M), dy, M, groups: all, lddy, rotate }, this.live());
    };
    const affine = ({ weight, biasOffset }: Affine, dy: At, x: At) => {
      weights(x, [[weight, dy]]);
      bias(biasOffset, dy, weight.M);
    };
    const dropped = this.at(this.dropped, 0), dOutput = this.at(this.dOutput, 0);
    if (projection) affine(projection, this.at(this.dProjected, 0), dropped);
    affine(fc, dOutput, projection ? this.at(this.projected, 0) : dropped);
    cells.forEach(({ input, hidden, biasIh, biasHh }, l) => {
      const { data, ld } = this.at(this.gates[l]!, 0), gates = { data, ld };
      const recurrent = { data: gatesFrom(data, this.cell.recurrent, this.sizes.H), ld };
      weights(l ? this.at(this.below[l]!, 0) : this.fed(0), [[input, gates]]);
      if (!l) weights(this.context(0), [[context, gates]]);
      const asked = [asks.weight, this.at(this.dQueries, 0)] as const, top = l === cells.length - 1;
      weights(this.at(this.states[l]![0]!, 0), [[hidden, recurrent], ...top ? [asked] : []]);
      bias(biasIh, gates, input.M, input.rotate);
      bias(biasHh, recurrent, hidden.M);
    });
    bias(asks.biasOffset, this.at(this.dQueries, 0), A);
    const encoded = { data: keys!.data, ld: keys!.stride }, dKeys = { data: this.dKeys, ld: this.lda };
    weights(encoded, [[answers, dKeys]], this.source.T * groups, { groups: this.source.live() });
    const dv = { db: from(gradient, vOffset, A), dy: this.dv, lddy: A * LANES };
    task.call("linearBackwardBias", { ...dv, M: A, groups: 1, rotate: 0 });
    if (!tokens) return;
    const dTable = from(gradient, tableOffset, O * E), { data: dx, ld: lddx } = this.fed(0, this.dRead);
    // Tied, it holds the readout's gradient already.
    if (!projection) task.call("clear", { dst: dTable, n: O * E });
    task.call("scatterRows", { dTable, dx, tokens: this.tokens, mask, groups: all, E, lddx }, this.live());
  }
}

/** tanh, as core/kernels/elementwise.ts numbers it. */
const TANH = 0;
