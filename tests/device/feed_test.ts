import assert from "node:assert/strict";
import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";
import { assertClose, assertIdentical } from "../close.ts";
import { grouped, kernelTest, runCalls } from "./calls.ts";

const none = (length: number) => new Float32Array(length).fill(NaN);
const words = (data: Float32Array) => [...new Int32Array(data.buffer)];

kernelTest("a decoder is fed the likeliest tokens but two, where there is no teacher", async (device) => {
  for (const V of [4, 5, 300]) {
    const random = new Random(V, "data"), groups = 2, ldl = 8 * V + 16, lanes = 8 * groups;
    const logits = none(groups * ldl), rows = Array.from({ length: lanes }, () => normals(random, V));
    rows.forEach((row, i) => {
      // Equal numbers: the first of them; and the two that are never chosen lead.
      row.forEach((x, v) => row[v] = v === 0 || v === 2 ? 9 : Math.round(2 * x) / 2);
      row.forEach((x, v) => logits[(i >> 3) * ldl + 8 * v + (i & 7)] = x);
    });
    const teacher = Float32Array.from({ length: lanes }, (_, i) => Number(i % 3 === 0));
    const wanted = Int32Array.from({ length: lanes }, (_, i) => i % V);
    const { tokens, first } = await runCalls(device, { logits, teacher, tokens: wanted, first: wanted }, (task, t) => {
      const args = { groups, V, ldl, pad: 0, start: 2 };
      task.call("nextTokens", { tokens: t.tokens, logits: t.logits, teacher: t.teacher, ...args });
      task.call("nextTokens", { tokens: t.first, logits: null, teacher: null, ...args });
    });
    const best = (row: Float32Array) =>
      row.reduce((best, x, v) => v !== 0 && v !== 2 && (best < 0 || x > row[best]!) ? v : best, -1);
    assert.deepEqual(words(tokens), rows.map((row, i) => i % 3 ? best(row) : i % V), `${V} tokens`);
    assert.deepEqual(words(first), rows.map(() => 2));
  }
});

kernelTest("rows of tokens come out of their table, and their gradients back into it", async (device) => {
  const random = new Random(1, "data"), V = 6, E = 5, rows = 13, groups = 2, ld = 8 * E + 8;
  const table = normals(random, V * E), before = normals(random, V * E);
  const tokens = Int32Array.from({ length: 8 * groups }, () => random.below(V)), lengths = new Int32Array(rows).fill(1);
  lengths[3] = 0;
  const dy = Array.from({ length: rows }, () => normals(random, E)), dx = grouped([dy], { F: E, ld, rest: 7 });
  const found = await runCalls(
    device,
    { table, tokens, lengths, mask: none(8 * groups), dst: none(groups * ld), dx, dTable: before },
    (task, { table, tokens, lengths, mask, dst, dx, dTable }) => {
      task.call("activeLanes", { mask, lengths, T: 1, rows });
      task.call("gatherRows", { dst, table, tokens, mask, groups, E, lddst: ld });
      task.call("scatterRows", { dTable, dx, tokens, mask, groups, E, lddx: ld });
    },
  );
  const sums = before.slice();
  for (let i = 0; i < 8 * groups; i++) {
    const on = i < rows && i !== 3, token = tokens[i]!;
    for (let e = 0; e < E; e++) {
      assert.equal(found.dst[(i >> 3) * ld + 8 * e + (i & 7)], on ? table[token * E + e] : 0, `lane ${i}`);
      if (on) sums[token * E + e]! += dy[i]![e]!;
    }
  }
  assertIdentical(found.dTable, sums, "table's gradient");
});

kernelTest("lanes are replaced where they are not kept", async (device) => {
  const random = new Random(2, "data"), F = 3, groups = 2, lddst = 8 * F + 8, ldsrc = 8 * F;
  const dst = normals(random, groups * lddst), src = normals(random, groups * ldsrc);
  const keep = Float32Array.from({ length: 8 * groups }, (_, i) => i % 2);
  const found = await runCalls(device, { dst, more: dst, src, keep }, (task, { dst, more, src, keep }) => {
    const args = { src, keep, groups, F, lddst, ldsrc };
    task.call("replaceLanes", { dst, ...args, accumulate: 0 });
    task.call("replaceLanes", { dst: more, ...args, accumulate: 1 });
  });
  dst.forEach((old, at) => {
    const g = Math.floor(at / lddst), e = at % lddst, kept = e >= 8 * F || e % 2, x = src[g * ldsrc + e]!;
    assert.equal(found.dst[at], kept ? old : x, `number ${at}`);
    assert.equal(found.more[at], kept ? old : Math.fround(old + x), `number ${at}, added`);
  });
});

kernelTest("weights of every step leave without those behind a length", async (device) => {
  const random = new Random(3, "data"), U = 3, T = 2, rows = 11, src = normals(random, U * T * 16);
  const lengths = Int32Array.from({ length: rows }, (_, r) => 1 + r % U);
  const { dst } = await runCalls(device, { dst: none(rows * U * T), src, lengths }, (task, { dst, src, lengths }) => {
    task.call("alignmentOut", { dst, src, lengths, U, T, rows });
  });
  dst.forEach((x, i) => {
    const r = Math.floor(i / U / T), u = Math.floor(i / T) % U, t = i % T;
    assert.equal(x, u < lengths[r]! ? src[(u * T + t) * 16 + r] : 0, `row ${r}, step ${u} to ${t}`);
  });
});

kernelTest("keys that are asked twice give what fresh ones give, and add up their gradients", async (device) => {
  const sizes = [[1, 3, 1, 1, true], [5, 13, 7, 3, true], [5, 13, 7, 3, false], [9, 8, 4, 13, true]] as const;
  for (const [T, rows, D, A, keeps] of sizes) {
    const random = new Random(10 * T + A, "data"), groups = Math.ceil(rows / 8), all = T * groups;
    const [lda, lde, ldc, ldq] = [8 * A + 8, 8 * D + 16, 8 * D + 8, 8 * A + 16] as const;
    const keys = normals(random, all * lda),
      encoded = normals(random, all * lde),
      query = normals(random, groups * ldq);
    const lengths = Int32Array.from({ length: rows }, () => 1 + random.below(T)), v = normals(random, A);
    const before = { dEncoded: normals(random, all * lde), dKeys: normals(random, all * lda) };
    const found = await runCalls(device, {
      lengths,
      mask: none(all * 8),
      keys,
      fresh: keys,
      encoded,
      query,
      v,
      context: none(groups * ldc),
      weights: none(all * 8),
      context2: none(groups * ldc),
      weights2: none(all * 8),
      hidden: none(all * lda),
      dContext: normals(random, groups * ldc),
      scores: none(all * 8),
      dEncoded: none(all * lde),
      dQuery: none(groups * ldq),
      dv: none(A),
      dvLanes: none(4 * A),
      scores2: none(all * 8),
      dEncoded2: before.dEncoded,
      dKeys2: before.dKeys,
      dQuery2: none(groups * ldq),
      dvLanes2: new Float32Array(8 * A),
    }, (task, t) => {
      const sizes = { T, groups, D, A, ldc, lda, lde, ldq }, { mask, encoded, query, v, dContext } = t;
      task.call("activeLanes", { mask, lengths: t.lengths, T, rows });
      const common = { encoded, query, v, mask, ...sizes };
      task.call("attentionForward", { context: t.context, weights: t.weights, hidden: t.fresh, ...common });
      const asked = { context: t.context2, weights: t.weights2, hidden: t.hidden, keys: t.keys };
      // Hidden is kept for the way back, or computed anew.
      const ldh = keeps ? lda : 0;
      task.call("attentionAsk", { ...asked, ...common, ldh });
      const { query: _q, mask: _m, ...back } = { ...common, dContext, ldde: lde };
      const first = { dEncoded: t.dEncoded, dQuery: t.dQuery, dv: t.dv, dScores: t.scores, dvLanes: t.dvLanes };
      task.call("attentionBackward", { ...first, hidden: t.fresh, weights: t.weights, ...back });
      const second = {
        dEncoded: t.dEncoded2,
        dQuery: t.dQuery2,
        dvLanes: t.dvLanes2,
        dScores: t.scores2,
        dKeys: t.dKeys2,
      };
      const kept = { hidden: t.hidden, keys: t.keys, query, weights: t.weights2 };
      task.call("attentionAskBackward", { ...second, ...kept, ...back, ldh });
    });
    /** The numbers of groups of F features, without what is between them. */
    const inside = (data: Float32Array, F: number, ld: number) => data.filter((_, i) => i % ld < 8 * F);
    const close = (a: Float32Array, b: Float32Array, about: string) =>
      assertClose(a, b, 4e-6 * A * T, `${about}, ${[T, rows, D, A]}`);
    close(found.weights2, found.weights, "weights");
    close(inside(found.context2, D, ldc), inside(found.context, D, ldc), "context");
    close(inside(found.dQuery2, A, ldq), inside(found.dQuery, A, ldq), "dQuery");
    const plus = (a: Float32Array, b: Float32Array) => a.map((x, i) => x + b[i]!);
    close(inside(found.dEncoded2, D, lde), inside(plus(before.dEncoded, found.dEncoded), D, lde), "dEncoded");
    // What was hidden is the keys' gradient.
    close(inside(found.dKeys2, A, lda), inside(plus(before.dKeys, found.fresh), A, lda), "dKeys");
    const sums = Float32Array.from(
      { length: A },
      (_, a) => found.dvLanes2.subarray(8 * a, 8 * a + 8).reduce((x, y) => x + y),
    );
    close(sums, found.dv, "dv");
  }
});
