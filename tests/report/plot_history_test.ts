import assert from "node:assert/strict";
import { type EpochRecord, plotHistory } from "../../mod.ts";
import { widthOf } from "../../core/report/text.ts";

const epochs = (count: number, of: (epoch: number) => Partial<EpochRecord>): EpochRecord[] =>
  Array.from({ length: count }, (_, i) => ({ epoch: i + 1, trainLoss: 1, trainAccuracy: 0, ...of(i + 1) }));
const FALLING = epochs(20, (epoch) => ({ trainLoss: 1 / epoch }));
const BOTH = epochs(30, (epoch) => ({
  trainLoss: 2 ** -epoch,
  validationLoss: 0.1 + 1 / epoch,
  trainAccuracy: 1 - 0.5 ** epoch,
  validationAccuracy: 0.8,
}));

Deno.test("plotHistory() draws a falling loss", () => {
  assert.equal(
    plotHistory(FALLING, { columns: 40, rows: 11 }),
    [
      "loss",
      "1.0 ┤⢣",
      "    │⠘⡄",
      "    │ ⢱",
      "0.5 ┤ ⠈⢆",
      "    │  ⠈⢆",
      "    │    ⠉⠒⠤⣀⡀",
      "    │        ⠈⠉⠉⠉⠒⠒⠒⠢⠤⠤⠤⠤⠤⠤⠤⠤⢄⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀",
      "    └───────┬────────┬────────┬────────┬",
      "            5       10       15       20",
      "⠤⠤⠤ training   best: epoch 20, loss 0.05",
    ].join("\n"),
  );
});

Deno.test("plotHistory() draws with ASCII alone where that is wanted", () => {
  const history = epochs(5, (epoch) => ({ trainLoss: 5 - epoch, validationLoss: epoch - 3 }));
  assert.equal(
    plotHistory(history, { columns: 30, rows: 11, ascii: true }),
    [
      "loss",
      " 4 +...",
      "   |   .......",
      " 2 +          ......       ***",
      "   |                .******",
      " 0 +          *******     ....",
      "   |    ******",
      "-2 +****",
      "   ++-----+------+-----+-----+",
      "    1     2      3     4     5",
      "... training   *** validation",
    ].join("\n"),
  );
});

Deno.test("plotHistory() keeps to its size, and is whole in every one", () => {
  for (const color of [false, true]) {
    for (const history of [FALLING, BOTH, BOTH.slice(0, 1), BOTH.slice(0, 2)]) {
      for (const columns of [1, 10, 23, 24, 30, 63, 64, 65, 80, 131]) {
        for (const rows of [1, 6, 7, 8, 17, 18, 19, 40]) {
          const lines = plotHistory(history, { columns, rows, color }).split("\n"), what = `${columns} × ${rows}`;
          assert.ok(lines.length <= rows, `${what}: ${lines.length} lines`);
          for (const line of lines) assert.ok(widthOf(line) <= columns, `${what}: ${widthOf(line)}`);
          assert.doesNotMatch(lines.join(""), /NaN|undefined|Infinity/);
        }
      }
    }
  }
});

Deno.test("plotHistory() sets two plots beside or above each other, as there is room", () => {
  const heads = (columns: number, rows: number) =>
    plotHistory(BOTH, { columns, rows }).split("\n").filter((line) => /^(loss|accuracy)/.test(line));
  assert.deepEqual(heads(70, 12).map((line) => line.replace(/ {2,}/, " | ")), ["loss, logarithmic | accuracy"]);
  assert.deepEqual(heads(50, 20), ["loss, logarithmic", "accuracy"]);
  assert.deepEqual(heads(50, 12), ["loss, logarithmic"]);
});

Deno.test("plotHistory() draws a line that is constant, one epoch, and lines with gaps", () => {
  assert.match(plotHistory(epochs(9, () => ({})), { columns: 40, rows: 9 }), /1 ┤⠤{30,}|1 ┤⠒{30,}|1 ┤⣀{30,}|1 ┤⠉{30,}/);
  const one = plotHistory(epochs(1, () => ({ validationLoss: 2 })), { columns: 40, rows: 9 });
  assert.match(one, /●[^]*○|○[^]*●/);
  assert.ok(one.includes("● training   ○ validation"));
  const gaps = epochs(
    9,
    (epoch) => ({ trainLoss: epoch % 2 ? 1 : NaN, validationLoss: epoch % 3 ? undefined : Infinity }),
  );
  assert.equal(plotHistory(gaps, { columns: 40, rows: 9 }).match(/●/g)?.length, 5);
  assert.equal(plotHistory([]), "");
});

Deno.test("plotHistory() colours lines only where asked, and leaves no colour behind", () => {
  // deno-lint-ignore no-control-regex
  const codes = /\x1b\[\d+m/g, coloured = plotHistory(BOTH, { color: true });
  assert.equal(coloured.replaceAll(codes, ""), plotHistory(BOTH));
  for (const line of coloured.split("\n")) {
    const found = line.match(codes);
    if (found) assert.equal(found.at(-1), "\x1b[39m");
  }
  assert.ok(coloured.includes("\x1b[36m") && coloured.includes("\x1b[33m"));
});

Deno.test("plotHistory() shows in one line what has no room for a picture", () => {
  const history = BOTH.slice(0, 1);
  assert.equal(
    plotHistory(history, { columns: 80, rows: 2 }),
    "loss 0.5, validation 1.1; accuracy 50.0%, validation 80.0%",
  );
  assert.equal(plotHistory(history, { columns: 12 }), "loss 0.5, v…");
  assert.equal(plotHistory(history, { columns: 20, validationName: "test" }), "loss 0.5, test 1.1;…");
});
