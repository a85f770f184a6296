import assert from "node:assert/strict";
import { formatConfusion, formatMetrics, pickByError, pickExamples } from "../../mod.ts";
import { linearAxis, logAxis, percent, short, spread, thin } from "../../core/report/scale.ts";
import { cutTo, pad, widthOf } from "../../core/report/text.ts";

Deno.test("widthOf() counts a terminal's columns", () => {
  const widths: [text: string, width: number][] = [
    ["", 0],
    ["abc", 3],
    ["größe", 5],
    ["größe".normalize("NFD"), 5],
    ["日本語", 6],
    ["한국어", 6],
    ["한국어".normalize("NFD"), 6],
    ["Ελλάδα", 6],
    ["👍🏽", 2],
    ["👩‍👩‍👧", 2],
    ["❤️", 2],
    ["a\u200bb", 2],
    ["ｆｕｌｌ", 8],
    ["\x1b[36m⠤⠤\x1b[39m", 2],
  ];
  for (const [text, width] of widths) assert.equal(widthOf(text), width, JSON.stringify(text));
});

Deno.test("cutTo() and pad() keep to columns, and cut no character in two", () => {
  assert.equal(cutTo("日本語", 6), "日本語");
  assert.equal(cutTo("日本語", 5), "日本…");
  assert.equal(cutTo("日本語", 4), "日…");
  assert.equal(cutTo("👩‍👩‍👧👍🏽x", 3), "👩‍👩‍👧…");
  assert.equal(pad("日本", 6), "日本  ");
  assert.equal(pad("日本", 6, true), "  日本");
});

Deno.test("formatMetrics() aligns classes, whatever their names", () => {
  const scores = { precision: 0.5, recall: 1, f1: 2 / 3 };
  const metrics = {
    kind: "classification",
    accuracy: 0.5,
    balancedAccuracy: 0.5,
    macroF1: 0.5,
    confusion: [],
    perClass: [
      { label: "日本語", ...scores, support: 12 },
      { label: "a name that is much longer than others", ...scores, support: 1204 },
      { label: "\x1b[2J", precision: 0, recall: 0, f1: 0, support: 0 },
    ],
  } as const;
  assert.equal(
    formatMetrics(metrics),
    [
      "class                     precision  recall     F1  sequences",
      "日本語                        50.0%    100%  66.7%         12",
      "a name that is much lon…      50.0%    100%  66.7%      1,204",
      "�[2J                             0%      0%     0%          0",
    ].join("\n"),
  );
  for (const line of formatMetrics(metrics, { columns: 50 }).split("\n")) assert.ok(widthOf(line) <= 50, line);
});

Deno.test("formatMetrics() shows labels, and numbers beside their baseline", () => {
  const label = { label: "rain", precision: 0.5, recall: 1, f1: 2 / 3, accuracy: 0.75, support: 3 };
  assert.equal(
    formatMetrics({
      kind: "multilabel",
      subsetAccuracy: 0,
      labelAccuracy: 0,
      macroF1: 0,
      microF1: 0,
      perLabel: [label],
    }),
    "label  precision  recall     F1  accuracy  sequences\nrain       50.0%    100%  66.7%     75.0%          3",
  );
  const errors = { mse: 306.6, rmse: 17.51, mae: 13.74, r2: 0.9512 };
  assert.equal(
    formatMetrics({ kind: "regression", ...errors, persistence: { mse: 2308, rmse: 48.04, mae: 40.1, r2: -0.5 } }),
    [
      "               MSE   RMSE    MAE      R²",
      "model        306.6  17.51  13.74  0.9512",
      "persistence  2,308  48.04   40.1    −0.5",
    ].join("\n"),
  );
  assert.equal(formatMetrics({ kind: "regression", ...errors }).split("\n").length, 2);
});

Deno.test("formatConfusion() numbers columns that do not fit by name, then puts classes together", () => {
  const labels = ["Arabic", "Chinese", "Czech", "Dutch"];
  const counts = [[40, 1, 0, 0], [0, 20, 0, 1], [0, 0, 3, 0], [2, 0, 0, 2]];
  assert.equal(
    formatConfusion({ labels, counts }, { columns: 60 }),
    [
      "true \\ predicted  Arabic  Chinese  Czech  Dutch  recall",
      "Arabic                40        1      ·      ·   97.6%",
      "Chinese                ·       20      ·      1   95.2%",
      "Czech                  ·        ·      3      ·    100%",
      "Dutch                  2        ·      ·      2   50.0%",
    ].join("\n"),
  );
  assert.equal(
    formatConfusion({ labels, counts }, { columns: 40 }),
    [
      "true \\ predicted   1   2  3  4  recall",
      "1 Arabic          40   1  ·  ·   97.6%",
      "2 Chinese          ·  20  ·  1   95.2%",
      "3 Czech            ·   ·  3  ·    100%",
      "4 Dutch            2   ·  ·  2   50.0%",
    ].join("\n"),
  );
  assert.equal(
    formatConfusion({ labels, counts }, { columns: 36 }),
    [
      "true \\ predicted   1   2  3  recall",
      "1 Arabic          40   1  ·   97.6%",
      "2 Chinese          ·  20  1   95.2%",
      "3 2 others         2   ·  5       –",
    ].join("\n"),
  );
  assert.throws(
    () => formatConfusion({ labels, counts: [[1]] }),
    /^RangeError: Cannot format confusion matrix: .*\(4, 4\)/,
  );
});

Deno.test("pickExamples() takes right and wrong ones, classes in turn, sure errors first", () => {
  const truth = ["a", "a", "a", "b", "b", "c", "c", "a"], predicted = ["a", "a", "b", "b", "a", "c", "a", "c"];
  assert.deepEqual(pickExamples(truth, predicted, { count: 6 }), [0, 3, 5, 2, 4, 6]);
  assert.deepEqual(pickExamples(truth, predicted, { count: 4, wrong: 1 }), [0, 3, 5, 2]);
  const confidence = [1, 1, 0.5, 1, 0.6, 1, 0.9, 0.8];
  assert.deepEqual(pickExamples(truth, predicted, { count: 6, confidence }), [0, 3, 5, 6, 7, 4]);
  // As many as there are: the others make up for those that are missing.
  assert.deepEqual(pickExamples([0, 0, 0, 0], [0, 0, 0, 1], { count: 4 }), [0, 1, 2, 3]);
  assert.deepEqual(pickExamples([0, 0, 0], [1, 1, 1], { count: 2 }), [0, 1]);
  assert.deepEqual(pickExamples([], [], { count: 2 }), []);
  assert.throws(() => pickExamples([0], [0, 1]), /^RangeError: Cannot pick examples: predicted .* got 2 for 1$/);
  assert.throws(() => pickExamples([0], [0], { count: -1 }), /count must be an integer from 0, got -1$/);
});

Deno.test("pickByError() goes from the best to the worst", () => {
  assert.deepEqual(pickByError([3, 1, 2, 5, 4], 3), [1, 0, 3]);
  assert.deepEqual(pickByError([3, 1], 5), [1, 0]);
  assert.deepEqual(pickByError([1, 1, 1], 2), [0, 2]);
  assert.throws(() => pickByError([], 0.5), RangeError);
});

Deno.test("axes name round numbers within their range", () => {
  const texts = (axis: { ticks: readonly { text: string }[] }) => axis.ticks.map(({ text }) => text);
  assert.deepEqual(texts(linearAxis([0, 1], [0, 100], 5)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
  assert.deepEqual(texts(linearAxis([-3, 12], [0, 100], 4)), ["0", "5", "10"]);
  assert.deepEqual(texts(linearAxis([-0.002, 0.001], [0, 1], 3)), ["−0.002", "−0.001", "0.000", "0.001"]);
  assert.deepEqual(texts(linearAxis([1, 3], [0, 1], 9, true)), ["1", "2", "3"]);
  assert.deepEqual(texts(linearAxis([0, 3e8], [0, 1], 3)), ["0", "1e8", "2e8", "3e8"]);
  assert.deepEqual(texts(linearAxis([7, 7], [0, 100], 5)), ["7"]);
  assert.equal(linearAxis([7, 7], [0, 100], 5).at(7), 50);
  assert.equal(linearAxis([0, 4], [10, 30], 5).at(1), 15);
  assert.deepEqual(texts(logAxis([0.03, 2.5], [0, 1], 5)), ["0.05", "0.1", "0.2", "0.5", "1", "2"]);
  assert.deepEqual(texts(logAxis([1e-9, 1], [0, 1], 4)), ["1e−9", "1e−6", "0.001", "1"]);
  assert.equal(logAxis([1, 100], [0, 10], 5).at(10), 5);
});

Deno.test("short() and percent() write numbers to be read", () => {
  const numbers: [value: number, text: string][] = [
    [0, "0"],
    [0.23144, "0.2314"],
    [12.345, "12.35"],
    [1204.4, "1,204"],
    [-3.5, "−3.5"],
    [1.204e-7, "1.2e−7"],
    [1e-5, "1e−5"],
    [2.5e9, "2.5e9"],
    [NaN, "–"],
  ];
  for (const [value, text] of numbers) assert.equal(short(value), text);
  assert.deepEqual([0, 1, 0.5, 0.9999, 0.0001, NaN].map(percent), ["0%", "100%", "50.0%", "99.99%", "0.01%", "–"]);
});

Deno.test("thin() keeps the ends and every part's extremes", () => {
  const values = Array.from({ length: 1000 }, (_, i) => i === 333 ? 9 : i === 777 ? -9 : Math.sin(i));
  const places = thin(values, 20);
  for (const place of [0, 333, 777, 999]) assert.ok(places.includes(place), String(place));
  assert.ok(places.length <= 22);
  assert.deepEqual(places, [...places].sort((a, b) => a - b));
  assert.deepEqual(thin([1, 2], 4), [0, 1]);
  assert.deepEqual(spread(10, 4), [0, 3, 6, 9]);
  assert.deepEqual(spread(2, 4), [0, 1]);
  assert.deepEqual(spread(5, 1), [0]);
});
