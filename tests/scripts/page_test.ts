import assert from "node:assert/strict";
import { parseCommandLine } from "../../core/cli/arguments.ts";
import { fail } from "../../core/errors.ts";
import { columnWord, commandOf, resumeCommand, wordsOf } from "../../scripts/page/command.ts";
import { Data } from "../../scripts/page/data.ts";
import { FIELDS, optionsOf } from "../../scripts/page/fields.ts";
import { inFields, wrongOf } from "../../scripts/page/words.ts";

const dataOf = async (files: Record<string, string>) => {
  const data = new Data(Object.entries(files).map(([name, text]) => ({ name, blob: new Blob([text]), use: "train" })));
  await data.look();
  return data;
};

/** What the command line understands of the page's words. */
const understood = (words: readonly string[]) => {
  const { given, operands } = parseCommandLine(words);
  const files = operands.length ? { ...given.files, data: operands } : given.files;
  return { ...given, files };
};

/** A text that an option takes. */
function textFor(key: string): string {
  const { spec } = FIELDS.get(key)!;
  switch (spec.type) {
    case "boolean":
      return "no";
    case "choice":
      return spec.choices!.at(-1)!;
    case "integer":
      return String(Math.max(spec.least ?? 1, 3));
    case "number":
    case "list":
      return "0.25";
    case "numbers":
      return "0.5,0.25";
    default:
      return "-a b'c";
  }
}

Deno.test("the command line understands every option of the page as the page means it", async () => {
  for (const key of FIELDS.keys()) {
    if (key === "device.device") continue;
    const data = await dataOf({ "a, b.txt": "x\ty\n" });
    data.texts.set(key, textFor(key));
    const given = data.given();
    assert.deepEqual(understood(wordsOf(given)), given, key);
  }
});

Deno.test("files are named as a shell and the command line take them", async () => {
  const files = { "-odd name.txt": "x\ty\n", "it's,so.txt": "x\ty\n" }, given = (await dataOf(files)).given();
  assert.deepEqual(understood(wordsOf(given)).files.data, Object.keys(files));
  assert.match(commandOf(given), /--allow-read=\. .* -- '-odd name\.txt' 'it'\\''s,so\.txt'$/);
  assert.match(resumeCommand(given), /--allow-read=\. --allow-write=checkpoints mod\.ts train --resume last\.json/);
});

Deno.test("columns are named so that they come back", () => {
  assert.deepEqual(["speed", "", "a,b", " a", "7", "-1"].map((name) => columnWord(name, 3)), ["speed", ..."33333"]);
});

Deno.test("what columns are for is seen by their names and cells", async () => {
  const roles = async (text: string, name = "data.csv") => (await dataOf({ [name]: text })).roles.join(" ");
  assert.equal(await roles("id,t,x,kind\na,0,1,p\na,1,2,p\nb,0,3,q\nb,1,4,q\n"), "sequence time input label");
  assert.equal(await roles("v1,v2,label\n1,2,a\n3,4,b\n"), "input input label");
  assert.equal(await roles("id,v1,v2,what\n1,1,2,a\n2,3,4,b\n"), "none input input label");
  assert.equal(await roles("month,a,b\n2020-01,1,2\n2020-02,3,4\n2020-03,5,1\n"), "time target none");
  assert.equal(await roles("text,label\na film that is good,p\na film that is bad,q\n"), "text label");
  assert.equal(await roles("source,target\nab,ba\ncd,dc\n"), "source target");
  assert.equal(await roles("a,b\n1,2\n3,4\n"), "input input");
  // The archive's format has no columns with names, and text has none at all.
  assert.equal(await roles("1\t0.5\t0.25\n2\t0.5\t0.75\n", "data.tsv"), "");
  assert.equal(await roles("good film\t1\nbad film\t0\n", "data.txt"), "");
  assert.equal(await roles('{"x":[1,2],"y":"a"}\n', "data.jsonl"), "");
});

Deno.test("columns that are put to another use are other options", async () => {
  const data = await dataOf({ "data.csv": "month,a,b\n2020-01,1,2\n2020-02,3,4\n2020-03,5,1\n" });
  const { columns, forecast } = data.given();
  assert.deepEqual([columns, forecast], [{ timeColumn: "month" }, { targetColumns: ["a"], window: 1 }]);
  data.use(2, "input");
  assert.deepEqual(data.given().columns.featureColumns, ["a", "b"]);
  data.use(1, "none");
  assert.deepEqual(data.given().forecast, {});
  data.use(0, "none");
  data.use(1, "input");
  data.use(2, "label");
  assert.deepEqual(data.given().columns, { labelColumn: ["b"], featureColumns: ["a"] });
});

Deno.test("files of two parts are used as their names say", async () => {
  const { files } = (await dataOf({ "X_TRAIN.ts": "@data\n", "X_TEST.ts": "@data\n" })).given();
  assert.deepEqual(files, { data: ["X_TRAIN.ts"], testData: ["X_TEST.ts"] });
});

Deno.test("errors name fields, not flags", () => {
  const error = fail("option-out-of-range", "train", "hiddenSize must be …", {
    option: "hiddenSize",
    expected: "an integer from 1",
    value: 0,
  });
  assert.deepEqual(wrongOf(error), {
    text: "cannot train: “units” must be an integer from 1, got 0",
    field: "f-model-hiddenSize",
  });
  assert.equal(
    inFields("--label-column NAME,… or --no-header: --lr 0.1"),
    "“label” or “first row names the columns”: “learning rate” 0.1",
  );
  assert.throws(() => optionsOf(new Map([["training.epochs", "many"]])), /--epochs must be an integer/);
});
