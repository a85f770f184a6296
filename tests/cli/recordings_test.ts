/** The command line on recordings: windows with labels, groups, a table of labels, a file per sequence. */

import assert from "node:assert/strict";
import { loadFflate } from "../../deps.ts";
import { assertWorks, Place } from "./run.ts";

const ACTIVITIES = ["run", "sit", "walk"];
const HEAD = "user,activity,timestamp,ax,ay";
const level = { run: 4, sit: 0, walk: 1 } as Record<string, number>;

/** Six people, each with 30 rows of three activities, the next at times of its own. */
const ROWS = Array.from({ length: 6 }, (_, user) =>
  Array.from({ length: 90 }, (_, t) => {
    const activity = ACTIVITIES[(Math.floor(t / 30) + user) % 3]!, sign = t % 2 ? -1 : 1;
    const ax = sign * level[activity]! + 0.1 * Math.sin(t * (user + 1)), ay = level[activity]! + 0.1 * Math.cos(t);
    return `u${user},${activity},${1000 * user + 20 * t},${ax.toFixed(4)},${ay.toFixed(4)}`;
  })).flat();
const TABLE = `${[HEAD, ...ROWS].join("\n")}\n`;
const COLUMNS = "--label-column activity --sequence-column user --time-column timestamp";
const lines = (text: string) => text.trimEnd().split("\n");

Deno.test("recordings with a label per row: trained by windows, split by recording, predicted window by window", async () => {
  await using place = await Place.make();
  place.write("raw.csv", TABLE);
  const train = `train raw.csv ${COLUMNS} --window 20 --stride 10 --window-label last`;
  const trained = await place.run(
    `${train} --epochs 30 --lr 0.02 --restore-best --checkpoint ck --validation-split 0.2`,
  );
  assertWorks(trained);
  assert.match(trained.out, /raw\.csv: 32 sequences, 20 steps of 2, 3 classes/);
  assert.match(trained.out, /validation: 8 sequences of 1 group: u\d\n +test: 8 sequences of 1 group: u\d\n/);
  assert.match(trained.out, /test of 8 sequences: .*accuracy (8|9|10)\d/);
  // New recordings without labels, in another order of columns, one of them too short for a window.
  const cells = (row: string) => row.split(",");
  const rows = ROWS.slice(0, 99).map(cells).map(([user, , t, ax, ay]) => [t, ay, user === "u1" ? "u9" : user, ax]);
  place.write("new.csv", ["timestamp,ay,user,ax", ...rows.map((row) => row.join(","))].join("\n"));
  const [json, csv, scored, labeled] = await Promise.all([
    place.run("predict ck/best.json --input new.csv"),
    place.run("predict ck/best.json --input new.csv --output csv"),
    place.run("evaluate ck/best.json raw.csv"),
    place.run("predict ck/best.json raw.csv"),
  ]);
  // Labels that change within a recording are no fault of data to predict.
  assert.equal(lines(labeled.out).length, 48);
  for (const { code } of [json, csv, scored]) assert.equal(code, 0);
  const found = lines(json.out).map((line) => JSON.parse(line));
  assert.deepEqual(
    found.map(({ id, from, to }) => [id, from, to]),
    [0, 10, 20, 30, 40, 50, 60, 70].map((from) => [
      "u0",
      from,
      from + 20,
    ]),
  );
  assert.match(json.err, /note: 1 recording left out: shorter than the window of 20 rows/);
  const sure = found.filter(({ from }) => from % 30 <= 10).map(({ from, label }) =>
    label === ACTIVITIES[Math.floor(from / 30)]
  );
  assert.ok(sure.filter(Boolean).length >= sure.length - 1, json.out);
  assert.deepEqual(
    lines(csv.out).slice(0, 2).map((line) => line.split(",").slice(0, 4)),
    [["id", "from", "to", "label"], ["u0", "0", "20", found[0].label]],
  );
  assert.match(scored.out, /test of 48 sequences/);
});

Deno.test("recordings with a label per row: what is not said is refused with the flag to use", async () => {
  await using place = await Place.make();
  place.write("raw.csv", TABLE);
  const refused = [
    [
      "--label-column activity --sequence-column user --window 20",
      /column timestamp is a time.*: --time-column timestamp/,
    ],
    [`${COLUMNS}`, /must be the same throughout sequence "u0".*: --window N cuts/],
    [`${COLUMNS} --stride 5`, /--stride needs --window N/],
    [`${COLUMNS} --window 500`, /there is no sequence in raw\.csv: 6 recordings left out: shorter than the window/],
    [`${COLUMNS} --window 20 --horizon 3`, /--horizon needs --target-column/],
    ["--window 20", /no column is called label.*: --target-column NAME for forecasts, --label-column NAME/],
    [`${COLUMNS} --window 20 --key user`, /--key needs --labels-table/],
  ] as const;
  for (const [flags, message] of refused) {
    const { code, err } = await place.run(`train raw.csv ${flags}`);
    assert.ok(code === 1 || code === 2, flags);
    assert.match(err, message);
  }
});

Deno.test("a label for every step: trained, resumed to the same bits, scored and predicted row by row", async () => {
  await using place = await Place.make();
  place.write("raw.csv", TABLE);
  const train = `train raw.csv ${COLUMNS} --label-every-step --bidirectional --lr 0.02`;
  const [trained, half] = await Promise.all([
    place.run(`${train} --epochs 16 --checkpoint ck --report run.html`),
    place.run(`${train} --epochs 8 --checkpoint half`),
  ]);
  assertWorks(trained);
  assertWorks(half);
  assert.match(trained.out, /raw\.csv: 5 sequences, 90 steps of 2, 3 classes/);
  assert.match(trained.out, /test of 90 steps: .*accuracy (9\d|100)\./);
  assert.match(trained.out, /^class +precision +recall +F1 +steps$/m);
  assert.match(place.read("run.html"), /<small>of 90 steps/);
  const resumed = await place.run("train --resume half/last.json --epochs 16 --checkpoint half");
  const scores = (text: string) => text.match(/test of 90 steps: .*/)![0];
  assert.equal(scores(resumed.out), scores(trained.out));
  const [json, csv, evaluated, labels, table, started] = await Promise.all([
    place.run("predict ck/last.json raw.csv"),
    place.run("predict ck/last.json raw.csv --output csv"),
    place.run("evaluate ck/last.json"),
    place.run(`${train} --window-label last --window 10`),
    place.run(`${train} --labels-table raw.csv --key user`),
    place.run(`${train} --patch 2`),
  ]);
  const found = lines(json.out).map((line) => JSON.parse(line));
  assert.deepEqual([found.length, found[95].id, found[95].row], [540, "u1", 5]);
  assert.equal(lines(csv.out)[96], `u1,5,${found[95].label},${Object.values(found[95].probabilities).join(",")}`);
  const truth = ROWS.map((row) => row.split(",")[1]);
  assert.ok(found.filter(({ label }, i) => label === truth[i]).length > 500);
  assert.equal(scores(evaluated.out), scores(trained.out));
  assert.match(labels.err, /--window-label and --label-every-step contradict each other/);
  assert.match(table.err, /--label-every-step needs labels in the rows/);
  assert.match(started.err, /patch makes one step of several/);
});

Deno.test("a file per sequence, in a folder or a zip, with labels and groups in a table of their own", async () => {
  await using place = await Place.make();
  Deno.mkdirSync(`${place.path}/recs`);
  const files: Record<string, Uint8Array> = {}, labels = ["file,who,label"];
  for (let i = 0; i < 18; i++) {
    const rows = ROWS.slice(30 * i, 30 * (i + 1)).map((row) => row.split(",")),
      name = `rec${String(i).padStart(2, "0")}`;
    const text = `timestamp,ax,ay\n${rows.map(([, , ...rest]) => rest.join(",")).join("\n")}\n`;
    place.write(`recs/${name}.csv`, text);
    files[`recs/${name}.csv`] = new TextEncoder().encode(text);
    labels.push(`${name},${rows[0]![0]},${rows[0]![1]}`);
  }
  place.write("recs/README.md", "about");
  files["recs/README.md"] = new TextEncoder().encode("about");
  place.write("labels.csv", labels.join("\n"));
  const { zipSync } = await loadFflate();
  Deno.writeFileSync(`${place.path}/recs.zip`, zipSync(files));
  const flags = "--sequence-per-file --time-column timestamp --labels-table labels.csv --key file --group-column who";
  const ask = (data: string, more = "") => place.run(`train ${data} ${flags} --epochs 20 --lr 0.02 ${more}`);
  const [folder, zip, wrong, windows] = await Promise.all([
    ask("recs", "--checkpoint ck"),
    ask("recs.zip", "--checkpoint zipped"),
    place.run(`train recs ${flags.replace("--key file", "--key who")}`),
    ask("recs", "--window 10"),
  ]);
  for (const { code, err } of [folder, zip, windows]) assert.equal(code, 0, err);
  assert.match(folder.out, /recs: 15 sequences, 30 steps of 2, 3 classes/);
  assert.match(folder.out, /test: 3 sequences of 1 group: u\d/);
  assert.match(folder.err, /recs: 1 left out that is no data: README\.md \(about the data\)/);
  assert.match(windows.out, /recs: 45 sequences, 10 steps of 2, 3 classes/);
  const scores = (text: string) => text.match(/test of 3 sequences.*/)![0];
  assert.equal(scores(zip.out), scores(folder.out));
  assert.match(wrong.err, /column who is u0 again/);
  const [predicted, evaluated] = await Promise.all([
    place.run("predict ck/best.json recs.zip"),
    place.run("evaluate ck/best.json recs"),
  ]);
  assert.equal(predicted.code, 0, predicted.err);
  assert.deepEqual(
    lines(predicted.out).map((line) => JSON.parse(line).id),
    Object.keys(files).filter((name) => name.endsWith(".csv")).map((name) => `recs.zip/${name}`),
  );
  assert.match(evaluated.out, /test of 18 sequences/);
  place.write("recs/rec99.csv", "timestamp,ax,ay\n1,2,3\n");
  const unknown = await place.run("evaluate ck/best.json recs");
  assert.match(unknown.err, /labels\.csv: it names no sequence recs\/rec99\.csv: --key NAME is its column with/);
});
