import assert from "node:assert/strict";
import { htmlReport, type RunReport } from "../../mod.ts";
import { columnsOf, strongest } from "../../core/report/attention.ts";
import { fewer } from "../../core/report/classes.ts";
import { SHADES, STYLE, STYLE_HASH } from "../../core/report/style.ts";

const HISTORY = Array.from({ length: 12 }, (_, i) => ({
  epoch: i + 1,
  trainLoss: 2 * 0.6 ** i,
  trainAccuracy: 0.4 + i / 20,
  validationLoss: 1 + (i - 6) ** 2 / 100,
  validationAccuracy: 0.5 + i / 30,
}));

const RIGHT = { kind: "classification", accuracy: 1, balancedAccuracy: 1, macroF1: 1 } as const;

/** A report with everything that there is. */
const FULL: RunReport = {
  title: "Everything",
  subtitle: "at once",
  settings: [["hidden size", 32], ["loss", "crossEntropy"]],
  history: HISTORY,
  metrics: {
    kind: "classification",
    accuracy: 0.75,
    balancedAccuracy: 0.75,
    macroF1: 0.733,
    perClass: [
      { label: "left", precision: 2 / 3, recall: 1, f1: 0.8, support: 2 },
      { label: "right", precision: 1, recall: 0.5, f1: 2 / 3, support: 2 },
    ],
    confusion: [[2, 0], [1, 1]],
  },
  forecasts: [{
    name: "load",
    context: [1, 2, 3],
    truth: [4, 5],
    predicted: [4.5, 5.5],
    times: ["a", "b", "c", "d", "e"],
  }],
  regressions: [{ name: "age", truth: [1, 2, 3], predicted: [1, 2, 5] }],
  attention: [
    {
      title: "first",
      prediction: "left",
      truth: "left",
      weights: [0.25, 0.75],
      values: [[1, 2], [3, 4]],
      channels: ["x", "y"],
    },
    { title: "second", prediction: "right", truth: "left", weights: [0.9, 0.1], tokens: ["good", "film"] },
    {
      title: "third",
      prediction: "right",
      weights: [1],
      tokens: ["é"],
      separator: "",
      probabilities: [["right", 0.8]],
    },
  ],
};

/** Holds that a page is nothing but text and whole elements, well nested and without handlers; counts the elements. */
function tags(page: string): Map<string, number> {
  const open: string[] = [], count = new Map<string, number>();
  const body = page.replace("<!doctype html>", "").replace(/<style>[^<]*<\/style>/, "");
  const rest = body.replaceAll(
    /<(\/?)([a-z][a-z0-9]*)((?: [a-zA-Z][a-zA-Z0-9-]*="[^"<>]*")*)(\/?)>/g,
    (_, closing, name, list, empty) => {
      if (closing) assert.equal(open.pop(), name, `</${name}>`);
      else {
        assert.doesNotMatch(list.replaceAll(/"[^"]*"/g, ""), / on/);
        count.set(name, (count.get(name) ?? 0) + 1);
        if (!empty && name !== "meta") open.push(name);
      }
      return "";
    },
  );
  assert.deepEqual(open, []);
  assert.doesNotMatch(rest, /[<>]/);
  return count;
}

/** Text of the page from a place on. */
const after = (page: string, place: string) => page.slice(page.indexOf(place));

Deno.test("htmlReport() shows all that a report holds", () => {
  const page = htmlReport(FULL), count = tags(page);
  assert.ok(page.startsWith('<!doctype html>\n<html lang="en">'));
  assert.deepEqual([...page.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, text]) => text), [
    "Settings",
    "Training",
    "Classes",
    "Forecasts",
    "Predictions",
    "What the model attends to",
  ]);
  // Loss, accuracy, one forecast, one regression, three sequences.
  assert.equal(count.get("figure"), 7);
  assert.equal(count.get("table"), 3);
  assert.match(page, /<dt>hidden size<\/dt><dd>32<\/dd>/);
  assert.match(page, /<dt>Accuracy<\/dt><dd>75\.0%<small>of 4 sequences<\/small><\/dd>/);
  assert.match(page, /best: 7</);
  assert.match(page, /title="right taken for left: 1 of 2, 50\.0%">1<small>50\.0%<\/small>/);
  assert.match(page, /2 steps: RMSE 0\.5, MAE 0\.5/);
  assert.match(after(page, "<h3>first"), /✓ right.*most on step 2 of 2, 75\.0%/);
  assert.match(after(page, "<h3>second"), /✗ wrong.*most on “good”, 90\.0%/);
});

Deno.test("htmlReport() leaves out what a report does not hold", () => {
  const page = htmlReport({ title: "Little", history: [] });
  tags(page);
  assert.doesNotMatch(page, /<h2>/);
  assert.doesNotMatch(page, /NaN|undefined|Infinity/);
});

Deno.test("htmlReport() writes no number that is none", () => {
  const page = htmlReport({
    ...FULL,
    history: [{ epoch: 1, trainLoss: 0.5, trainAccuracy: 0 }],
    metrics: {
      kind: "regression",
      mse: NaN,
      rmse: 3,
      mae: Infinity,
      r2: -Infinity,
      persistence: { mse: 1, rmse: Infinity, mae: NaN, r2: 0 },
    },
    forecasts: [{ name: "constant", truth: [2, 2], predicted: [2, NaN] }],
    attention: [
      { title: "gaps", prediction: "a", weights: [0, 0, 1], values: [[NaN], [NaN], [NaN]] },
      { title: "constant", prediction: "a", weights: [1], values: [[7]] },
    ],
  });
  tags(page);
  assert.doesNotMatch(page, /NaN|undefined|Infinity|null/);
  assert.match(page, /<dt>RMSE<\/dt><dd>3<small>persistence –<\/small><\/dd>/);
});

Deno.test("htmlReport() escapes all text, wherever it stands", () => {
  const evil = `"'><script>alert(1)</script><img src=x onerror=alert(1)>&\u0000\ud800`;
  const page = htmlReport({
    title: evil,
    subtitle: evil,
    settings: [[evil, evil]],
    history: HISTORY,
    metrics: { ...RIGHT, perClass: [{ label: evil, precision: 1, recall: 1, f1: 1, support: 1 }], confusion: [[1]] },
    forecasts: [{ name: evil, truth: [1], predicted: [1], context: [1], times: [evil, evil] }],
    regressions: [{ name: evil, truth: [1], predicted: [1] }],
    attention: [
      {
        title: evil,
        prediction: evil,
        truth: evil,
        weights: [1],
        values: [[1]],
        channels: [evil],
        probabilities: [[evil, 1]],
      },
      { title: evil, prediction: evil, weights: [1], tokens: [evil], separator: evil },
    ],
  });
  const count = tags(page);
  assert.equal(count.get("script"), undefined);
  assert.equal(count.get("img"), undefined);
  assert.ok(page.isWellFormed() && !page.includes("\0"));
  assert.match(page, /<h1>&quot;&#39;&gt;&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
});

Deno.test("htmlReport()'s policy lets a browser use its style sheet and nothing else", async () => {
  const page = htmlReport(FULL);
  const [, policy] = page.match(/<meta http-equiv="Content-Security-Policy" content="([^"]*)">/)!;
  assert.equal(
    policy!.replaceAll("&#39;", "'"),
    `default-src 'none'; style-src '${STYLE_HASH}'; base-uri 'none'; form-action 'none'`,
  );
  const [, style] = page.match(/<style>([^]*?)<\/style>/)!;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style)));
  assert.equal(STYLE_HASH, `sha256-${hash.toBase64()}`);
  assert.doesNotMatch(page, /\sstyle=|\ssrc=|\shref=|url\(|@import|https?:/);
});

Deno.test("htmlReport() gives the same page for the same report", () => {
  assert.equal(htmlReport(FULL), htmlReport(structuredClone(FULL)));
});

Deno.test("htmlReport() takes a logarithmic axis where losses span decades", () => {
  const history = (ratio: number) =>
    [1, 2, 3].map((epoch) => ({ epoch, trainLoss: ratio ** -epoch, trainAccuracy: 0 }));
  assert.match(htmlReport({ title: "", history: history(10) }), /Loss, logarithmic/);
  assert.doesNotMatch(htmlReport({ title: "", history: history(2) }), /logarithmic/);
  const zero = [{ epoch: 1, trainLoss: 1, trainAccuracy: 0 }, { epoch: 2, trainLoss: 0, trainAccuracy: 0 }];
  assert.doesNotMatch(htmlReport({ title: "", history: zero }), /logarithmic/);
});

Deno.test("htmlReport() shows no accuracy where there are no classes, and the rate only where it changes", () => {
  const titles = (history: RunReport["history"]) =>
    [...htmlReport({ title: "", history }).matchAll(/<h3>(.*?)<\/h3>/g)].map(([, title]) => title);
  const epoch = { epoch: 1, trainLoss: 1, trainAccuracy: 0, learningRate: 1, gradNorm: 1 };
  assert.deepEqual(titles([epoch, { ...epoch, epoch: 2 }]), ["Loss", "Gradient norm"]);
  assert.deepEqual(titles([epoch, { ...epoch, epoch: 2, learningRate: 0.5, trainAccuracy: 0.5 }]), [
    "Loss",
    "Accuracy",
    "Learning rate",
    "Gradient norm",
  ]);
});

Deno.test("htmlReport() keeps long data small, and says what it leaves out", () => {
  const T = 5_000, series = Array.from({ length: T }, (_, t) => Math.sin(t / 7) + (t === 1_234 ? 50 : 0));
  const page = htmlReport({
    title: "Long",
    history: Array.from({ length: 5000 }, (_, i) => ({ epoch: i + 1, trainLoss: 1 / (i + 1), trainAccuracy: 0.5 })),
    metrics: {
      ...RIGHT,
      perClass: Array.from({ length: 300 }, (_, i) => ({ label: `c${i}`, precision: 1, recall: 1, f1: 1, support: 1 })),
      confusion: Array.from({ length: 300 }, (_, i) => Array.from({ length: 300 }, (_, j) => i === j ? 1 : 0)),
    },
    forecasts: Array.from({ length: 40 }, () => ({ name: "f", truth: series, predicted: series, context: series })),
    regressions: [{ name: "r", truth: series, predicted: series }],
    attention: Array.from({ length: 40 }, (_, i) => ({
      title: `s${i}`,
      prediction: "c0",
      weights: new Array<number>(T).fill(1 / T),
      ...i % 2 ? { tokens: series.map(String) } : { values: series.map((value) => new Array<number>(20).fill(value)) },
    })),
  });
  tags(page);
  assert.ok(page.length < 2.5e6, `${page.length} characters`);
  for (
    const words of [
      "Every 10 epochs in numbers",
      "The 271 classes with the fewest sequences are put together",
      "The 200 most frequent of 300 classes",
      "The first 24 of 40 are shown",
      "1,000 of 5,000 sequences are shown",
      "The first 24 of 40 sequences are shown",
      "the first 12 of 20 channels; 32 steps a column, weights summed",
      "The first 400 of 5,000 tokens, with 8.0% of the attention",
    ]
  ) assert.ok(page.includes(words), words);
});

Deno.test("htmlReport() calls the data that were looked at by their name", () => {
  const page = htmlReport({ ...FULL, validationName: "test" });
  assert.match(page, /<dt>Least test loss<\/dt>/);
  assert.match(page, /by test loss/);
  assert.doesNotMatch(page, /validation/i);
});

Deno.test("htmlReport() names as many steps as there is room for", () => {
  const named = (name: string) => {
    const times = Array.from({ length: 20 }, (_, i) => `${name}${i}`);
    const forecasts = [{ name: "f", truth: [...times.keys()], predicted: [...times.keys()], times }];
    return [...htmlReport({ title: "", history: [], forecasts }).matchAll(new RegExp(`>(${name}\\d+)</text>`, "g"))]
      .map(([, text]) => text);
  };
  assert.deepEqual(named("d"), ["d0", "d5", "d10", "d14", "d19"]);
  assert.deepEqual(named("2017-12-02 14:00:00 UTC "), ["2017-12-02 14:00:00 UTC 0", "2017-12-02 14:00:00 UTC 19"]);
});

Deno.test("htmlReport() refuses lengths that do not fit", () => {
  const cannot = (part: Partial<RunReport>, message: RegExp) =>
    assert.throws(() => htmlReport({ title: "", history: [], ...part }), { name: "RangeError", message });
  cannot(
    { forecasts: [{ name: "f", truth: [1, 2], predicted: [1] }] },
    /^Cannot write report: forecast "f" .*got 1 and 2$/,
  );
  cannot({ forecasts: [{ name: "f", truth: [], predicted: [] }] }, /got 0 and 0$/);
  cannot({ forecasts: [{ name: "f", truth: [1], predicted: [1], times: ["a", "b"] }] }, /must have 1 times, got 2$/);
  cannot({ regressions: [{ name: "r", truth: [1, 2], predicted: [1] }] }, /target "r" .*got 1 and 2$/);
  cannot(
    { attention: [{ title: "s", prediction: "", weights: [1], tokens: ["a", "b"] }] },
    /each of its 2 steps, got 1$/,
  );
  cannot({ attention: [{ title: "s", prediction: "", weights: [] }] }, /got 0$/);
  cannot({ confusion: { labels: ["a", "b"], counts: [[1, 2], [3]] } }, /must be \(2, 2\)/);
});

Deno.test("shades rise evenly in lightness, and text can be read on each", () => {
  const luminance = (hex: string) => {
    const [r, g, b] = [0, 2, 4].map((at) => {
      const value = parseInt(hex.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  for (const [theme, sign] of [["light", -1], ["dark", 1]] as const) {
    const shades = SHADES[theme];
    assert.equal(shades.length, 16);
    shades.forEach((hex, i) => {
      const [, ink] = STYLE.slice(theme === "dark" ? STYLE.indexOf("@media screen") : 0)
        .match(new RegExp(`\\.h${i}\\{fill:#${hex};background:#${hex};color:#(\\w+)\\}`))!;
      const on = luminance(hex), of = ink === "000" ? 0 : 1;
      const contrast = (Math.max(on, of) + 0.05) / (Math.min(on, of) + 0.05);
      assert.ok(contrast >= 4.5, `${theme} ${i}: ${contrast}`);
      if (i) assert.ok(sign * (on - luminance(shades[i - 1]!)) > 0, `${theme} ${i}`);
    });
  }
});

Deno.test("columnsOf() sums the weights of steps, so that they still add up", () => {
  assert.deepEqual(columnsOf([0.5, 0.25, 0.25], 3), { steps: 1, weights: [0.5, 0.25, 0.25] });
  assert.deepEqual(columnsOf([0.5, 0.25, 0.125, 0.0625, 0.0625], 3), { steps: 2, weights: [0.75, 0.1875, 0.0625] });
});

Deno.test("strongest() is the greatest weight, but twice an equal share at least", () => {
  assert.equal(strongest([0.1, 0.9]), 1);
  assert.equal(strongest([0.7, 0.1, 0.1, 0.1]), 0.7);
  assert.equal(strongest([0.25, 0.25, 0.25, 0.25]), 0.5);
});

Deno.test("fewer() puts the rarest classes together and loses no sequence", () => {
  const matrix = { labels: ["a", "b", "c", "d"], counts: [[5, 1, 0, 0], [0, 1, 0, 0], [2, 0, 7, 1], [0, 1, 1, 0]] };
  assert.deepEqual(fewer(matrix, 4), { ...matrix, merged: 0 });
  assert.deepEqual(fewer(matrix, 3), {
    labels: ["a", "c", "2 others"],
    counts: [[5, 0, 1], [2, 7, 1], [0, 1, 2]],
    merged: 2,
  });
});

Deno.test("htmlReport() leaves room before what is drawn for the names there, whatever the numbers", () => {
  const values = [[-12345.678, 101325.25], [-11111.111, 101325.26], [-12000, 101325.255]];
  const page = htmlReport({
    title: "room",
    history: [],
    attention: [{
      title: "a",
      prediction: "b",
      weights: [0.5, 0.3, 0.2],
      values,
      channels: ["temperature outside", "p"],
    }],
    forecasts: [{ name: "f", truth: [5000010, 5000011], predicted: [5000010.5, 5000012] }],
    regressions: [{ name: "r", truth: [1234560, 1234590], predicted: [1234570, 1234580] }],
  });
  const names = [...page.matchAll(/<text (?:class="(\w+)" )?x="([\d.]+)" y="[\d.]+" text-anchor="end">([^<]*)</g)];
  assert.ok(names.length > 12);
  for (const [, kind, x, text] of names) {
    // A phone's letters are 15 high, those of ranges 10.5; half of it is wide.
    assert.ok(Number(x) > text!.length * (kind === "range" ? 6 : 8), `${text} before ${x}`);
  }
  assert.ok(
    names.some(([, , , text]) => text === "101,325.25…101,325.26"),
    names.map(([, , , text]) => text).join("; "),
  );
});

Deno.test("htmlReport() names large numbers that are close together by all their digits", () => {
  const page = htmlReport({
    title: "large",
    history: [],
    forecasts: [{ name: "f", truth: [50000010, 50000020], predicted: [50000015, 50000030] }],
  });
  assert.ok(page.includes(">50,000,010<") && page.includes(">50,000,020<"));
});

Deno.test("htmlReport() fills the room beside an odd number of charts with the epochs in brief", () => {
  const history = HISTORY.map((record, i) => ({ ...record, gradNorm: 1 / (i + 1) }));
  const three = htmlReport({ ...FULL, history }), two = htmlReport(FULL);
  assert.match(
    three,
    /<h3>In brief<\/h3>.*<th scope="col">1, first<\/th><th scope="col">7, best<\/th><th scope="col">12, last</,
  );
  assert.doesNotMatch(two, /In brief/);
});

Deno.test("htmlReport() sets scores beside the loss of the same epoch", () => {
  const tiles = (report: Partial<RunReport>) =>
    htmlReport({ ...FULL, ...report }).match(/<dl class="tiles">(.*?)<\/dl>/)![1]!;
  const last = tiles({ scoredEpoch: 12 });
  assert.match(
    last,
    /of 4 sequences, epoch 12<.*<dt>Validation loss<\/dt><dd>1\.25<small>epoch 12 of 12; least 1, epoch 7</,
  );
  const best = tiles({ scoredEpoch: 7 });
  assert.match(best, /of 4 sequences<.*<dt>Least validation loss<\/dt><dd>1<small>epoch 7 of 12</);
});

Deno.test("htmlReport() gives no errors of a part of the forecasts beside those of all", () => {
  const forecast = FULL.forecasts![0]!;
  assert.match(htmlReport(FULL), /2 steps: RMSE 0\.5, MAE 0\.5/);
  const part = htmlReport({ ...FULL, forecasts: [{ ...forecast, of: 9 }] });
  assert.match(part, /2 steps: the last of 9 forecasts, whose errors stand above/);
  assert.doesNotMatch(part, /RMSE 0\.5, MAE/);
});
