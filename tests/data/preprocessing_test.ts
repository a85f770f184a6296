import assert from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import {
  ForecastPipeline,
  Pipeline,
  type PipelineOptions,
  type Preprocessing,
  restorePreprocessing,
  type SequenceRecord,
} from "../../mod.ts";
import { series, table, text, throughJson } from "./records.ts";

const name = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("__proto__", "constructor", "10", "9", " a"))
  .filter((label) => label.trim() !== "");
const number = fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-1e6), max: Math.fround(1e6) });
const someLabels = fc.uniqueArray(name, { minLength: 2, maxLength: 5 });

/** Records of I channels whose labels come in turn, so that there are two classes. */
const labelled = fc.tuple(someLabels, fc.integer({ min: 1, max: 3 })).chain(([labels, I]) =>
  fc.array(
    fc.array(fc.array(fc.oneof({ weight: 9, arbitrary: number }, fc.constant(NaN)), { minLength: I, maxLength: I }), {
      minLength: 2,
      maxLength: 6,
    }),
    { minLength: labels.length, maxLength: 12 },
  ).map((all) => all.map((steps, i) => series(steps, labels[i % labels.length]!, { weight: i })))
);
const options: fc.Arbitrary<PipelineOptions> = fc.record({
  standardize: fc.boolean(),
  missing: fc.constantFrom("zero", "mean", "last"),
  patch: fc.integer({ min: 1, max: 2 }),
  maxLength: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  task: fc.constant("multiclass"),
  oneHot: fc.boolean(),
});

/** A pipeline, or the error that it could not be: of a channel without a number, or of labels that are all one. */
function fit(records: SequenceRecord[], options?: PipelineOptions): Pipeline | undefined {
  try {
    return Pipeline.fit(records, options);
  } catch (error) {
    assert.match((error as Error).message, /^Cannot prepare data: /);
  }
}

Deno.test("a pipeline through JSON prepares the same, to the bit", () => {
  fc.assert(fc.property(labelled, options, (records, options) => {
    const pipeline = fit(records, options);
    if (!pipeline) return;
    const copy = restorePreprocessing(throughJson(pipeline)) as Pipeline;
    assert.deepEqual(copy.dataset(records), pipeline.dataset(records));
    assert.equal(JSON.stringify(copy), JSON.stringify(pipeline));
    assert.ok(pipeline.dataset(records).x.every(Number.isFinite));
  }));
});

Deno.test("text through JSON becomes the same tokens, each within the vocabulary", () => {
  const texts = fc.array(fc.oneof(fc.string({ unit: "binary" }), fc.lorem(), fc.constant("__proto__")), {
    minLength: 2,
  });
  const options = fc.record({
    tokens: fc.constantFrom("characters" as const, "words" as const),
    normalize: fc.constantFrom("none" as const, "lower" as const, "ascii" as const),
    minCount: fc.integer({ min: 1, max: 2 }),
    maxLength: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
  });
  fc.assert(fc.property(texts, options, (texts, options) => {
    const records = texts.map((line, i) => text(line, String(i % 2))), pipeline = fit(records, options);
    if (!pipeline) return;
    const copy = restorePreprocessing(throughJson(pipeline)) as Pipeline, { x, lengths } = pipeline.dataset(records);
    assert.deepEqual(copy.dataset(records), pipeline.dataset(records));
    assert.ok(x.every((token) => token >= 0 && token < pipeline.numEmbeddings));
    assert.ok(lengths?.every((length) => length >= 1 && length <= (options.maxLength ?? Infinity)) ?? true);
  }));
});

Deno.test("encoded labels decode to themselves", () => {
  fc.assert(fc.property(labelled, fc.boolean(), (records, oneHot) => {
    const complete = records.map((record) => ({ ...record, values: record.values!.map((value) => value || 0) }));
    const pipeline = Pipeline.fit(complete, { task: "multiclass", oneHot }), { targets } = pipeline.dataset(complete);
    complete.forEach(({ labels }, i) => {
      const row = pipeline.labels.map((_, k) =>
        oneHot ? targets[i * pipeline.outputSize + k]! : Number(targets[i] === k)
      );
      assert.equal(pipeline.decode(row).label, labels![0]);
    });
  }));
  const sets = fc.array(fc.uniqueArray(name.map((label) => label.trim()), { maxLength: 4 }), { minLength: 2 });
  fc.assert(fc.property(sets, (sets) => {
    const records = sets.map((labels, i) => series([i], labels)), pipeline = fit(records, { task: "multilabel" });
    if (!pipeline || pipeline.labels.length < 2) return;
    const { targets } = pipeline.dataset(records), O = pipeline.outputSize;
    if (sets.every((labels) => labels.length === sets[0]!.length)) return; // may be columns of 0 and 1
    sets.forEach((labels, i) => {
      assert.deepEqual(new Set(pipeline.decode(targets.subarray(i * O, (i + 1) * O)).labels), new Set(labels));
    });
  }));
});

Deno.test("encoded numbers decode to themselves, within float32", () => {
  const rows = fc.array(fc.tuple(number, number), { minLength: 2 });
  fc.assert(fc.property(rows, fc.boolean(), (rows, standardize) => {
    const records = rows.map((row, i) => series([i], row.map(String)));
    const pipeline = fit(records, { task: "regression", standardize });
    if (!pipeline) return;
    const { targets } = pipeline.dataset(records), range = Math.max(...rows.flat().map(Math.abs), 1);
    rows.forEach((row, i) => {
      pipeline.decode(targets.subarray(2 * i, 2 * i + 2)).values!.forEach((value, c) => {
        assert.ok(Math.abs(value - row[c]!) <= 1e-6 * range, `${value} is not ${row[c]}`);
      });
    });
  }));
});

/** One of each kind of pipeline, with data that it takes. */
function pipelines(): { pipeline: Preprocessing; use: (pipeline: Preprocessing) => void }[] {
  const records = [series([[1, 2], [3, 4]], "a"), series([[5, NaN], [6, 8]], "b"), series([[0, 2], [3, 1]], "c")];
  const texts = [text("one two", "x"), text("two three", "y")];
  const reading = { format: "csv", labelColumns: ["u", "v"], decimal: "," } as const;
  const wide = { labelNames: ["u", "v"], stepNames: ["s", "t"], reading };
  const numbers = ["1.5", "2.5", "4"].map((label, i) => series([i, i + 1], [label, String(i)]));
  const data = table({ a: [1, 2, 4, 3, 5, 8], b: [3, 1, 2, 5, 4, 6] });
  const use = (records: SequenceRecord[]) => (pipeline: Preprocessing) => {
    assert.ok(pipeline instanceof Pipeline);
    pipeline.dataset(records);
    pipeline.decode(new Float32Array(pipeline.outputSize));
  };
  return [
    { pipeline: Pipeline.fit(records, { missing: "mean", channelNames: ["u", "v"] }), use: use(records) },
    { pipeline: Pipeline.fit(records, { missing: "zero", patch: 2, oneHot: true }), use: use(records) },
    { pipeline: Pipeline.fit(texts, { tokens: "words", maxLength: 2, task: "binary" }), use: use(texts) },
    { pipeline: Pipeline.fit(numbers, { task: "regression", ...wide }), use: use(numbers) },
    {
      pipeline: Pipeline.fit(texts, { task: "multilabel", labelSeparator: "|", tokens: "characters" }),
      use: use(texts),
    },
    {
      pipeline: ForecastPipeline.fit(data, {
        targetColumns: ["a"],
        featureColumns: ["a", "b"],
        window: 2,
        transform: "logDifference",
        missing: "last",
      }),
      use(pipeline) {
        assert.ok(pipeline instanceof ForecastPipeline);
        const inputs = pipeline.inputs(data);
        pipeline.decode(new Float32Array(pipeline.outputSize), inputs);
        pipeline.dataset(data);
      },
    },
  ];
}

/** Every place in JSON, as the keys that lead there. */
function places(json: unknown, path: string[] = []): string[][] {
  if (typeof json !== "object" || json === null) return [path];
  return [path, ...Object.entries(json).flatMap(([key, value]) => places(value, [...path, key]))];
}

/** A copy of JSON with something done to the object that holds the last key. */
function changed(
  json: unknown,
  path: readonly string[],
  change: (holder: Record<string, unknown>, key: string) => void,
) {
  const copy = { root: structuredClone(json) }, keys = ["root", ...path];
  let holder = copy as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) holder = holder[key] as Record<string, unknown>;
  change(holder, keys.at(-1)!);
  return copy.root;
}

/** That stored preprocessing is refused in our words, or works. */
function assertHarmless(json: unknown, use: (pipeline: Preprocessing) => void) {
  let pipeline: Preprocessing;
  try {
    pipeline = restorePreprocessing(json);
  } catch (error) {
    assert.ok(error instanceof TypeError, String(error));
    assert.match(error.message, /^Cannot load preprocessing: /);
    return;
  }
  try {
    use(pipeline);
  } catch (error) {
    if (error instanceof assert.AssertionError) return; // of another kind than it was
    assert.ok(error instanceof RangeError, String(error));
    assert.match(error.message, /^Cannot (prepare data|decode outputs): /);
  }
}

Deno.test("stored preprocessing with any field changed, lost, added or doubled is refused or works", () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom<unknown>(
      0,
      1,
      -1,
      2 ** 53,
      1e308,
      1e-320,
      "",
      "a",
      [],
      {},
      null,
      true,
      "__proto__",
      "mean",
      "tokens",
    ),
  );
  for (const { pipeline, use } of pipelines()) {
    const json = throughJson(pipeline), all = places(json);
    assertHarmless(json, use);
    fc.assert(
      fc.property(fc.nat(all.length - 1), value, fc.nat(3), (at, value, how) => {
        const path = all[at]!;
        assertHarmless(
          changed(json, path, (holder, key) => {
            if (how === 0 && Array.isArray(holder)) holder.push(...holder);
            else if (how === 1 && !Array.isArray(holder)) delete holder[key];
            else if (how === 2) {
              Object.defineProperty(holder, "__proto__", {
                value,
                enumerable: true,
                configurable: true,
                writable: true,
              });
            } else holder[key] = value;
          }),
          use,
        );
      }),
      { numRuns: 300 },
    );
  }
  fc.assert(fc.property(fc.jsonValue(), (json) => assertHarmless(json, () => {})));
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test("every field of stored preprocessing is needed, and no other is taken", () => {
  for (const { pipeline } of pipelines()) {
    const json = throughJson(pipeline);
    for (const path of places(json)) {
      if (!path.length || /^\d+$/.test(path.at(-1)!)) continue;
      const without = changed(json, path, (holder, key) => delete holder[key]);
      // What states of before do not have.
      if (["numbers", "stepNames", "precision", "reading", "labelColumns", "decimal", "rows"].includes(path.at(-1)!)) {
        restorePreprocessing(without);
      } else assert.throws(() => restorePreprocessing(without), /^TypeError: Cannot load preprocessing: /);
      assert.throws(
        () => restorePreprocessing(changed(json, path, (holder) => holder.extra = 1)),
        /^TypeError: Cannot load preprocessing: .* has an unknown field "extra"$/,
      );
    }
  }
});

Deno.test("stored numbers that are not finite, or do not fit one another, are refused by name", () => {
  const [numbers] = pipelines(), json = throughJson(numbers!.pipeline);
  const refused = (path: string[], value: unknown, message: RegExp) =>
    assert.throws(() => restorePreprocessing(changed(json, path, (holder, key) => holder[key] = value)), message);
  refused(
    ["version"],
    2,
    /^TypeError: Cannot load preprocessing: preprocessing\.version must be an integer from 1 to 1, got 2$/,
  );
  refused(
    ["inputs", "scaling", "mean", "0"],
    Infinity,
    /inputs\.scaling\.mean must be 2 finite numbers, got a list of 2/,
  );
  refused(["inputs", "scaling", "scale", "1"], 0, /inputs\.scaling\.scale must be 2 finite numbers above 0/);
  refused(["inputs", "scaling", "mean"], [1], /inputs\.scaling\.mean must be 2 finite numbers, got a list of 1/);
  refused(["inputs", "means"], null, /inputs\.means must be 2 finite numbers, got null/);
  refused(["inputs", "missing"], "error", /inputs\.means must be null where missing is "error"/);
  refused(["labels", "names", "1"], "a", /labels\.names must be at least 2 distinct strings/);
  refused(["labels", "task"], "binary", /the fields of preprocessing\.labels do not fit one another/);
  assert.throws(() => restorePreprocessing(null), /preprocessing must be an object, got null/);
});
