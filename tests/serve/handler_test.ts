/** A service as a function of requests: what it answers, and in which words it refuses. */

import assert from "node:assert/strict";
import { createHandler, createPredictor, type HandlerOptions, Pipeline, type Servable } from "../../mod.ts";
import { Random } from "../../core/random.ts";
import { asked, dates, everyKind, got, moves, plain, reviews, sales, series } from "./models.ts";

type Json = Record<string, unknown>;

/** What a handler of some models answers: status and body. */
async function opened(models: Record<string, Servable>, options: HandlerOptions = {}) {
  const handler = createHandler(models, options);
  await handler.opened;
  const ask = async (request: Request) => {
    const response = await handler(request), text = await response.text();
    const isJson = text && response.headers.get("content-type") === "application/json";
    return { status: response.status, headers: response.headers, text, json: (isJson ? JSON.parse(text) : {}) as Json };
  };
  return {
    handler,
    ask,
    post: (path: string, body: unknown, headers?: Record<string, string>) => ask(asked(path, body, headers)),
    get: (path: string, headers?: Record<string, string>) => ask(got(path, "GET", headers)),
    async [Symbol.asyncDispose]() {
      await handler.dispose();
      for (const { model } of Object.values(models)) model.dispose();
    },
  };
}

const X = [[1.5, -2], [0.25, 3], [1e-3, 4]];

Deno.test("one sequence or many, by whatever name, are answered with the predictor's bits", async () => {
  const model = await moves();
  await using service = await opened({ moves: model });
  using predictor = await createPredictor(model.model);
  const pipeline = Pipeline.from(model.preprocessing), record = { steps: 3, channels: 2, place: "here" };
  const { x } = pipeline.sequences([{ ...record, values: Float64Array.from(X.flat()) }]);
  const { outputs } = predictor.predict(x), expected = [...outputs];
  const of = ({ probabilities }: Json) => Object.values(probabilities as Record<string, number>).map(Math.fround);
  const one = await service.post("/predict", { x: X, id: "a" });
  assert.equal(one.status, 200);
  assert.deepEqual(Object.keys(one.json), ["id", "label", "probabilities"]);
  assert.deepEqual([one.json.id, of(one.json)], ["a", expected]);
  for (const path of ["/predict", "/models/moves/predict"]) {
    assert.deepEqual(of((await service.post(path, X)).json), expected);
    const many = (await service.post(path, [{ x: [[1, 2]] }, { x: X }])).json as unknown as Json[];
    assert.deepEqual([many.length, of(many[1]!)], [2, expected]);
    assert.deepEqual(of(((await service.post(path, [X, X])).json as unknown as Json[])[1]!), expected);
  }
  const lines = await service.post("/predict", `{"x":${JSON.stringify(X)}}\n${JSON.stringify(X)}\n`, {
    "content-type": "application/x-ndjson",
  });
  assert.equal(lines.headers.get("content-type"), "application/x-ndjson");
  assert.deepEqual(lines.text.trimEnd().split("\n").map((line) => of(JSON.parse(line))), [expected, expected]);
  const csv = `id,t,speed,turn\n${X.map((step, t) => ["m", t, ...step].join(",")).join("\n")}\n`;
  for (const [type, text] of [["text/csv", csv], ["text/csv; charset=utf-8", csv], ["text/plain", csv]]) {
    const [found] = (await service.post("/predict", text, { "content-type": type! })).json as unknown as Json[];
    assert.deepEqual([found!.id, of(found!)], ["m", expected], `${type}`);
  }
  const { predictions } = (await service.post("/v1/models/moves:predict", { instances: [X, { x: X }] })).json;
  assert.deepEqual((predictions as Json[]).map(of), [expected, expected]);
  for (
    const body of [
      { inputs: [X] },
      { instances: [{ x: X }] },
      { dataframe_split: { columns: ["id", "t", "turn", "speed"], data: X.map(([a, b], t) => ["m", t, b, a]) } },
      { dataframe_records: X.map(([speed, turn], t) => ({ id: "m", t, speed, turn })) },
    ]
  ) {
    const { predictions } = (await service.post("/invocations", body)).json;
    assert.deepEqual((predictions as Json[]).map(of), [expected], JSON.stringify(body));
  }
  const { json } = await service.post("/predict?attention=true", X);
  assert.equal((json.attention as number[]).length, 3);
  const tensor = { name: "x", shape: [1, 3, 2], datatype: "FP64", data: X };
  const inferred = (await service.post("/v2/models/moves/versions/1/infer", { id: "7", inputs: [tensor] })).json;
  const [label, probabilities] = inferred.outputs as Json[];
  assert.deepEqual([inferred.id, label!.data, probabilities!.shape], ["7", [one.json.label], [1, 3]]);
  assert.deepEqual((probabilities!.data as number[]).map(Math.fround), expected);
});

Deno.test("steps may come as numbers by their names, in any order", async () => {
  await using service = await opened({ moves: await moves() });
  const named = X.map(([speed, turn]) => ({ turn, speed })), { json } = await service.post("/predict", X);
  for (const body of [named, { x: named }]) assert.deepEqual((await service.post("/predict", body)).json, json);
  for (const body of [[named, named], [{ x: named }, { x: X }], [X, named]]) {
    const found = (await service.post("/predict", body)).json as unknown as Json[];
    assert.deepEqual(found.map(({ probabilities }) => probabilities), [json.probabilities, json.probabilities]);
  }
  for (const [key, samples] of [["a", X], ["b", named]] as const) {
    for (const sample of samples) await service.post(`/streams/${key}`, sample);
  }
  const [a, b] = [await service.post("/streams/a", X), await service.post("/streams/b", named)];
  assert.deepEqual(b.json, a.json);
  assert.equal(a.json.steps, 6);
  // A channel may have the name of what holds a sequence.
  const model = await moves({ names: ["x", "y"] });
  await using other = await opened({ model });
  const same = (await other.post("/predict", X.map(([x, y]) => ({ x, y })))).json;
  assert.deepEqual(same.probabilities, json.probabilities);
});

Deno.test("text is found out to be lines of text, JSON Lines or a table, as in a pipe", async () => {
  await using service = await opened(await everyKind());
  const table = `sales\n${[1, 3, 2, 4, 3, 5, 4].join("\n")}\n`;
  for (
    const [name, text, count] of [
      ["reviews", '{"x":"good"}\n{"x":"the film was bad"}\n', 2],
      ["reviews", "good\nthe film was bad\n", 2],
      ["moves", `{"x":${JSON.stringify(X)}}\n${JSON.stringify(X)}\n`, 2],
      ["moves", "id,t,speed,turn\na,0,1,2\n", 1],
      ["moves", `[\n {"x":${JSON.stringify(X)}}]`, 1],
      ["plain", `${JSON.stringify(X)}\n`, 1],
      ["sales", table, 2],
      ["dates", "1/2/1999\n3/4/2001\n", 2],
    ] as const
  ) {
    const { status, json } = await service.post(`/models/${name}/predict`, text, { "content-type": "text/plain" });
    assert.deepEqual([status, (json as unknown as Json[]).length], [200, count], `${name}: ${text}`);
  }
  for (
    const [name, text, words] of [["moves", "@relation a\n@attribute b numeric\n@data\n1\n", /no column/], [
      "moves",
      "a,b\n1,2\n",
      /no column id/,
    ]] as const
  ) {
    const { status, json } = await service.post(`/models/${name}/predict`, text, { "content-type": "text/plain" });
    assert.equal(status, 400);
    assert.match(String(json.error), words);
  }
  const one = await service.post("/models/reviews/predict", '{"x":"good"}\n', { "content-type": "text/plain" });
  const other = await service.post("/models/reviews/predict", '"good"');
  assert.deepEqual((one.json as unknown as Json[])[0]!.probabilities, other.json.probabilities);
});

Deno.test("a model of windows takes one, and cuts recordings", async () => {
  await using service = await opened({ moves: await moves({ window: 3 }) });
  assert.equal((await service.post("/predict", X)).status, 200);
  for (
    const [body, field] of [[{ x: X.slice(1) }, "x"], [[...X, ...X], undefined], [[X, X.slice(1)], "[1]"]] as const
  ) {
    const { status, json } = await service.post("/predict", body);
    assert.deepEqual([status, json.field], [400, field], String(json.error));
    assert.match(String(json.error), /the 3 steps of a window, got [26]: recordings .* come as CSV or JSON Lines/);
  }
  const tensor = { name: "x", shape: [1, 2, 2], datatype: "FP32", data: X.slice(1) };
  assert.equal((await service.post("/v2/models/moves/infer", { inputs: [tensor] })).json.field, "x[0]");
  const csv = `id,t,speed,turn\n${[...X, ...X].map((step, t) => ["m", t, ...step].join(",")).join("\n")}\n`;
  const cut = (await service.post("/predict", csv, { "content-type": "text/csv" })).json as unknown as Json[];
  assert.deepEqual(cut.map(({ from, to }) => [from, to]), [[0, 3], [3, 6]]);
  assert.equal((await service.post("/streams/a", X)).json.steps, 3);
  const more = await service.post("/streams/a", [1, 2]);
  assert.match(String(more.json.error), /takes 3 steps of a sequence/);
});

Deno.test("models of every kind are served, each by its name", async () => {
  await using service = await opened(await everyKind());
  const of = async (path: string, body: unknown, type = "application/json") =>
    (await service.post(path, body, { "content-type": type })).json;
  assert.deepEqual(Object.keys(await of("/predict", X)), ["class", "probabilities", "attentionWeights"]);
  assert.equal(typeof (await of("/models/reviews/predict", '"the film was good"')).label, "string");
  const texts = await of("/models/reviews/predict", "good\nthe film was bad\n", "text/plain") as unknown as Json[];
  assert.deepEqual(texts.map(({ label }) => typeof label), ["string", "string"]);
  const rows = await of("/models/sales/predict", [1, 3, 2, 4, 3, 5, 4].map((value) => [value])) as unknown as Json[];
  assert.deepEqual(rows.map(({ values }) => Object.keys(values as Json)), [["sales"], ["sales"]]);
  const table = `sales\n${[1, 3, 2, 4, 3, 5, 4].join("\n")}\n`,
    same = await of("/models/sales/predict", table, "text/csv");
  assert.deepEqual((same as unknown as Json[]).map(({ values }) => values), rows.map(({ values }) => values));
  for (const body of ['"1/2/1999"', { x: "1/2/1999" }, { source: "1/2/1999" }]) {
    const { source, answers } = await of("/models/dates/predict", body);
    assert.deepEqual([source, (answers as unknown[]).length], ["1/2/1999", 1]);
  }
  const both = await of("/v1/models/dates:predict", { instances: ["1/2/1999", "3/4/2001"] });
  assert.equal((both.predictions as Json[])[1]!.source, "3/4/2001");
  for (const name of ["plain", "moves", "reviews", "sales", "dates", "series"]) {
    const { json, status } = await service.get(`/v2/models/${name}`);
    assert.deepEqual([status, json.name, (json.inputs as Json[])[0]!.name], [200, name, "x"]);
  }
});

Deno.test("outputs of every step come as a list for each sequence", async () => {
  await using service = await opened({ steps: await moves({ everyStep: true }) });
  const { json } = await service.post("/predict", X), many = (await service.post("/predict", [X, [[1, 2]]])).json;
  assert.deepEqual((json as unknown as Json[]).map(({ row }) => row), [0, 1, 2]);
  assert.equal((many as unknown as unknown[]).length, 2);
  const tensor = { name: "x", shape: [2, 3, 2], datatype: "FP32", data: [...X, ...X].flat() };
  const lengths = { name: "lengths", shape: [2], datatype: "INT64", data: [3, 1] };
  const { outputs } = (await service.post("/v2/models/steps/infer", { inputs: [tensor, lengths] })).json;
  assert.deepEqual((outputs as Json[]).map(({ shape }) => shape), [[2, 3], [2, 3, 3]]);
  assert.deepEqual(
    (outputs as Json[])[0]!.data,
    (json as unknown as Json[]).map(({ label }) => label)
      .concat([(json as unknown as Json[])[0]!.label, "", ""]),
  );
});

Deno.test("pairs of numbers are tensors too: with quantiles, lengths and starts, and from or to texts", async () => {
  const quantiles = [0.1, 0.5, 0.9],
    models = {
      series: await series(),
      quantiles: await series({ quantiles }),
      words: await series({ from: "texts", quantiles }),
      said: await series({ to: "texts" }),
      short: await series({ maxAnswer: 2 }),
    };
  await using service = await opened(models);
  const long = [[1, 2], [3.25, -4], [5, 1e-3], [0, 7], [8, 9]], short = long.slice(0, 2), start = [[4, 5], [-1, 0.5]];
  const x = { name: "x", shape: [2, 5, 2], datatype: "FP64", data: [...long, ...short, ...long.slice(0, 3)].flat() };
  const lengths = { name: "lengths", shape: [2], datatype: "INT32", data: [5, 2] };
  const first = { name: "start", shape: [2, 2], datatype: "FP32", data: start };
  const infer = async (name: string, ...inputs: Json[]) => {
    const { status, text, json } = await service.post(`/v2/models/${name}/infer`, { inputs });
    assert.equal(status, 200, text);
    return json.outputs as { name: string; shape: number[]; datatype: string; data: (number | string)[] }[];
  };
  const predicted = async (name: string, body: unknown) =>
    (await service.post(`/models/${name}/predict`, body)).json as unknown as Json[];
  for (const starts of [undefined, start]) {
    const given = [x, lengths, ...starts ? [first] : []];
    const bodies = [long, short].map((x, i) => ({ x, ...starts && { start: starts[i] } }));
    const [plain, each] = [await predicted("series", bodies), await predicted("quantiles", bodies)];
    const [values] = await infer("series", ...given), [several] = await infer("quantiles", ...given);
    assert.deepEqual(values, {
      name: "values",
      datatype: "FP64",
      shape: [2, 3, 2],
      data: values!.data,
    });
    const single = (tensor?: { data: (number | string)[] }) => tensor!.data.map((value) => Math.fround(Number(value)));
    const rounded = (all: readonly number[]) => all.map(Math.fround);
    assert.deepEqual(single(values), rounded(plain.flatMap(({ y }) => (y as number[][]).flat())));
    const byStep = ({ quantiles: own }: Json) =>
      [0, 1, 2].flatMap((u) =>
        [0, 1].flatMap((o) => quantiles.map((q) => (own as Record<string, number[][]>)[q]![u]![o]!))
      );
    assert.deepEqual([several!.shape, single(several)], [[2, 3, 2, 3], rounded(each.flatMap(byStep))]);
    // One by itself has the same bits, and so has one asked at the same time as others.
    const all = await Promise.all(
      Array.from(
        { length: 8 },
        (_, i) =>
          infer(
            "series",
            { ...x, shape: [1, 5 - i % 4, 2], data: long.slice(i % 4).flat() },
            ...starts ? [{ ...first, shape: [1, 2], data: starts[0] }] : [],
          ),
      ),
    );
    assert.deepEqual(all[0]![0]!.data, values!.data.slice(0, 6));
    assert.deepEqual(all[4]![0]!.data, values!.data.slice(0, 6));
    assert.deepEqual(all[1], all[5]);
  }
  const texts = { name: "x", shape: [2], datatype: "BYTES", data: ["source 1", "2 source"] };
  const [forecast] = await infer("words", texts, first);
  assert.deepEqual([forecast!.shape, forecast!.data.length], [[2, 3, 2, 3], 36]);
  const answers = await predicted("said", [{ x: long }, { x: short }]);
  const [text, probability] = await infer("said", x, lengths);
  const best = answers.map(({ answers }) => (answers as Json[])[0]!);
  assert.deepEqual([text!.shape, text!.data], [[2], best.map(({ text }) => text)]);
  assert.equal(probability!.name, "log_probability");
  const metadata = async (name: string) => {
    const { inputs, outputs } = (await service.get(`/v2/models/${name}`)).json;
    const of = (tensors: unknown) => (tensors as Json[]).map(({ name, shape, datatype }) => [name, datatype, shape]);
    return [of(inputs), of(outputs)];
  };
  const numbers = ["x", "FP32", [-1, -1, 2]];
  assert.deepEqual(await metadata("series"), [[numbers], [["values", "FP64", [-1, 3, 2]]]]);
  assert.deepEqual(await metadata("words"), [[["x", "BYTES", [-1]]], [["values", "FP64", [-1, 3, 2, 3]]]]);
  assert.deepEqual((await metadata("said"))[0], [numbers]);
  assert.deepEqual((await metadata("short"))[1], [["values", "FP64", [-1, 2, 2]]]);
  assert.deepEqual((await infer("short", x))[0]!.shape, [2, 2, 2]);
  const wrong = async (words: RegExp, field: string, name: string, ...inputs: Json[]) => {
    const { status, json, text } = await service.post(`/v2/models/${name}/infer`, { inputs });
    assert.equal(status, 400, text);
    assert.match(String(json.error), words);
    assert.equal(json.field, field, text);
  };
  await wrong(/start must be numbers of the shape \[2, 2\]/, "start", "series", x, { ...first, shape: [1, 4] });
  await wrong(/inputs must be x, and lengths where sequences are padded, got "start"/, "inputs", "said", x, first);
  await wrong(/and start, got "begin"/, "inputs", "series", x, { ...first, name: "begin" });
  await wrong(/must have 2 numbers/, "x[0]", "series", { ...x, shape: [2, 1, 5], data: x.data.slice(0, 10) });
  await wrong(/must be numbers, .*got a text/, "x[0]", "series", texts);
  await wrong(/must be a text, .*got numbers/, "x[0]", "words", x);
  const missing = { ...first, datatype: "FP64", data: [[1, null], [2, 3]] };
  await wrong(/start must be numbers/, "start", "series", x, lengths, missing);
  for (
    const [name, body, words, field] of [
      ["series", [{ x: long }, { x: [[1, "a"]] }], /got "a"/, "[1].x"],
      ["series", [{ x: long }, { x: [[1]] }], /must have 2 numbers/, "[1].x"],
      ["series", { x: long, start: [1] }, /start, step 1: must have 2 numbers/, "start"],
      ["said", [{ x: long }, { x: long, start: [1, 2] }], /start belongs to targets of numbers/, "[1].start"],
      ["words", { source: [[1]] }, /must be a text/, "x"],
    ] as const
  ) {
    const { status, json, text } = await service.post(`/models/${name}/predict`, body);
    assert.deepEqual([status, json.field], [400, field], text);
    assert.match(String(json.error), words);
  }
});

/** Bodies that are refused: where, and in which words. */
const WRONG:
  readonly (readonly [path: string, body: unknown, status: number, field: string | undefined, words: RegExp])[] = [
    ["/predict", "", 400, undefined, /the body is empty/],
    ["/predict", " \n", 400, undefined, /the body is empty/],
    ["/predict", "{", 400, undefined, /not JSON/],
    ["/predict", '{"x":[[NaN,1]]}', 400, undefined, /a missing value is null/],
    ["/predict", Uint8Array.of(0x22, 0xff, 0x22), 400, undefined, /not UTF-8/],
    ["/predict", "[".repeat(200_000), 400, undefined, /nests deeper/],
    ["/predict", "[".repeat(10), 400, undefined, /not JSON/],
    ["/predict", "null", 400, undefined, /must be an object with x, got null/],
    ["/predict", "[]", 400, undefined, /no sequences/],
    ["/predict", { y: 1 }, 400, "x", /x must be a list of steps or a text, got nothing/],
    ["/predict", '{"__proto__":{"x":[[1,2]]}}', 400, "x", /x must be a list/],
    ["/predict", { x: [[1, "a"]] }, 400, "x[0][1]", /must be a number or null, got "a"/],
    ["/predict", { x: [[1, 2], [1]] }, 400, "x[1]", /must have 2 channels/],
    ["/predict", { x: [[1, 2, 3]] }, 400, "x", /2 channels, got 3/],
    ["/predict", '{"x":[[1,1e999]]}', 400, "x[0][1]", /must be a finite float32/],
    ["/predict", [{ x: X }, { x: [[1, null]] }], 400, "[1].x", /a value is missing at body, record 2/],
    ["/predict", [X, [[1, true]]], 400, "[1][0][1]", /got true/],
    ["/predict", { x: X, id: [] }, 400, "id", /id must be/],
    ["/predict?atention=true", { x: X }, 400, "atention", /the query of this path may hold attention alone/],
    ["/predict?attention=true&attention=false", { x: X }, 400, "attention", /twice/],
    ["/v2/models/moves/infer?attention=true", "{}", 400, "attention", /must be empty/],
    ["/predict", '{"x":[[1,2]],"id":12345678901234567890}', 400, "id", /id must be a text where it is larger/],
    ["/v2/models/moves/infer", { id: 7, inputs: [] }, 400, "id", /must be a string/],
    ["/predict", { x: [{ speed: 1, turn: 2 }, { speed: 1 }] }, 400, "x[1].turn", /number, or null.*got nothing/],
    ["/predict", [{ speed: 1, turn: 2 }, { speed: 1, turn: "a" }], 400, "[1].turn", /got "a"/],
    ["/predict", [{ speed: 1, turn: 2, t: 3 }], 400, "[0]", /has "t": a step has speed, turn/],
    ["/predict", [{ speed: 1, turn: 2 }, [1, 2]], 400, "[1]", /an object with speed, turn as \[0\], got a list/],
    ["/predict", { x: [[1, 2], { speed: 1, turn: 2 }] }, 400, "x[1]", /must be a list of 2, got an object/],
    ["/predict", [[{ speed: 1, turn: 2 }], [{ speed: null, turn: {} }]], 400, "[1][0].turn", /got an object/],
    ["/streams/a?steps=12345678901234567890", [1, 2], 400, "steps", /15 digits/],
    ["/predict?attention=yes", { x: X }, 400, "attention", /must be true or false/],
    ["/v1/models/moves:predict", {}, 400, "instances", /an object with instances/],
    ["/v1/models/moves:predict", { instances: 1 }, 400, "instances", /must be a list/],
    ["/v1/models/moves:predict", { instances: [X, { x: [["a", 1]] }] }, 400, "instances[1].x[0][0]", /got "a"/],
    ["/invocations", { inputs: [] }, 400, "inputs", /no sequences/],
    ["/invocations", { dataframe_split: { columns: ["a"] } }, 400, "dataframe_split.data", /list of rows/],
    [
      "/invocations",
      { dataframe_split: { columns: ["a"], data: [[1, 2]] } },
      400,
      "dataframe_split.data[0]",
      /1 cells/,
    ],
    ["/invocations", { dataframe_records: [1] }, 400, "dataframe_records[0]", /an object/],
    ["/invocations", { dataframe_records: [{ id: "a", t: 0, speed: 1 }] }, 400, "turn", /no column turn/],
    ["/v2/models/moves/infer", {}, 400, "inputs", /a list of tensors/],
    [
      "/v2/models/moves/infer",
      { inputs: [{ name: "y", shape: [1, 1, 2], datatype: "FP32", data: [1, 2] }] },
      400,
      "inputs",
      /must be x/,
    ],
    [
      "/v2/models/moves/infer",
      { inputs: [{ name: "x", shape: [1, 0], datatype: "FP32", data: [] }] },
      400,
      "inputs[0].shape",
      /integers from 1 to 2147483647/,
    ],
    [
      "/v2/models/moves/infer",
      { inputs: [{ name: "x", shape: [1, 1, 2], datatype: "F", data: [1, 2] }] },
      400,
      "inputs[0].datatype",
      /one of BOOL/,
    ],
    [
      "/v2/models/moves/infer",
      { inputs: [{ name: "x", shape: [1, 1, 2], datatype: "FP32", data: [1] }] },
      400,
      "inputs[0].data",
      /must have 2 elements/,
    ],
    [
      "/v2/models/moves/infer",
      { inputs: [{ name: "x", shape: [1, 1, 2], datatype: "FP32", data: ["a", 1] }] },
      400,
      "inputs[0].data[0]",
      /finite numbers/,
    ],
    ...[["INT32", 3.5], ["INT8", 300], ["UINT8", -1], ["BOOL", 2]].map(([datatype, value]) =>
      [
        "/v2/models/moves/infer",
        { inputs: [{ name: "x", shape: [1, 1, 2], datatype, data: [1, value] }] },
        400,
        "inputs[0].data[1]",
        /holds/,
      ] as const
    ),
    [
      "/v2/models/moves/infer",
      { inputs: Array(2).fill({ name: "x", shape: [1, 1, 2], datatype: "FP32", data: [1, 2] }) },
      400,
      "inputs",
      /"x" twice/,
    ],
    ["/invocations", { instances: [X], inputs: [X] }, 400, "inputs", /not both/],
    [
      "/v2/models/moves/infer",
      { inputs: [{ name: "x", shape: [1, 1, 2], datatype: "FP32", data: [1, 2] }], outputs: [{ name: "z" }] },
      400,
      "outputs[0].name",
      /one of label, probabilities/,
    ],
    ["/streams/a?steps=-1", [1, 2], 400, "steps", /integer from 0/],
    [`/streams/${"k".repeat(201)}`, [1, 2], 400, "key", /200 characters/],
  ];

Deno.test("bad bodies are refused with the field and what is wrong, never a stack", async () => {
  await using service = await opened({ moves: await moves() });
  for (const [path, body, status, field, words] of WRONG) {
    const found = await service.post(path, body), { error } = found.json;
    const what = `${path} ${JSON.stringify(body).slice(0, 60)}: ${found.text}`;
    assert.equal(found.status, status, what);
    assert.match(String(error), words, what);
    assert.equal(found.json.field, field, what);
    assert.doesNotMatch(found.text, /\bat .*:\d+:\d+|\.ts/, what);
  }
  assert.deepEqual(Object.keys(Object.prototype), []);
  // It is as well as before.
  assert.equal((await service.post("/predict", X)).status, 200);
});

Deno.test("an object that no text can be made of is named where a number should be", async () => {
  await using service = await opened({ dates: await dates() });
  for (const body of [{ x: [{ toString: 1 }] }, [{ x: "1/2/1999", start: { toString: 1 } }]]) {
    const { status, json } = await service.post("/predict", body);
    assert.equal(status, 400);
    assert.match(String(json.error), /must be numbers, got an object/);
  }
});

Deno.test("JSON that nests deeply is refused by models of every kind, at every path", async () => {
  await using service = await opened(await everyKind());
  const deep = "[".repeat(20_000) + "]".repeat(20_000);
  for (const name of ["plain", "moves", "reviews", "sales", "dates", "series"]) {
    for (
      const body of [
        deep,
        `{"x":${deep}}`,
        `{"x":[[1,2]],"y":${deep}}`,
        `{"instances":[${deep}]}`,
        `{"inputs":${deep}}`,
      ]
    ) {
      for (const path of [`/models/${name}/predict`, `/v1/models/${name}:predict`, `/v2/models/${name}/infer`]) {
        const { status, json } = await service.post(path, body);
        assert.equal(status, 400, `${path} ${body.slice(0, 20)}`);
        assert.match(String(json.error), /nests deeper/);
      }
    }
  }
});

Deno.test("what there is not is said with what there is; other methods and types are refused", async () => {
  await using service = await opened({ moves: await moves() });
  const nothing = await service.get("/nothing");
  assert.equal(nothing.status, 404);
  assert.match(String(nothing.json.error), /there is \/, \/openapi\.json, \/predict,/);
  const other = await service.post("/models/other/predict", X);
  assert.deepEqual([other.status, other.json.error], [404, 'there is no model "other": there is moves']);
  assert.equal((await service.post("/models/__proto__/predict", X)).status, 404);
  assert.equal((await service.get("/models/%zz/predict")).status, 405);
  assert.equal((await service.post("/models/%zz/predict", X)).status, 400);
  const get = await service.get("/predict");
  assert.deepEqual([get.status, get.headers.get("allow")], [405, "POST"]);
  // Servers leave its body out, whose length they say.
  assert.equal((await service.ask(got("/health/live", "HEAD"))).status, 200);
  for (const type of ["application/x-www-form-urlencoded", "", "image/png", "application/json; charset=utf-16"]) {
    assert.equal((await service.post("/predict", X, { "content-type": type })).status, 415, type);
  }
});

Deno.test("bodies have a limit, which holds for what is packed too, and the refusal names it", async () => {
  await using service = await opened({ moves: await moves() }, { maxBody: 1000 });
  const long = JSON.stringify({ x: X, pad: " ".repeat(1000) }), short = JSON.stringify({ x: X });
  const pack = async (text: string) => {
    const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const gzip = { "content-encoding": "gzip" };
  const chunked = (text: string) =>
    new Request("http://localhost/predict", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new Blob([text.slice(0, 500), text.slice(500)]).stream(),
    });
  const large = [
    await service.post("/predict", long),
    await service.post("/predict", long, { "content-length": "5" }),
    await service.post("/predict", short, { "content-length": "5000" }),
    await service.ask(chunked(long)),
    await service.post("/predict", await pack(" ".repeat(100_000)), gzip),
  ];
  for (const { status, text } of large) {
    assert.equal(status, 413, text);
    assert.match(text, /1000 bytes.*--max-body/);
  }
  assert.equal((await service.ask(chunked(short))).status, 200);
  assert.equal((await service.post("/predict", await pack(short), gzip)).status, 200);
  assert.equal((await service.post("/predict", short, gzip)).status, 400);
  assert.equal((await service.post("/predict", await pack(short))).status, 415);
  // Members one after the other are one body; what is damaged or cut off is none.
  const members = [await pack(short.slice(0, 40)), await pack(short.slice(40))], whole = await pack(short);
  const both = Uint8Array.from(members.flatMap((member) => [...member]));
  assert.equal((await service.post("/predict", both, gzip)).status, 200);
  for (const broken of [whole.slice(0, -9), whole.with(10, whole[10]! | 6), whole.with(2, 9)]) {
    const { status, json } = await service.post("/predict", broken, gzip);
    assert.deepEqual([status, json.error], [400, "cannot read body: its gzip is damaged or cut off"]);
  }
  assert.equal((await service.post("/predict", short, { "content-encoding": "br" })).status, 415);
});

Deno.test("requests that come before all is loaded are counted and answered", async () => {
  const model = await moves(), handler = createHandler({ model });
  const answer = handler(asked("/predict", X)), drained = handler.drain();
  assert.equal(handler.inFlight, 1);
  const { status, headers } = await answer;
  assert.deepEqual([status, headers.get("connection")], [200, "close"]);
  await drained;
  assert.equal(handler.inFlight, 0);
  await handler.dispose();
  model.model.dispose();
});

Deno.test("a body that does not come in time is given up", async () => {
  await using service = await opened({ moves: await moves() }, { bodyTimeout: 20 });
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode("{")) });
  const request = () =>
    new Request("http://localhost/predict", { method: "POST", body, headers: { "content-type": "application/json" } });
  // Its clock keeps no program alive.
  const alive = setInterval(() => {}, 1000);
  const { status, json } = await service.ask(request());
  clearInterval(alive);
  assert.deepEqual([status, json.error], [408, "the body did not come within 0.02 s"]);
  assert.equal(service.handler.inFlight, 0);
});

Deno.test("with a token, all but the questions about health need it", async () => {
  await using service = await opened({ moves: await moves() }, { token: "a secret" });
  for (const path of ["/health/live", "/health/ready", "/ping", "/v2/health/ready", "/v2/models/moves/ready"]) {
    assert.equal((await service.get(path)).status, 200, path);
  }
  for (const given of [undefined, "a secret", "Bearer a secre", "Bearer a secrets", "Bearer ", "bearer b secret"]) {
    for (const path of ["/predict", "/nothing", "/streams/a"]) {
      const { status, headers } = await service.post(path, X, given === undefined ? {} : { authorization: given });
      assert.deepEqual([status, headers.get("www-authenticate")], [401, "Bearer"], `${path} ${given}`);
    }
  }
  assert.equal((await service.post("/predict", X, { authorization: "Bearer a secret" })).status, 200);
  assert.equal((await service.get("/", {})).status, 401);
});

Deno.test("pages of one origin may ask where that is said", async () => {
  await using service = await opened({ moves: await moves() }, { cors: "https://example.org" });
  const preflight = await service.ask(got("/predict", "OPTIONS"));
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers.get("access-control-allow-methods")!, /POST/);
  for (const { headers } of [preflight, await service.post("/predict", X), await service.post("/predict", "{")]) {
    assert.equal(headers.get("access-control-allow-origin"), "https://example.org");
    assert.equal(headers.get("vary"), "origin");
  }
  await using closed = await opened({ moves: await moves() });
  assert.equal((await closed.post("/predict", X)).headers.get("access-control-allow-origin"), null);
  assert.equal((await closed.ask(got("/predict", "OPTIONS"))).status, 405);
});

Deno.test("streams say after every sample what the whole sequence does, to the bit", async () => {
  const random = new Random(5, "data"), steps = Array.from({ length: 20 }, () => [random.normal(), random.normal()]);
  for (const model of [await moves(), await plain(), await moves({ everyStep: true })]) {
    await using service = await opened({ model });
    for (const [t, step] of steps.entries()) {
      const { json } = await service.post("/streams/a?attention=true", step);
      const whole = (await service.post("/predict?attention=true", steps.slice(0, t + 1))).json;
      const own = json.prediction as Json, last = Array.isArray(whole) ? whole.at(-1) : whole;
      assert.deepEqual([json.steps, own.probabilities], [t + 1, last.probabilities]);
      if (!Array.isArray(whole)) assert.deepEqual(own.attention, whole.attention);
    }
    // Another key begins at its start; several samples are taken at once.
    const { json } = await service.post("/streams/b", steps),
      whole = (await service.post("/streams/c", { x: steps })).json;
    assert.deepEqual(json, whole);
    assert.equal((json.prediction as Json[]).length, 20);
    assert.deepEqual((await service.get("/streams/b")).json, { steps: 20 });
    assert.equal((await service.ask(got("/streams/b", "DELETE"))).status, 204);
    assert.equal((await service.get("/streams/b")).status, 404);
  }
});

Deno.test("a missing value of a sample is that of the one before, as in the whole sequence", async () => {
  await using service = await opened({ moves: await moves({ missing: "last" }) });
  const steps = [[1, null], [2, 3], [null, 4], [null, null], [5, 6]];
  for (const [t, step] of steps.entries()) {
    const { prediction } = (await service.post("/streams/a", step)).json;
    // A sequence ends with its last value.
    const whole = (await service.post(
      "/predict",
      [...steps.slice(0, t + 1)].map((own, i) => i === 3 ? [2, 4] : own),
    )).json;
    assert.deepEqual((prediction as Json).probabilities, whole.probabilities, `step ${t}`);
  }
});

Deno.test("samples without values are steps, however they are grouped", async () => {
  await using service = await opened({ moves: await moves({ missing: "last" }) });
  const steps = [[1, 2], [null, null], [null, null], [3, 4], [null, null]];
  for (const step of steps) await service.post("/streams/a", step);
  const groups = [
    await service.post("/streams/b", steps.slice(0, 3)),
    await service.post("/streams/b", steps.slice(3)),
  ];
  assert.deepEqual(groups.map(({ json }) => json.steps), [3, 5]);
  const [a, b] = [await service.post("/streams/a", [5, 6]), await service.post("/streams/b", [5, 6])];
  assert.equal(a.json.steps, 6);
  assert.deepEqual(b.json, a.json);
});

Deno.test("texts stream token by token", async () => {
  await using service = await opened({ reviews: await reviews() });
  const words = ["the film", "was", "good"];
  let last: Json = {};
  for (const word of words) last = (await service.post("/streams/a", { x: word })).json;
  const whole = (await service.post("/predict", JSON.stringify(words.join(" ")))).json;
  assert.deepEqual([last.steps, (last.prediction as Json).probabilities], [4, whole.probabilities]);
});

Deno.test("of too many streams the one used the longest ago gives way, which its next sample is told", async () => {
  await using service = await opened({ moves: await moves() }, { maxStreams: 2 });
  for (const key of ["a", "b", "a", "c"]) await service.post(`/streams/${key}`, [1, 2]);
  assert.deepEqual((await service.get("/streams/a")).json, { steps: 2 });
  const lost = await service.post("/streams/b?steps=1", [1, 2]);
  assert.equal(lost.status, 409);
  assert.match(String(lost.json.error), /has 0 steps, not 1: it gave way/);
  assert.equal((await service.post("/streams/a?steps=2", [1, 2])).json.steps, 3);
  assert.equal((await service.post("/streams/a?steps=2", [1, 2])).status, 409);
  await using short = await opened({ moves: await moves() }, { maxStreamSteps: 10 });
  for (const key of ["a", "b"]) await short.post(`/streams/${key}`, Array(6).fill([1, 2]));
  assert.deepEqual([(await short.get("/streams/a")).status, (await short.get("/streams/b")).status], [404, 200]);
});

Deno.test("a wrong sample leaves the stream as it was; what has no streams says so", async () => {
  await using service = await opened({ moves: await moves(), sales: await sales(), dates: await dates() });
  await service.post("/models/moves/streams/a", [1, 2]);
  for (const wrong of [[1], [1, "a"], [1, null], [[1, 2], [1, 2, 3]], [[1, 2], [3, "x"]], "text", 1, []]) {
    assert.equal((await service.post("/models/moves/streams/a", JSON.stringify(wrong))).status, 400, String(wrong));
  }
  assert.equal((await service.get("/models/moves/streams/a")).json.steps, 1);
  for (const name of ["sales", "dates"]) {
    const { status, json } = await service.post(`/models/${name}/streams/a`, name === "dates" ? '"a"' : "[1]");
    assert.equal(status, 400);
    assert.match(String(json.error), /has no streams: it/);
  }
});

Deno.test("a model is replaced without a request lost; one that cannot be served leaves the old one", async () => {
  const first = await moves(), second = await plain();
  await using service = await opened({ model: first });
  const before = (await service.post("/predict", X)).json;
  await service.post("/streams/a", [1, 2]);
  const { model } = second;
  await assert.rejects(service.handler.replace("model", { model, preprocessing: { kind: "nothing" } }));
  assert.deepEqual((await service.post("/predict", X)).json, before);
  const asking = Array.from({ length: 50 }, () => service.post("/predict", X));
  await service.handler.replace("model", second);
  for (const { status } of await Promise.all(asking)) assert.equal(status, 200);
  assert.ok("class" in (await service.post("/predict", X)).json);
  assert.equal((await service.get("/streams/a")).status, 404);
  await assert.rejects(service.handler.replace("other", second), /there is no model/);
  // One that is on its way, which never comes.
  await assert.rejects(service.handler.replace("model", Promise.reject(new Error("lost"))), /lost/);
  const { text } = await service.get("/metrics");
  assert.match(text, /^grutto_reloads_total\{model="model",result="loaded"\} 1$/m);
  assert.match(text, /^grutto_reloads_total\{model="model",result="failed"\} 2$/m);
  first.model.dispose();
});

Deno.test("a service that drains is not ready, still answers, and asks to close connections", async () => {
  await using service = await opened({ moves: await moves() });
  let send = (_: Uint8Array) => {}, close = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      send = (bytes) => controller.enqueue(bytes);
      close = () => controller.close();
    },
  });
  const request = new Request("http://localhost/predict", {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  const slow = service.ask(request);
  let isDrained = false;
  const drained = service.handler.drain().then(() => isDrained = true);
  for (const path of ["/health/ready", "/v2/health/ready", "/v2/models/moves/ready", "/ping"]) {
    assert.equal((await service.get(path)).status, 503, path);
  }
  assert.equal((await service.get("/health/live")).status, 200);
  const other = await service.post("/predict", X);
  assert.deepEqual([other.status, other.headers.get("connection"), isDrained], [200, "close", false]);
  send(new TextEncoder().encode(JSON.stringify({ x: X })));
  close();
  assert.deepEqual((await slow).json, other.json);
  await drained;
});

Deno.test("what failed here is told to the log, not to who asked", async () => {
  const entries: { time: string; status: number; error?: string }[] = [], model = await plain();
  await using service = await opened({ model }, { onAnswer: (entry) => entries.push(entry) });
  await service.post("/predict?attention=false", X);
  await service.handler.dispose();
  const { status, json } = await service.post("/predict", X);
  assert.deepEqual([status, Object.keys(json)], [404, ["error"]]);
  const [first] = entries;
  assert.equal(new Date(first!.time).toISOString(), first!.time);
  assert.ok(Math.abs(Date.now() - Date.parse(first!.time)) < 60_000);
  assert.deepEqual({ ...first, time: "", ms: 0 }, {
    time: "",
    method: "POST",
    path: "/predict",
    status: 200,
    ms: 0,
    model: "model",
    sequences: 1,
  });
  const broken = createHandler({ model: { model: { ...model.model, loss: "mse" } as never } });
  await assert.rejects(broken.opened);
  const answer = await broken(asked("/predict", X));
  assert.deepEqual([answer.status, await answer.json()], [500, { error: "the service failed: its log says why" }]);
});

Deno.test("the page, the document and the numbers of a service", async () => {
  await using service = await opened({ moves: await moves() });
  const page = await service.get("/");
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert.match(page.text, /^<!doctype html>/);
  const { openapi, paths } = (await service.get("/openapi.json")).json as {
    openapi: string;
    paths: Record<string, Json>;
  };
  assert.equal(openapi, "3.1.0");
  // Every path is there, and every reference leads somewhere.
  const text = (await service.get("/openapi.json")).text, { components } = JSON.parse(text);
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
    assert.ok(components.schemas[name!], `${name}`);
  }
  for (const path of ["/predict", "/v2/models/{model}/infer", "/invocations", "/metrics"]) assert.ok(paths[path], path);
  const ids = Object.values(paths).flatMap((methods) => Object.values(methods).map((one) => (one as Json).operationId));
  assert.equal(new Set(ids).size, ids.length);
  const numbers = await service.get("/metrics");
  assert.match(numbers.text, /^grutto_requests_total\{route="\/openapi\.json",method="GET",status="200"\} 2$/m);
  for (const line of numbers.text.trimEnd().split("\n")) {
    assert.match(line, /^# (HELP|TYPE) \w+ .+$|^\w+(\{.*\})? [\d.e+-]+$/);
  }
});

Deno.test("wrong options and names fail with a code", async () => {
  const model = await plain(),
    wrong = (models: unknown, options?: unknown) => () => createHandler(models as never, options as never);
  assert.throws(wrong({}), /there are no models/);
  assert.throws(wrong({ "a/b": model }), /one part of a path/);
  assert.throws(wrong({ a: {} }), /models\.a must be an object with model/);
  for (
    const options of [
      { maxBody: 0 },
      { token: 1 },
      ...["", "schlüssel", "a\n", " a"].map((token) => ({ token })),
      { onAnswer: 1 },
      { other: 1 },
      { maxStreams: 1.5 },
    ]
  ) {
    assert.throws(
      wrong({ model }, options),
      (error: Error) => (error.cause as Json).code !== undefined,
      JSON.stringify(options),
    );
  }
  model.model.dispose();
});
