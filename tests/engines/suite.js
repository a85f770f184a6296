/**
 * What every engine must do to the bit: trainings from data to files, with the library that is passed in. No engine's name
 * is in here.
 *
 * @module
 */

const utf8 = new TextEncoder();

/** SHA-256 of texts and arrays. */
async function hash(...parts) {
  const bytes = parts.map((part) =>
    typeof part === "string" ? utf8.encode(part) : new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
  );
  const all = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of bytes) {
    all.set(part, at);
    at += part.length;
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  return Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function collect(records) {
  const all = [];
  for await (const record of records) all.push(record);
  return all;
}

const losses = (history) =>
  Float64Array.from(history.flatMap(({ trainLoss, validationLoss }) => [trainLoss, validationLoss ?? 0]));

/** Everything that is left of a training: its losses, its weights, and what it is saved as. */
async function remains(g, model, history, preprocessing) {
  const state = await model.stateDict(), file = await g.modelFile(model, { preprocessing });
  const found = {
    losses: await hash(losses(history)),
    weights: await hash(...Object.values(state).map(({ data }) => data)),
    checkpoint: await hash(await g.formatCheckpoint({ model, preprocessing })),
  };
  for (const format of ["safetensors", "pt", "onnx"]) found[format] = await hash(g.writeModel(file, format));
  return found;
}

/** The sample job, as `deno task train` runs it. */
async function sample(g, options) {
  const data = g.sampleDataset({ seed: 1 }), [training, validation] = g.randomSplit(data, [0.8, 0.2], 1);
  const config = { inputSize: 5, hiddenSize: 10, outputSize: 2, dropout: 0.5, loss: "bce" };
  const model = await g.createModel(config, { seed: 1, ...options });
  const history = await g.train(model, training, { epochs: 10, batchSize: 32, validation });
  const { outputs, attentionWeights } = await g.predict(model, validation);
  const predictor = await g.createPredictor(model), one = predictor.predict(validation.x.slice(0, 50));
  const found = {
    data: await hash(data.x),
    ...await remains(g, model, history),
    predictions: await hash(outputs.data, attentionWeights.data),
    prediction: await hash(one.outputs, one.attentionWeights),
    device: model.device.description,
  };
  predictor.dispose();
  model.dispose();
  return found;
}

/** Classes or text from a file, with all that is made of them. */
async function classes(g, options, name, bytes, reading, config) {
  const source = await g.readRecords({ name, stream: () => new Blob([bytes]).stream() }, reading);
  const records = await collect(source.records);
  const [training, test] = g.stratifiedSplit(records.map(({ labels }) => labels[0]), [0.8, 0.2], 0)
    .map((rows) => Array.from(rows, (i) => records[i]));
  const pipeline = g.Pipeline.fit(training);
  const { inputSize, outputSize, numEmbeddings, paddingIdx, loss } = pipeline;
  const model = await g.createModel({ inputSize, outputSize, numEmbeddings, paddingIdx, loss, ...config }, {
    seed: 2,
    ...options,
  });
  const trainingOf = new g.Training(model, pipeline.dataset(training), {
    epochs: 8,
    optimizer: { learningRate: 0.02 },
    validation: pipeline.dataset(test),
    schedule: { name: "cosine" },
  });
  const history = await trainingOf.run(), preprocessing = pipeline.toJSON();
  const described = await g.describePredictions(model, pipeline, test);
  const checkpoint = await g.formatCheckpoint({ model, training: trainingOf, preprocessing });
  const { module } = options, again = await g.parseCheckpoint(checkpoint, "checkpoint", module ? { module } : {});
  const found = {
    preprocessing: await hash(JSON.stringify(preprocessing)),
    ...await remains(g, model, history, preprocessing),
    training: await hash(checkpoint),
    resumed: await hash(...Object.values(await again.model.stateDict()).map(({ data }) => data)),
    report: await hash(g.htmlReport({ title: name, history, ...described })),
    plot: await hash(g.plotHistory(history)),
  };
  again.model.dispose();
  model.dispose();
  return found;
}

/** A forecast from a table. */
async function forecast(g, options, name, bytes) {
  const table = await g.readTable({ name, stream: () => new Blob([bytes]).stream() }), part = [0, table.rows - 20];
  const settings = { targetColumns: ["sales"], window: 12, transform: "logDifference" };
  const pipeline = g.ForecastPipeline.fit(table, settings, part), { inputSize, outputSize } = pipeline;
  const model = await g.createModel({ inputSize, outputSize, hiddenSize: 12, cell: "lstm", loss: "mse" }, {
    seed: 3,
    ...options,
  });
  const history = await g.train(model, pipeline.dataset(table, part), { epochs: 5 });
  const inputs = pipeline.inputs(table), { outputs } = await g.predict(model, inputs);
  const found = {
    ...await remains(g, model, history, pipeline.toJSON()),
    values: await hash(Float64Array.from(pipeline.decode(outputs.data, inputs))),
  };
  model.dispose();
  return found;
}

/** Files of the kinds that need an unpacker or a parser. */
async function readers(g) {
  const read = async (name, stream) => await collect((await g.readRecords({ name, stream })).records);
  const quoted = await read("quoted.csv", () => new Blob(['label,a,b\n"x, y",1,2\n"z",3,4\n']).stream());
  const packed = new Blob(["label,a,b\nx,1,2\nz,3,4\n"]).stream().pipeThrough(new CompressionStream("gzip"));
  const gz = await new Response(packed).blob();
  const arrays = { x: { shape: [2, 3, 1], data: new Float32Array(6) }, y: { shape: [2], data: Int32Array.of(0, 1) } };
  const npz = await g.writeNpz(arrays);
  return {
    quoted: quoted.map(({ labels }) => labels[0]).join("|"),
    gzip: (await read("packed.csv.gz", () => gz.stream())).length,
    npz: (await read("arrays.npz", () => new Blob([npz]).stream())).length,
  };
}

/** A service as a function of requests: what it answers by every convention, and how it refuses. */
async function service(g, options, bytes) {
  const reading = { sequenceColumn: "id", timeColumn: "t", labelColumns: ["kind"] };
  const source = await g.readRecords({ name: "moves.csv", stream: () => new Blob([bytes]).stream() }, reading);
  const pipeline = g.Pipeline.fit(await collect(source.records), { channelNames: ["speed", "turn"] });
  const { inputSize, outputSize, loss } = pipeline, config = { inputSize, hiddenSize: 7, outputSize, loss };
  const model = await g.createModel(config, { seed: 4, ...options });
  const lines = [], onAnswer = ({ path, status, sequences }) => lines.push(`${path} ${status} ${sequences}`);
  const handler = g.createHandler({ moves: { model, preprocessing: pipeline.toJSON() } }, { maxBody: 2000, onAnswer });
  const ask = async (path, body, headers = {}) => {
    const method = body === undefined ? "GET" : "POST", type = { "content-type": "application/json", ...headers };
    const response = await handler(new Request(`http://localhost${path}`, { method, body, headers: type }));
    return `${response.status} ${await response.text()}`;
  };
  const x = "[[1.5,-2],[0.25,3],[0.001,4]]";
  const packed = new Blob([`{"x":${x}}`]).stream().pipeThrough(new CompressionStream("gzip"));
  const gzip = await new Response(packed).arrayBuffer();
  const tensor = `{"name":"x","shape":[1,3,2],"datatype":"FP64","data":${x}}`;
  const found = {
    one: await ask("/predict?attention=true", `{"x":${x}}`),
    many: await ask("/v1/models/moves:predict", `{"instances":[${x},${x}]}`),
    lines: await ask("/predict", `${x}\n${x}\n`, { "content-type": "application/x-ndjson" }),
    tensors: await ask("/v2/models/moves/infer", `{"inputs":[${tensor}]}`),
    packed: await ask("/predict", gzip, { "content-encoding": "gzip" }),
    large: await ask("/predict", new Uint8Array(3000)),
    wrong: await ask("/predict", '[{"x":[[1,2]]},{"x":[[1,"a"]]}]'),
    nothing: await ask("/nothing"),
    samples: [await ask("/streams/a", "[1.5,-2]"), await ask("/streams/a?steps=1", "[[0.25,3],[0.001,4]]")].join(),
    openapi: await hash(await ask("/openapi.json")),
    page: (await ask("/")).slice(0, 19),
    ready: await ask("/health/ready"),
  };
  await handler.drain();
  found.draining = await ask("/health/ready");
  found.log = lines.join("|");
  await handler.dispose();
  model.dispose();
  return found;
}

/** A checkpoint at a path: "kept", or what is said where there are no files. */
export async function paths(g, path) {
  const config = { inputSize: 1, hiddenSize: 1, outputSize: 1, loss: "mse" };
  const model = await g.createModel(config, { simd: "plain" });
  try {
    await g.saveCheckpoint(path, { model });
    await g.saveCheckpoint(path, { model });
    const loaded = await g.loadCheckpoint(path), text = await g.formatCheckpoint({ model });
    const same = text === await g.formatCheckpoint({ model: loaded.model });
    loaded.model.dispose();
    return same ? "kept" : "it differs";
  } catch (error) {
    return error.message;
  } finally {
    model.dispose();
  }
}

/**
 * Runs it all.
 *
 * @param g The library.
 * @param files "moves.csv", "reviews.txt" and "sales.csv" as bytes.
 * @param options Of createModel.
 */
export async function suite(g, files, options = {}) {
  const own = { threads: 1, simd: "plain", ...options };
  return {
    sample: await sample(g, own),
    moves: await classes(
      g,
      own,
      "moves.csv",
      files["moves.csv"],
      { sequenceColumn: "id", timeColumn: "t", labelColumns: ["kind"] },
      { hiddenSize: 13, numLayers: 2, bidirectional: true, dropout: 0.3 },
    ),
    reviews: await classes(g, own, "reviews.txt", files["reviews.txt"], {}, { hiddenSize: 9, dropout: 0.2 }),
    sales: await forecast(g, own, "sales.csv", files["sales.csv"]),
    readers: await readers(g),
    service: await service(g, own, files["moves.csv"]),
  };
}

/** The devices that a page or a program finds. */
export async function threads(g) {
  const data = g.sampleDataset({ seed: 1, size: 600, steps: 20, features: 16 });
  const results = [];
  for (const threads of [1, 2]) {
    const config = { inputSize: 16, hiddenSize: 64, outputSize: 2, loss: "bce" };
    const model = await g.createModel(config, { seed: 1, threads, simd: "plain" });
    const history = await g.train(model, data, { epochs: 1, batchSize: 200 });
    results.push({ losses: await hash(losses(history)), why: model.device.withoutThreads ?? "" });
    model.dispose();
  }
  return { same: results[0].losses === results[1].losses, why: results[1].why };
}
