import assert from "node:assert/strict";
import { Pipeline, type PipelineOptions, type SequenceRecord } from "../../mod.ts";
import { series, text, throughJson } from "./records.ts";

/** Numbers to 6 digits. */
const round = (values: Iterable<number>) => Array.from(values, (value) => Math.round(value * 1e6) / 1e6 + 0);

Deno.test("channels get mean 0 and standard deviation 1 by the training records alone", () => {
  // numpy: rows = [[1, 10], [3, 30], [5, 50]]; mean [3, 30]; std [1.632993, 16.329932]
  const train = [series([[1, 10], [3, 30]], "a"), series([[5, 50]], "b")];
  const pipeline = Pipeline.fit(train);
  const { x, shape, lengths, targets } = pipeline.dataset(train);
  assert.deepEqual(shape, [2, 2, 2]);
  assert.deepEqual([...lengths!], [2, 1]);
  assert.deepEqual([...targets], [0, 1]);
  assert.deepEqual(round(x), [-1.224745, -1.224745, 0, 0, 1.224745, 1.224745, 0, 0]);
  const later = pipeline.dataset([series([[7, 30]], "b")]);
  assert.deepEqual(round(later.x), [2.44949, 0]);
  assert.deepEqual([later.shape, later.lengths, [...later.targets]], [[1, 1, 2], undefined, [1]]);
  assert.deepEqual([pipeline.inputSize, pipeline.outputSize, pipeline.numEmbeddings], [2, 2, 0]);
});

Deno.test("without standardisation numbers stay as they are; a channel that never changes is only shifted", () => {
  const train = [series([[1, 7], [2, 7]], "a"), series([[4, 7], [5, 7]], "b")];
  assert.deepEqual([...Pipeline.fit(train, { standardize: false }).dataset(train).x], [1, 7, 2, 7, 4, 7, 5, 7]);
  const { x } = Pipeline.fit(train).dataset([series([[3, 7.5]], "a")]);
  assert.deepEqual([...x], [0, 0.5]);
});

Deno.test("a patch makes one step of several; what is left over goes; maxLength counts what comes out", () => {
  const train = [series([[1, 2], [3, 4], [5, 6], [7, 8], [9, 9]], "a"), series([[0, 0], [0, 1]], "b")];
  const pipeline = Pipeline.fit(train, { patch: 2, standardize: false });
  const { x, shape, lengths } = pipeline.dataset(train);
  assert.deepEqual([shape, [...lengths!]], [[2, 2, 4], [2, 1]]);
  assert.deepEqual([...x], [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 0, 0, 0, 0]);
  assert.equal(pipeline.inputSize, 4);
  const short = Pipeline.fit(train, { patch: 2, standardize: false, maxLength: 1 }).dataset(train);
  assert.deepEqual([short.shape, [...short.x]], [[2, 1, 4], [1, 2, 3, 4, 0, 0, 0, 1]]);
  // Each place in the patch has a scale of its own, as its channel: numpy over rows [1, 2, 3, 4], [5, 6, 7, 8], [0, 0, 0, 1].
  const scaled = Pipeline.fit(train, { patch: 2 }).dataset(train);
  assert.deepEqual(round(scaled.x.subarray(0, 4)), [-0.46291, -0.267261, -0.116248, -0.116248]);
});

Deno.test("missing values: an error that says where, or what was asked for", () => {
  const records = [
    series([[NaN, 1], [2, NaN], [NaN, 5]], "a", { missing: "line 2, column x" }),
    series([[4, 3], [6, 3]], "b", { place: "data.csv, line 5" }),
  ];
  const fit = (missing: PipelineOptions["missing"]) => Pipeline.fit(records, { missing, standardize: false });
  const x = (missing: PipelineOptions["missing"]) => [...fit(missing).dataset(records).x];
  assert.throws(
    () => fit("error").dataset(records),
    /^RangeError: Cannot prepare data: a value is missing at data\.csv, line 1 \(line 2, column x\)/,
  );
  assert.throws(() => Pipeline.fit(records), /a value is missing at data\.csv, line 1 \(line 2, column x\)/);
  assert.deepEqual(x("zero"), [0, 1, 2, 0, 0, 5, 4, 3, 6, 3, 0, 0]);
  assert.deepEqual(x("mean"), [4, 1, 2, 3, 4, 5, 4, 3, 6, 3, 0, 0]);
  assert.deepEqual(x("last"), [4, 1, 2, 1, 2, 5, 4, 3, 6, 3, 0, 0]);
  const more = [...records, series([[1, 1]], "a")];
  const dropped = Pipeline.fit(more, { missing: "drop", standardize: false }).dataset(more);
  assert.deepEqual([[...dropped.rows], [...dropped.x]], [[1, 2], [4, 3, 6, 3, 1, 1, 0, 0]]);
  assert.deepEqual([...dropped.targets], [1, 0]);
  assert.deepEqual(more.map((record) => Pipeline.fit(more, { missing: "drop" }).keeps(record)), [false, true, true]);
  // Means are the training part's: what a later record lacks is filled with them.
  assert.deepEqual([...fit("mean").sequences([series([[NaN, NaN]])]).x], [4, 3]);
});

Deno.test("a missing value that its reader said nothing of is found by itself", () => {
  assert.throws(
    () => Pipeline.fit([series([[1, 2], [3, NaN]], "a"), series([[1, 2]], "b")]),
    /missing at data\.csv, line 1, step 2, channel 2/,
  );
});

Deno.test("tasks are guessed from labels where they are clear, and said", () => {
  const guess = (labels: readonly (string | string[])[]) => {
    const { task, loss, guesses, labels: names, outputSize } = Pipeline.fit(
      labels.map((label, i) => series([i], label)),
    );
    assert.match(guesses[0]!, new RegExp(`^task ${task}: `));
    return [task, loss, [...names], outputSize];
  };
  assert.deepEqual(guess(["b", "a", "b"]), ["multiclass", "crossEntropy", ["a", "b"], 2]);
  assert.deepEqual(guess(["10", "9", "1"]), ["multiclass", "crossEntropy", ["1", "10", "9"], 3]);
  assert.deepEqual(guess(["1.5", "2", "-3e1"]), ["regression", "mse", ["target"], 1]);
  assert.deepEqual(guess(Array.from({ length: 40 }, (_, i) => String(i)))[0], "regression");
  assert.deepEqual(guess([["0", "1"], ["1", "1"]]), ["multilabel", "bce", ["0", "1"], 2]);
  assert.deepEqual(guess([["0", "1.5"], ["1", "1"]]), ["regression", "mse", ["0", "1"], 2]);
  assert.deepEqual(guess([["b", "a"], [], ["c"]]), ["multilabel", "bce", ["a", "b", "c"], 3]);
  assert.deepEqual(Pipeline.fit([series([1], "1"), series([2], "2")], { task: "regression" }).guesses, []);
});

Deno.test("targets are what the loss takes, and decoded come back as labels", () => {
  const records = ["no", "yes", "yes"].map((label, i) => series([i], label));
  const binary = Pipeline.fit(records, { task: "binary" });
  assert.deepEqual([binary.loss, binary.outputSize, binary.labels], ["bce", 1, ["no", "yes"]]);
  assert.deepEqual(binary.dataset(records).targets, Float32Array.of(0, 1, 1));
  assert.deepEqual(binary.decode([0.25]), { label: "no", probabilities: [0.75, 0.25] });
  assert.equal(binary.decode([0.75]).label, "yes");
  const multiclass = Pipeline.fit(records, { task: "multiclass" });
  assert.deepEqual(multiclass.dataset(records).targets, Int32Array.of(0, 1, 1));
  assert.deepEqual(multiclass.decode([0.25, 0.75]), { label: "yes", probabilities: [0.25, 0.75] });
  const oneHot = Pipeline.fit(records, { task: "multiclass", oneHot: true });
  assert.deepEqual([oneHot.loss, oneHot.outputSize], ["bce", 2]);
  assert.deepEqual(oneHot.dataset(records).targets, Float32Array.of(1, 0, 0, 1, 0, 1));
});

Deno.test("multilabel: columns of 0 and 1, lists of names, or names in one column", () => {
  const columns = [["1", "0", "1"], ["0", "0", "1.0"]].map((labels, i) => series([i], labels));
  const byColumn = Pipeline.fit(columns, { labelNames: ["x", "y", "z"] });
  assert.deepEqual([byColumn.labels, [...byColumn.dataset(columns).targets]], [["x", "y", "z"], [1, 0, 1, 0, 0, 1]]);
  assert.deepEqual(byColumn.decode([0.9, 0.1, 0.6]).labels, ["x", "z"]);
  const joined = ["b|a", "", "c"].map((label, i) => series([i], label));
  const split = Pipeline.fit(joined, { task: "multilabel", labelSeparator: "|" });
  assert.deepEqual([split.labels, [...split.dataset(joined).targets]], [["a", "b", "c"], [1, 1, 0, 0, 0, 0, 0, 0, 1]]);
  assert.throws(() => byColumn.dataset([series([1], ["1", "2", "0"])]), /labels in columns must be 0 or 1, got "2"/);
  assert.throws(() => split.dataset([series([1], "a|d")]), /the label "d" was never seen in training/);
});

Deno.test("regression targets are standardised for training and come back in the data's units", () => {
  const records = ["100", "200", "600"].map((label, i) => series([i], label));
  const pipeline = Pipeline.fit(records, { task: "regression", labelNames: ["price"] });
  const { targets } = pipeline.dataset(records);
  assert.deepEqual(round(targets), [-0.92582, -0.46291, 1.38873]); // (y - 300) / 216.024690
  assert.deepEqual([...targets].map((value) => Math.round(pipeline.decode([value]).values![0]!)), [100, 200, 600]);
  assert.deepEqual(pipeline.labels, ["price"]);
  const plain = Pipeline.fit(records, { task: "regression", standardize: false });
  assert.deepEqual([...plain.dataset(records).targets], [100, 200, 600]);
  assert.deepEqual(plain.decode([5]).values, [5]);
});

Deno.test("weights come along where a record has one", () => {
  const records = [series([1], "a", { weight: 2 }), series([2], "b")];
  assert.deepEqual(Pipeline.fit(records).dataset(records).weights, Float32Array.of(2, 1));
  assert.equal(Pipeline.fit(records).dataset([records[1]!]).weights, undefined);
});

Deno.test("characters become numbers by falling count, ties in the order of code points", () => {
  const train = [text("bca", "x"), text("ab", "y"), text("a\u{1f600}\uff5e", "y")];
  const pipeline = Pipeline.fit(train);
  assert.deepEqual(pipeline.guesses[1], "tokens characters: what most texts look like");
  // a 3, b 2, then c, U+FF5E and U+1F600 once each: by code point, though U+1F600 begins with the smaller code unit.
  const { x, shape, lengths } = pipeline.dataset([text("abc\uff5e\u{1f600}", "x"), text("z", "y"), text("", "y")]);
  assert.ok(x instanceof Int32Array);
  assert.deepEqual([shape, [...lengths!]], [[3, 5, 1], [5, 1, 1]]);
  assert.deepEqual([...x], [2, 3, 4, 5, 6, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
  assert.deepEqual([pipeline.numEmbeddings, pipeline.paddingIdx, pipeline.inputSize], [7, 0, 32]);
});

Deno.test("text is normalised as asked", () => {
  const tokens = (sample: string, options: PipelineOptions) =>
    Pipeline.fit([text(sample, "x"), text("other", "y")], options).tokens(sample);
  const characters = (normalize: PipelineOptions["normalize"]) =>
    tokens(" Ünal-Çe, 3 ", { tokens: "characters", normalize }).join("");
  assert.equal(characters("none"), " Ünal-Çe, 3 ");
  assert.equal(characters("lower"), " ünal-çe, 3 ");
  assert.equal(characters("ascii"), "UnalCe, ");
  const words = (normalize?: PipelineOptions["normalize"]) =>
    tokens("Don't go, É 3x; Я!", { tokens: "words", normalize });
  assert.deepEqual(words(), ["don't", "go", "é", "3x", "я"]);
  assert.deepEqual(words("none"), ["Don't", "go", "É", "3x", "Я"]);
  assert.deepEqual(words("ascii"), ["don't", "go", "3x"]);
});

Deno.test("words need minCount, texts are cut at maxLength; counts are of whole texts", () => {
  const train = [text("the cat the dog", "x"), text("a cat", "y")];
  const pipeline = Pipeline.fit(train, { tokens: "words", minCount: 2, maxLength: 3 });
  assert.deepEqual([...pipeline.dataset(train).x], [3, 2, 3, 1, 2, 0]); // cat 2, the 3: a tie, so alphabetical
  assert.equal(pipeline.numEmbeddings, 4);
});

Deno.test("bad data is refused with its place", () => {
  const good = [series([1, 2], "a"), series([3], "b")];
  const refused = (records: SequenceRecord[], options: PipelineOptions, message: RegExp) =>
    assert.throws(() => Pipeline.fit(records, options).dataset(records), message);
  const place = { place: "data.csv, line 9" };
  refused([], {}, /^RangeError: Cannot prepare data: there are no records$/);
  refused(
    [good[0]!, series([2], "a")],
    {},
    /every record has the label "a", from data.csv, line 1 on: there must be two classes at least/,
  );
  refused([...good, series([1], "c")], { task: "binary" }, /"binary" takes two classes, got 3 \("a", "b", "c"\)/);
  refused([...good, series([1], undefined, place)], {}, /data\.csv, line 9: the label is missing/);
  refused([...good, series([1], " ", place)], {}, /data\.csv, line 9: the label is missing/);
  refused([...good, series([[1, 2]], "a", place)], {}, /data\.csv, line 9: there must be 1 channel, got 2/);
  refused([...good, series([], "a", place)], {}, /data\.csv, line 9: the sequence has no steps/);
  refused([...good, series([1], "a", { ...place, steps: 2 })], {}, /2 steps of 1 numbers must be 2, got 1/);
  refused([...good, series([1, Infinity], "a", place)], {}, /line 9: step 2, channel 1 is too large, got Infinity/);
  refused([...good, text("abc", "a", "x.txt")], {}, /x\.txt: there must be numbers, got text/);
  refused([text("abc", "a"), series([1], "b", place)], {}, /line 9: there must be text, got numbers/);
  refused(good, { patch: 2 }, /the sequence has 1 steps, fewer than a patch of 2/);
  refused(good, { task: "regression" }, /the target must be a number, got "a"/);
  refused([series([1], "1"), series([2], "1.0")], { task: "regression" }, /every record has the target 1, so there is/);
  refused([series([1], "a", { weight: -1 }), good[1]!], {}, /the weight must be a number from 0, got -1/);
  refused([series([1], "a", { weight: 0 }), series([1], "b", { weight: 0 })], {}, /every record has the weight 0/);
  refused(
    [text("я", "a"), text("й", "b")],
    { normalize: "ascii" },
    /no character occurs in the training texts once all/,
  );
  refused([text("a b", "a"), text("c d", "b")], { minCount: 2 }, /no word occurs 2 times in the training texts/);
  refused(good, { tokens: "words" }, /tokens is for text, got numbers/);
  refused(good, { path: 3 } as PipelineOptions, /^TypeError: Cannot prepare data: unknown option "path"/);
  refused(
    [series([NaN], "a", place)],
    { missing: "drop" },
    /every record has missing values, the first at data\.csv, line 9/,
  );
  assert.throws(
    () => Pipeline.fit(good).dataset([series([1], "c", { place: "test.csv, line 4" })]),
    /^RangeError: Cannot prepare data: test\.csv, line 4: the label "c" was never seen in training, which has "a", "b"$/,
  );
  assert.throws(() => Pipeline.fit(good).decode([1]), /^RangeError: Cannot decode outputs: there must be 2, got 1/);
});

Deno.test("names of objects' own machinery are names like others", () => {
  const names = ["__proto__", "constructor", "toString"];
  const train = names.map((name, i) => series([i], name));
  const pipeline = Pipeline.fit(train, { channelNames: ["__proto__"] });
  const copy = Pipeline.from(throughJson(pipeline));
  assert.deepEqual([copy.labels, copy.channelNames], [names, ["__proto__"]]);
  assert.deepEqual([...copy.dataset(train).targets], [0, 1, 2]);
  assert.throws(() => copy.dataset([series([1], "valueOf")]), /"valueOf" was never seen/);
  const words = names.map((name) => text(`${name} x`, name));
  const tokens = Pipeline.fit(words, { tokens: "characters" });
  assert.deepEqual(Pipeline.from(throughJson(tokens)).dataset(words), tokens.dataset(words));
});

Deno.test("what float32 cannot tell apart is said where nothing takes the mean off", () => {
  const around = (level: number) =>
    [0, 1, 2, 3].map((n) =>
      series([], "ab"[n % 2], { values: Float64Array.of(level, level + n / 50), steps: 2, channels: 1 })
    );
  const options = { standardize: false, channelNames: ["meter"] };
  assert.deepEqual(Pipeline.fit(around(4491945)).notes, []);
  assert.deepEqual(Pipeline.fit(around(0), options).notes, []);
  // NumPy: np.std([0, 0, 0, 0.02, 0, 0.04, 0, 0.06]) and np.spacing(np.float32(4491945)).
  const note = 'channel "meter" moves by 0.0218 around 4491945, less than float32\'s step there, 0.500: standardize, ' +
    "or take the mean off first";
  assert.deepEqual(Pipeline.fit(around(4491945), options).notes, [note]);
  const amounts = [4491945, 4491945.1, 4491945.2].map((label) => series([1, 2], String(label)));
  const [target] = Pipeline.fit(amounts, { task: "regression", standardize: false }).notes;
  assert.match(target!, /^target "target" moves by 0\.0816 around 4491945, /);
});

Deno.test("a number is one class however it is written, in new data too, where all labels are numbers", () => {
  const fit = (...labels: string[]) => Pipeline.fit(labels.map((label) => series([1], label)), { task: "multiclass" });
  const targets = (pipeline: Pipeline, ...labels: string[]) => [
    ...pipeline.dataset(labels.map((label) => series([1], label))).targets,
  ];
  const merged = fit("1", "1.0", "2", "02");
  assert.deepEqual(merged.labels, ["1", "2"]);
  const plain = Pipeline.from(throughJson(fit("1.0", "2.0")));
  assert.deepEqual(plain.labels, ["1.0", "2.0"], "one spelling stays");
  for (const pipeline of [merged, plain]) assert.deepEqual(targets(pipeline, "1", "2.0", " 2", "1e0"), [0, 1, 1, 0]);
  assert.deepEqual(fit("1", "1.0", "x").labels, ["1", "1.0", "x"], "names are not numbers");
  assert.throws(() => targets(fit("1", "1.0", "x"), "01"), /the label "01" was never seen/);
  assert.deepEqual(fit("9007199254740993", "9007199254740992").labels.length, 2, "to the last digit");
  assert.throws(() => targets(plain, "3"), /the label "3" was never seen/);
  // What a checkpoint of before holds twice stays twice.
  const before = throughJson(fit("1", "2", "3")) as { labels: { names: string[] } };
  before.labels.names = ["1", "1.0", "2"];
  assert.deepEqual(targets(Pipeline.from(before), "1.0", "1", "2"), [1, 0, 2]);
  assert.throws(() => targets(Pipeline.from(before), "01"), /the label "01" was never seen/);
  const listed = Pipeline.fit(["1|2", "2.0", "01"].map((label) => series([1], label)), {
    task: "multilabel",
    labelSeparator: "|",
  });
  assert.deepEqual([listed.labels, targets(listed, "1.0", "2|1")], [["1", "2"], [1, 0, 1, 1]]);
});

Deno.test("words of any script, emoji, emoticons, symbols and numbers are tokens; what is lost is said", () => {
  const fit = (texts: string[], options: PipelineOptions = {}) =>
    Pipeline.fit(texts.map((one, i) => text(one, String(i))), { tokens: "words", ...options });
  const any = fit(["a b", "b c"]);
  const tokens: [string, string[]][] = [
    ["ok ❤️ a❤️b", ["ok", "❤", "a", "❤", "b"]],
    ["👩‍👩‍👧 👍🏽! 🇩🇪🇫🇷 1️⃣", ["👩‍👩‍👧", "👍🏽", "🇩🇪", "🇫🇷", "1⃣"]],
    ["Great :) sad:( :-D :P <3 ^_^ wait!!", ["great", ":)", "sad", ":(", ":-d", ":p", "<3", "^_^", "wait", "!!"]],
    ["it's 5€ + 3, ok.", ["it's", "5", "€", "+", "3", "ok"]],
    ["हिन्दी ١٢٣ שָׁלוֹם می‌خواهم ½", ["हिन्दी", "١٢٣", "שָׁלוֹם", "می‌خواهم", "½"]],
    ["x\ufe0f \ufe0f", ["x"]],
    ["100% of #1, 50 %) (-5.3) \u22122", ["100", "%", "of", "#", "1", "50", "%", "-5.3", "\u22122"]],
    ["5-3 a-5 v1.2 1.5kg 2nd $5.30 .5 end 5. 1,000", [
      ..."5 3 a 5 v1 2 1.5 kg 2nd $ 5.30 .5 end 5 1,000".split(" "),
    ]],
    ["-- !? wait...5 x=-3 #tag \u0663\u066b\u0665", [
      "--",
      "!?",
      "wait",
      "...",
      "5",
      "x",
      "=-3",
      "tag",
      "\u0663\u066b\u0665",
    ]],
  ];
  for (const [text, expected] of tokens) assert.deepEqual(any.tokens(text), expected);
  assert.deepEqual(any.notes, []);
  assert.match(fit(["да", "нет da"], { normalize: "ascii" }).notes[0]!, /^71 % of the characters .* most often "д/);
  // A vocabulary of before keeps to words, down to the lone variation selector.
  const json = throughJson(any) as { inputs: { vocabulary: { signs?: boolean; numbers?: boolean } } };
  delete json.inputs.vocabulary.numbers;
  assert.deepEqual(Pipeline.from(json).tokens("100% (-5.3) #1 :)"), ["100", "(-", "5", "3", "1", ":)"], "of 0.3");
  delete json.inputs.vocabulary.signs;
  assert.deepEqual(Pipeline.from(json).tokens("ok ❤️ :) a❤️b 5€"), ["ok", "\ufe0f", "a", "\ufe0fb", "5"]);
  assert.deepEqual(Pipeline.from(throughJson(any)).tokens("ok ❤️ :)"), ["ok", "❤", ":)"]);
});

Deno.test("a pipeline stored before 0.3 rounds its numbers first, as it did, so that its runs resume", () => {
  const values = Float64Array.of(0.1, 1 / 3, 1e7 + 0.3, 4491945.0001), other = values.map((x) => x / 7 + 1);
  const records = [values, other].map((values, i) => ({
    values,
    steps: 4,
    channels: 1,
    labels: [`${i}`],
    place: `sequence ${i}`,
  }));
  const now = Pipeline.fit(records), state = JSON.parse(JSON.stringify(now.toJSON()));
  delete state.inputs.precision;
  const before = Pipeline.from(state), { mean: [mean], scale: [scale] } = state.inputs.scaling;
  const expect = (round: (x: number) => number) =>
    Float32Array.from([...values, ...other], (x) => (round(x) - mean) / scale);
  assert.deepEqual(now.dataset(records).x, expect((x) => x));
  assert.deepEqual(before.dataset(records).x, expect(Math.fround));
  assert.notDeepEqual(before.dataset(records).x, now.dataset(records).x);
  assert.deepEqual(before.toJSON(), state);
});
