import assert from "node:assert/strict";
import { Random } from "../../core/random.ts";
import { loadCheckpoint } from "../../mod.ts";
import { snapshotChunks, takeSnapshot } from "../../core/train/checkpoint/snapshot.ts";
import { writeDurably } from "../../core/train/durable.ts";
import { assertWorks, Place, ROOT } from "./run.ts";

/** Options that may be joined in any way, those of one row instead of one another. */
const CHOICES = [
  ["", "--cell lstm"],
  ["", "--bidirectional", "--num-layers 2 --layer-dropout 0.1", "--no-bias"],
  ["", "--optimizer adamw --amsgrad", "--optimizer sgd --momentum 0.9", "--optimizer rmsprop", "--optimizer sgd"],
  ["", "--schedule plateau", "--schedule cosine --warmup-steps 3"],
  ["", "--restore-best", "--clip-norm 1", "--accumulate 2"],
];

const SAMPLE = "--epochs 2 --hidden-size 4 --batch-size 16 --quiet --checkpoint ck";
const OWN = `${SAMPLE} --validation-split 0.2`;

/** What is trained: with the files to predict, if it is on files. */
const KINDS: readonly (readonly [train: string, input: string])[] = [
  [`--size 40 --steps 3 ${SAMPLE}`, ""],
  [`--size 40 --steps 3 --loss crossEntropy ${SAMPLE}`, ""],
  [
    `train moves.csv --sequence-column id --time-column t --label-column kind ${OWN}`,
    "--input moves.csv --sequence-column id --time-column t --label-column kind",
  ],
  [`train reviews.txt --format text --tokens words ${OWN}`, "--input reviews.txt"],
  [`train sales.csv --target-column sales --window 6 --horizon 2 ${OWN}`, "--input sales.csv"],
  [`train sales.csv --target-column sales --window 6 --loss quantile --quantiles 0.1,0.9 ${OWN}`, "--input sales.csv"],
];

Deno.test("a checkpoint of any training is read by every command, in either form, and comes back from other formats", async (t) => {
  const random = new Random(11, "data");
  for (const [kind, input] of KINDS) {
    const options = CHOICES.map((row) => row[random.below(row.length)]!).filter(Boolean).join(" ");
    await t.step(`${kind.slice(0, 60)} … ${options}`, async () => {
      await using place = await Place.make();
      for (const name of ["moves.csv", "reviews.txt", "sales.csv"]) {
        Deno.copyFileSync(`${ROOT}/tests/testdata/own/${name}`, `${place.path}/${name}`);
      }
      assertWorks(await place.run(`${kind} ${options}`));
      // The same with its numbers as those of a large file.
      const { model, training, trainer, preprocessing, job } = await loadCheckpoint(`${place.path}/ck/last.json`);
      const snapshot = await takeSnapshot({ model, trainer: trainer!, preprocessing, job: job! });
      model.dispose();
      assert.ok(training);
      await writeDurably(`${place.path}/large.json`, snapshotChunks(snapshot, 0));
      assert.equal(JSON.parse(place.read("large.json")).version, 4);
      const predict = async (file: string) => {
        const result = await place.run(`predict ${file} ${input}`.trim());
        assertWorks(result);
        return result.out;
      };
      const works = async (line: string) => assertWorks(await place.run(line));
      await Promise.all([
        works("convert ck/last.json a.pt --quiet").then(() => works("convert a.pt b.json --quiet")),
        works("convert large.json a.safetensors --quiet").then(() => works("convert a.safetensors c.json --quiet")),
        works("convert ck/last.json a.onnx --quiet"),
      ]);
      const files = ["ck/last.json", "large.json", "a.pt", "a.safetensors", "b.json", "c.json"];
      if (input) {
        const [expected, ...others] = await Promise.all(files.map(predict));
        others.forEach((text, i) => assert.equal(text, expected!, files[i + 1]!));
      }
      assert.equal(place.read("b.json"), place.read("c.json"));
      const [scores, large] = await Promise.all([
        place.run("evaluate ck/last.json"),
        place.run("evaluate large.json"),
        works("--resume ck/last.json --epochs 3 --checkpoint on --quiet"),
        ...["ck/last.json", "large.json", "b.json"].map((file) => works(`info ${file}`)),
      ]);
      assertWorks(scores);
      assert.deepEqual(large, scores);
      assert.equal(JSON.parse(place.read("on/best.json")).format, "grutto-checkpoint");
    });
  }
});
