/** What is refused because of how it was typed: every advice works when it is typed in its place. */

import assert from "node:assert/strict";
import { flagOfOption, lineOf } from "../../core/cli/hints.ts";
import { run } from "../../core/cli/main.ts";
import { parseCommandLine } from "../../core/cli/arguments.ts";
import { stderr, stdout } from "../../core/cli/stream.ts";
import { writeNpy } from "../../core/data/readers/npy.ts";
import { IN_PLACE } from "../../core/data/readers/suits.ts";
import { SUITS } from "../../core/job/suits.ts";
import { readSafetensors, writeSafetensors } from "../../mod.ts";
import { files } from "../job/kinds.ts";
import { assertFails, MOD, ROOT, runDeno } from "./run.ts";

const FORECAST = "train series.csv --target-column sales --window 4";
const PAIRS = "train pairs.csv --task seq2seq --source-column read --target-column said";
const LONG = "train long.csv --sequence-column id --time-column at";
const AMOUNTS = "train amounts.csv --label-column target";
const TEXTS = "train texts.csv --text-column text";
const LISTS = "train lists.csv --label-separator |";
const X = "train x.npy --label-file y.npy";

/** What the rows below read. */
const SETUP = [
  "train wide.csv --checkpoint checkpoints",
  `${FORECAST} --checkpoint forecast`,
  `${PAIRS} --tokens words --checkpoint pairs`,
  "train numbers.jsonl --task seq2seq --checkpoint numbers",
  "train --size 20 --checkpoint sample",
  `${TEXTS} --checkpoint texts`,
  "train one --checkpoint one.json",
  "convert sample/best.json sample.safetensors",
  "convert checkpoints/best.json model.safetensors",
  "convert model.safetensors model.json",
];

const lines = (row: (n: number) => string, count = 12) =>
  Array.from({ length: count }, (_, n) => row(n)).join("\n") + "\n";
const ucr = (n: number) => `${n % 2}\t${n}.5\t${n * 3 % 7}\t2.5`;

/** Files beside those of every kind. */
const OWN: Readonly<Record<string, string>> = {
  "numbers.jsonl": lines((n) => JSON.stringify({ x: [[n, 1], [2, n % 3]], y: [[n % 4], [1], [2]].slice(n % 2) })),
  "labels.csv": "key,label\n" + lines((n) => `s${n},${["up", "down"][n % 2]}`, 24),
  "unlabeled.csv": "id,at,a,b\n" + lines((n) => `s${n >> 2},${n},${n % 5},${n % 3}`, 96),
  "recording.csv": "who,at,label,a\n" +
    lines((n) => `p${Math.floor(n / 30)},${n},${["up", "down"][(n % 30 >> 2) % 2]},${n % 7}`, 120),
  "words.csv": "label,text\n" + lines((n) => `${["up", "down"][n % 2]},one new ${n % 3}`),
  "words.tsv": "read\tsaid\n" + lines((n) => `one new ${n}\t${n % 3} three`),
  "turned.txt": lines((n) => `${["up", "down"][n % 2]}\ttext number ${n}`, 40),
  "sources.txt": lines((n) => `one ${n} two`),
  "targets.txt": lines((n) => `${n % 3} three`),
  "one/ONE_TRAIN.tsv": lines(ucr),
  "one/ONE_TEST.tsv": lines(ucr, 6),
  "both/A_TRAIN.tsv": lines(ucr),
  "both/A_TEST.tsv": lines(ucr, 6),
  "both/B_TRAIN.tsv": lines(ucr),
  "both/B_TEST.tsv": lines(ucr, 6),
  "talk/up.txt": lines((n) => `good ${n % 3} day`),
  "talk/down.txt": lines((n) => `bad ${n % 3} day`),
  "rows/a.txt": lines(ucr),
  "rows/b.txt": lines(ucr),
};

/** A command line that is refused, what it is told to do, and that done. */
const ROWS: readonly (readonly [refused: string, advice: string, ...done: string[]])[] = [
  // Flags and values.
  ["train --nonsense", "see --help", "train --help"],
  ["train --epoch 3", "did you mean --epochs?", "train --size 20 --epochs 3"],
  ["train --quiet=yes", "--quiet takes no value", "train --size 20 --quiet"],
  ["train --epochs", "needs a value: see --help", "train --help"],
  ["tarin", "must be one of train, evaluate, predict, convert, serve, info, help", "train --size 20", "help"],
  [
    "help nonsense",
    "help takes all, a command, a flag, or one of",
    "help all",
    "help train",
    "help epochs",
    "help files",
  ],
  ["train --size 20 --epochs 0", "an integer from 1", "train --size 20 --epochs 1"],
  ["train wide.csv --loss nonsense", "must be one of bce, crossEntropy", "train wide.csv --loss crossEntropy"],
  ["train --gpu --device wasm --size 20", "--device wasm", "train --device wasm --size 20"],
  [
    "train --gpu --threads 2 --size 20",
    "--threads belongs to --device wasm",
    "train --threads 2 --device wasm --size 20",
  ],
  [
    "train --gpu --simd plain --size 20",
    "--simd belongs to --device wasm",
    "train --simd plain --device wasm --size 20",
  ],
  ["predict checkpoints/best.json --device auto", "belongs to train", "train --size 20 --device wasm"],
  ["train --input x", "--input belongs to predict", "predict checkpoints/best.json --input wide.csv"],
  ["predict checkpoints/best.json --label-file y.npy", "--label-file belongs to train and evaluate", X],
  ["evaluate checkpoints/best.json --epochs 3", "the checkpoint holds it", "evaluate checkpoints/best.json"],
  [
    "evaluate checkpoints/best.json --test-data wide.csv",
    "name files: evaluate CHECKPOINT FILE",
    "evaluate checkpoints/best.json wide.csv",
  ],
  ["train wide.csv --sample dates", 'leave "wide.csv" out', "train --sample dates --hidden-size 2 --batch-size 2000"],
  ["train wide.csv --size 20", "--size is for the sample job's data", "train --size 20", "train wide.csv"],
  ["train --label-column label", "--label-column needs --data FILE", "train --label-column label --data wide.csv"],

  // The model and how it is trained.
  [
    "train wide.csv --layer-dropout 0.2",
    "--layer-dropout needs --num-layers 2",
    "train wide.csv --layer-dropout 0.2 --num-layers 2",
  ],
  [
    "train wide.csv --optimizer sgd --dampening 0.2",
    "--dampening needs --momentum X",
    "train wide.csv --optimizer sgd --dampening 0.2 --momentum 0.9",
  ],
  [
    "train wide.csv --momentum 0.9",
    "--momentum belongs to --optimizer sgd",
    "train wide.csv --momentum 0.9 --optimizer sgd",
  ],
  [
    "train wide.csv --optimizer sgd --amsgrad",
    "--amsgrad belongs to --optimizer adam or --optimizer adamw",
    "train wide.csv --amsgrad --optimizer adam",
    "train wide.csv --amsgrad --optimizer adamw",
  ],
  [
    "train wide.csv --optimizer sgd --nesterov",
    "--nesterov needs --momentum above 0 and --dampening 0",
    "train wide.csv --optimizer sgd --nesterov --momentum 0.5",
    "train wide.csv --optimizer sgd --nesterov --momentum 0.5 --dampening 0",
  ],
  ["train wide.csv --gamma 0.5", "--gamma belongs to --schedule step", "train wide.csv --gamma 0.5 --schedule step"],
  [
    "train wide.csv --patience 2",
    "add --validation-split 0.2",
    "train wide.csv --patience 2 --validation-split 0.2",
    "train wide.csv --restore-best --validation-split 0.2",
    "train wide.csv --schedule plateau --validation-split 0.2",
  ],
  [
    `${AMOUNTS} --monitor accuracy --validation-split 0.2`,
    "is for classes",
    `train wide.csv --monitor accuracy --validation-split 0.2`,
  ],
  [
    "train wide.csv --loss mse",
    "it must be crossEntropy or focal",
    "train wide.csv --loss crossEntropy",
    "train wide.csv --loss focal",
  ],
  [
    "train wide.csv --loss bce",
    "with --one-hot or --task binary bce",
    "train wide.csv --loss bce --one-hot",
    "train wide.csv --loss bce --task binary",
  ],
  [`${AMOUNTS} --delta 2`, "--delta belongs to --loss huber", `${AMOUNTS} --delta 2 --loss huber`],
  [
    `${FORECAST} --loss quantile`,
    "needs --quantiles, such as 0.1,0.5,0.9",
    `${FORECAST} --loss quantile --quantiles 0.1,0.5,0.9`,
  ],
  [
    `${FORECAST} --loss quantile --quantiles 0.9,0.1`,
    "--quantiles must rise",
    `${FORECAST} --loss quantile --quantiles 0.1,0.9`,
  ],
  [
    `${FORECAST} --loss quantile --quantiles 0.1,0.9 --transform difference --horizon 2`,
    "takes --horizon 1",
    `${FORECAST} --loss quantile --quantiles 0.1,0.9 --transform difference --horizon 1`,
  ],
  [
    "predict bare.safetensors --input sample.npy --quantiles 0.1,0.9",
    "--quantiles belongs to --loss quantile",
    "predict bare.safetensors --input sample.npy --quantiles 0.1,0.9 --loss quantile",
  ],
  [
    "predict checkpoints/best.json --input wide.csv --loss mse",
    '"checkpoints/best.json" holds it',
    "predict checkpoints/best.json --input wide.csv",
  ],
  ["train wide.csv --pos-weight 2", "is for the loss bce", "train wide.csv --pos-weight 2 --task binary --loss bce"],
  [`${LISTS} --pos-weight 2`, "must be 3 numbers", `${LISTS} --pos-weight 2,1,2`],
  [`${AMOUNTS} --class-weights balanced`, "is for classes", "train wide.csv --class-weights balanced"],
  [`${LISTS} --class-weights balanced`, "--pos-weight balanced", `${LISTS} --pos-weight balanced`],
  [
    "train wide.csv --class-weights 1,2,3",
    'must be "balanced" or 2 numbers',
    "train wide.csv --class-weights balanced",
    "train wide.csv --class-weights 1,2",
  ],

  // Runs: checkpoints, models to start from, scores that are required, files that are written.
  [
    "train --size 20 --seeds 2 --checkpoint x",
    "is for one training",
    "train --size 20 --checkpoint x",
    "train --size 20 --seeds 2",
  ],
  ["train --size 20 --keep 2", "--keep needs --checkpoint DIR", "train --size 20 --keep 2 --checkpoint kept"],
  [
    "train --size 20 --checkpoint x --checkpoint-every 5h",
    "minutes such as 5m",
    "train --size 20 --checkpoint x --checkpoint-every 5m",
  ],
  [
    "train wide.csv --resume checkpoints/last.json --from checkpoints/best.json",
    "--resume continues a training and --from begins a new one",
    "train --resume checkpoints/last.json --epochs 2",
    "train wide.csv --from checkpoints/best.json",
  ],
  ["train texts.csv --unknown-tokens", "belongs to --from", "train texts.csv --unknown-tokens --from texts/best.json"],
  [
    "train --from checkpoints/best.json",
    "such as: train new.csv --from checkpoints/best.json",
    "train new.csv --from checkpoints/best.json",
  ],
  [
    "train wide.csv --from checkpoints/best.json --hidden-size 3",
    "cannot be changed with --from",
    "train wide.csv --from checkpoints/best.json",
  ],
  [
    "train --resume checkpoints/last.json --lr 3",
    'cannot be changed on --resume: "checkpoints/last.json" has 0.001',
    "train --resume checkpoints/last.json --lr 0.001 --epochs 2",
  ],
  [
    "train words.csv --from texts/best.json",
    "--unknown-tokens takes them as unknown",
    "train words.csv --from texts/best.json --unknown-tokens",
  ],
  [
    "train words.tsv --from pairs/best.json",
    "--unknown-tokens takes them as unknown",
    "train words.tsv --from pairs/best.json --unknown-tokens",
  ],
  [
    "train --resume model.safetensors",
    "train FILE --from model.safetensors starts from its weights",
    "train wide.csv --from model.safetensors",
  ],
  ["train --resume model.json", "its weights: train FILE --from model.json", "train wide.csv --from model.json"],
  ["train wide.csv --require accuracy", "such as accuracy=0.9,rmse<5", "train wide.csv --require accuracy=0,loss<5"],
  ["train wide.csv --require acuracy=0", "accuracy, balancedAccuracy, macroF1", "train wide.csv --require accuracy=0"],
  [`${AMOUNTS} --require rmse=3000`, '"rmse<3000"', `${AMOUNTS} --require rmse<3000`],
  ["train wide.csv --require rmse<5", "the scores are loss, accuracy", "train wide.csv --require loss<50"],
  ["train wide.csv --log-file wide.csv", "give it another name", "train wide.csv --log-file other.jsonl"],
  ["train wide.csv --wide --gpu", "--wide belongs to --device wasm", "grutto train wide.csv --wide --device wasm"],
  [
    "train wide.csv --wide --simd plain",
    "--wide and --simd plain contradict",
    "grutto train wide.csv --wide",
    "train wide.csv --simd plain",
  ],
  [
    "mpirun train wide.csv --wide",
    "type deno run",
    "train wide.csv",
  ],
  ["mpirun train wide.csv --gpu", "several processes train on the CPU", "train wide.csv"],

  // Files and their columns.
  [
    "train both --label-column 0",
    "name the files to train on, and --test-data FILE",
    "train both/A_TRAIN.tsv --test-data both/A_TEST.tsv",
  ],
  ["predict one.json --input one", "name one, such as one/ONE_TEST.tsv", "predict one.json --input one/ONE_TEST.tsv"],
  [
    "train talk",
    "--tokens characters or --tokens words",
    "train talk --tokens characters",
    "train talk --tokens words",
  ],
  ["train rows", "else --format ucr", "train rows --format ucr"],
  [
    "train unlabeled.csv --sequence-column id --time-column at --key key",
    "--key needs --labels-table FILE",
    "train unlabeled.csv --sequence-column id --time-column at --key key --labels-table labels.csv",
  ],
  [
    "train unlabeled.csv --sequence-column id --time-column at --key key --labels-table labels.csv --label-every-step",
    "needs labels in the rows, not in --labels-table",
    `${LONG} --label-every-step`,
    "train unlabeled.csv --sequence-column id --time-column at --key key --labels-table labels.csv",
  ],
  [
    "train turned.txt",
    "--label-column 0 --text-column 1 if the label comes first",
    "train turned.txt --label-column 0 --text-column 1",
  ],
  ["train x.npy x.npy --label-file y.npy", "goes with one file", X],
  [
    `${X} --test-label-file y.npy`,
    "--test-label-file needs --test-data FILE",
    `${X} --test-label-file y.npy --test-data x.npy`,
  ],
  [
    "train wide.csv --test-split 0.2 --folds 3",
    "--test-split and --folds contradict",
    "train wide.csv --test-split 0.2",
    "train wide.csv --folds 3",
  ],
  [
    "train wide.csv --test-every 5 --no-stratify",
    "needs a random division: --test-split or --validation-split",
    "train wide.csv --no-stratify --test-split 0.2",
    "train wide.csv --test-every 5 --no-stratify --validation-split 0.2",
  ],
  [
    "train lists.csv --label-separator | --task multiclass",
    "--label-separator is for the task multilabel",
    "train lists.csv --label-separator | --task multilabel",
  ],
  [
    "train recording.csv --sequence-column who --time-column at --window 4 --window-label last --label-every-step",
    "--window-label and --label-every-step contradict",
    "train recording.csv --sequence-column who --time-column at --window 4 --window-label last",
    "train recording.csv --sequence-column who --time-column at --window 4 --label-every-step",
  ],
  [
    "train recording.csv --sequence-column who --time-column at --stride 2",
    "--stride needs --window N",
    "train recording.csv --sequence-column who --time-column at --stride 2 --window 4",
  ],

  // Forecasts.
  [`${FORECAST} --task multiclass`, "--target-column asks for one", FORECAST],
  ["train series.csv --task forecast --window 4", "needs --target-column NAME", `${FORECAST} --task forecast`],
  ["train series.csv --target-column sales", "--target-column needs --window N", FORECAST],
  ["train series.csv series.csv --target-column sales --window 4", "are made on one table", FORECAST],
  [`${FORECAST} --test-rows 40:50`, "FROM:TO within rows 0 to 24", `${FORECAST} --test-rows 20:24`],
  [
    `${FORECAST} --train-rows 0:20 --test-rows 10:15`,
    "rows 0:20 to train on must come before rows 10:15 to test on",
    `${FORECAST} --train-rows 0:10 --test-rows 10:15`,
  ],

  // Pairs.
  [
    "train pairs.csv --task seq2seq --source-column read --target-column said,other",
    "--target-column names one column of targets",
    PAIRS,
  ],
  [`${PAIRS} --format ts`, "one of text, csv, jsonl, json for pairs", `${PAIRS} --format csv`],
  [
    "train sources.txt sources.txt --task seq2seq --target-file targets.txt",
    "--target-file goes with one file",
    "train sources.txt --task seq2seq --target-file targets.txt",
  ],
  [
    "train sources.txt --task seq2seq --target-file targets.txt --source-column 0",
    "is for pairs in one file: leave it out with --target-file",
    "train sources.txt --task seq2seq --target-file targets.txt",
    "train sources.txt --task seq2seq --target-file targets.txt --format text",
  ],
  [
    "train sources.txt --task seq2seq --target-file targets.txt --test-target-file targets.txt",
    "--test-target-file needs --test-data FILE",
    "train sources.txt --task seq2seq --target-file targets.txt --test-target-file targets.txt --test-data sources.txt",
  ],
  [
    `${PAIRS} --normalize ascii`,
    "--normalize must be none or lower",
    `${PAIRS} --normalize none`,
    `${PAIRS} --normalize lower`,
  ],
  [
    "train numbers.jsonl --task seq2seq --embedding-dim 3",
    "--embedding-dim is for texts",
    `${PAIRS} --embedding-dim 3`,
  ],
  ["train numbers.jsonl --task seq2seq --tied", "--tied is for targets that are texts", `${PAIRS} --tied`],
  [
    `${PAIRS} --teacher-schedule exponential --teacher-k 2`,
    "must be at most 1, got 2",
    `${PAIRS} --teacher-schedule exponential --teacher-k 1`,
  ],
  [
    "predict numbers/best.json --input numbers.jsonl --beam 2",
    "--beam is for answers that are texts",
    "predict pairs/best.json --input pairs.csv --beam 2",
  ],
  [
    "predict pairs/best.json --input pairs.csv --beam 500",
    "must be at most 11",
    "predict pairs/best.json --input pairs.csv --beam 11",
  ],
  [
    "evaluate numbers/best.json numbers.jsonl --max-answer 2",
    "--max-answer is for predict where answers are numbers",
    "predict numbers/best.json --input numbers.jsonl --max-answer 2",
  ],
  [
    "predict pairs/best.json --input pairs.csv --max-answer 3 --min-answer 3",
    "--min-answer must be below 3",
    "predict pairs/best.json --input pairs.csv --max-answer 3 --min-answer 2",
  ],
  [
    "predict pairs/best.json --input pairs.csv --max-answer 1 --prefix three",
    "--prefix must have less than 1 token",
    "predict pairs/best.json --input pairs.csv --max-answer 2 --prefix three",
  ],
  [
    "predict pairs/best.json --input pairs.csv --prefix nonsense",
    "--prefix must be of tokens that answers have",
    "predict pairs/best.json --input pairs.csv --prefix three",
  ],
  [
    "predict pairs/best.json --input pairs.csv --output text --n-best 2",
    "--n-best is for --output jsonl",
    "predict pairs/best.json --input pairs.csv --output jsonl --n-best 2",
  ],
  [
    "predict checkpoints/best.json --input wide.csv --output text",
    "--output text is for answers that are texts",
    "predict pairs/best.json --input pairs.csv --output text",
  ],

  // Models in files.
  ["info", "such as: info checkpoints/best.json", "info checkpoints/best.json"],
  ["evaluate", "such as: evaluate checkpoints/best.json", "evaluate checkpoints/best.json"],
  ["predict", "such as: predict checkpoints/best.json --input FILE", "predict checkpoints/best.json --input wide.csv"],
  [
    "convert checkpoints/best.json",
    "such as: convert checkpoints/best.json model.safetensors",
    "convert checkpoints/best.json model.safetensors",
  ],
  [
    "convert checkpoints/best.json a.txt",
    "convert writes .safetensors, .pt, .onnx, .js, .html and .json",
    ...["safetensors", "pt", "onnx", "js", "html", "json"].map((ending) => `convert checkpoints/best.json a.${ending}`),
  ],
  [
    "convert checkpoints/best.json a.pt --no-wasm",
    "is for .js and .html",
    "convert checkpoints/best.json a.js --no-wasm",
    "convert checkpoints/best.json a.html --no-wasm",
  ],
  [
    "convert checkpoints/best.json a.html --wasm-file",
    "--wasm-file is for .js",
    "convert checkpoints/best.json a.js --wasm-file",
  ],
  [
    "convert checkpoints/best.json a.js --wasm-file --no-wasm",
    "--no-wasm and --wasm-file contradict",
    "convert checkpoints/best.json a.js --no-wasm",
    "convert checkpoints/best.json a.js --wasm-file",
  ],
  [
    "evaluate bare.safetensors",
    "--loss NAME, the loss that it was trained with",
    "evaluate bare.safetensors --loss crossEntropy --size 20",
  ],
  [
    "evaluate bare.safetensors --loss crossEntropy",
    "give some with --size, --steps and --seed",
    "evaluate bare.safetensors --loss crossEntropy --size 20 --steps 5 --seed 1",
  ],
  [
    "evaluate forecast/best.json --test-rows -4:",
    "evaluate CHECKPOINT FILE",
    "evaluate forecast/best.json series.csv --test-rows -4:",
  ],
  [
    "evaluate forecast/best.json series.csv --target-column price",
    "the model takes sales",
    "evaluate forecast/best.json series.csv --target-column sales",
  ],
  [
    "predict checkpoints/best.json",
    "predict needs --input FILE, or - for standard input",
    "predict checkpoints/best.json --input wide.csv",
  ],
  [
    "predict sample/best.json --input sample.npy --size 20",
    "predict takes --input, or --size, --steps and --seed of data to make",
    "predict sample/best.json --input sample.npy",
    "predict sample/best.json --size 20 --steps 5 --seed 1",
  ],
  [
    "predict checkpoints/best.json --input wide.csv --size 20",
    "--size is for checkpoints of the sample job",
    "predict sample/best.json --size 20",
  ],
  [
    "predict sample/best.json --layout ntc",
    "is for files: name some",
    "predict sample/best.json --layout ntc --input sample.npy",
  ],
  [
    "predict sample/best.json --size 20 --features 3",
    "--features must be 5",
    "predict sample/best.json --size 20 --features 5",
  ],
  [
    "predict forecast/best.json --from-row 20",
    "--from-row needs --input FILE",
    "predict forecast/best.json --from-row 20 --input series.csv",
  ],
  [
    "predict sample/best.json --input sample.npy --from-row 20",
    "--from-row is for forecasts, with their preprocessing kept",
    "predict forecast/best.json --input series.csv --from-row 20",
  ],
  [
    "predict checkpoints/best.json --input wide.csv --from-row 20",
    "--from-row is for forecasts",
    "predict forecast/best.json --input series.csv --from-row 20",
  ],
  [
    "predict forecast/best.json --input series.csv --from-row 300",
    "must be from 4 to 24, or -1 and less from the end",
    "predict forecast/best.json --input series.csv --from-row 4",
    "predict forecast/best.json --input series.csv --from-row -1",
  ],
];

/** The same of flags that other data or tasks have: what to use instead is in the tables of what suits what. */
const UNSUITED: typeof ROWS = [
  [
    `${FORECAST} --test-data series.csv`,
    "--test-rows FROM:TO are rows of the one table",
    `${FORECAST} --test-rows 19:24`,
  ],
  [`${FORECAST} --label-file y.npy`, "--target-column NAME says what is forecast", FORECAST],
  [`${PAIRS} --label-file y.npy`, "--target-column NAME says what is to be said", PAIRS],
  [`${FORECAST} --sequence-column when`, "a table holds one series", FORECAST],
  [`${PAIRS} --feature-columns read`, "--source-column NAME says what is read", PAIRS],
  [`${FORECAST} --stride 2`, "a window begins at every row", FORECAST],
  [`${FORECAST} --label-every-step`, "--horizon N forecasts several rows", `${FORECAST} --horizon 2`],
  [`${FORECAST} --patch 2`, "--window N says how many rows a forecast sees", FORECAST],
  [`${FORECAST} --normalize lower`, "--transform NAME changes a series", `${FORECAST} --transform difference`],
  [
    `${FORECAST} --label-separator |`,
    "--target-column NAME,NAME are several",
    "train series.csv --target-column sales,price --window 4",
  ],
  [
    `${FORECAST} --folds 3`,
    "--train-rows and --test-rows divide a table in time, or --walk-forward",
    `${FORECAST} --train-rows 0:19 --test-rows 19:24`,
    `${FORECAST} --walk-forward 2`,
  ],
  ["train wide.csv --walk-forward 2", "--folds N is for labeled sequences", "train wide.csv --folds 3"],
  [`${PAIRS} --walk-forward 2`, "--folds N is for pairs too", `${PAIRS} --folds 3`],
  [
    "train wide.csv --test-rows 20:24",
    "--test-split X or --test-data FILE is for labeled sequences",
    "train wide.csv --test-split 0.2",
    "train wide.csv --test-data wide.csv",
  ],
  [
    `${PAIRS} --test-rows 20:24`,
    "--test-split X or --test-data FILE is for pairs",
    `${PAIRS} --test-split 0.2`,
    `${PAIRS} --test-data pairs.csv`,
  ],
  [
    "train series.csv --horizon 2",
    "--horizon needs --target-column NAME and --window N",
    "train series.csv --horizon 2 --target-column sales --window 4",
  ],
  ["train pairs.csv --source-column read", "--task seq2seq says that data are some", PAIRS],
  [`${TEXTS} --no-standardize`, "--no-standardize is for numbers", "train wide.csv --no-standardize"],
  [`${AMOUNTS} --one-hot`, "--one-hot is for the task multiclass", "train wide.csv --one-hot"],
  [
    "predict checkpoints/best.json --input wide.csv --beam 2",
    "--beam is for pairs, not for labeled sequences",
    "predict pairs/best.json --input pairs.csv --beam 2",
  ],
  [
    "evaluate checkpoints/best.json wide.csv --test-rows 3:4",
    "--test-rows is for forecasts, not for labeled sequences",
    "evaluate forecast/best.json series.csv --test-rows 20:24",
  ],
  [
    "predict forecast/best.json --input series.csv --feature-columns price",
    "--feature-columns cannot be changed: the model takes sales",
    "predict forecast/best.json --input series.csv --feature-columns sales",
  ],
  ["train wide.csv --y-key y", "--label-column says where labels are", "train wide.csv --label-column label"],
  ["train wide.csv --x-key x", "--feature-columns says what goes in", "train wide.csv --feature-columns t0,t1"],
  ["train long.csv --layout nct", "--sequence-column says that a row is a step", LONG],
  [
    "train weka.arff --y-key y",
    "--label-column says where labels are",
    "train weka.arff --feature-columns a,b --label-column label",
  ],
  ["train weka.arff --x-key x", "--feature-columns says what goes in", "train weka.arff --feature-columns a,b"],
  ["train x.npy --label-column y", "--label-file says where labels are", X],
  ["train arrays.npz --label-column y", "--y-key says where labels are", "train arrays.npz --y-key y"],
  ["train arrays.npz --feature-columns x", "--x-key says what goes in", "train arrays.npz --x-key x"],
  [
    "train texts.txt --tokens words --y-key y",
    "--label-column says where labels are",
    "train texts.txt --tokens words --label-column 1",
  ],
  [
    "train texts.txt --tokens words --x-key x",
    "--text-column says what goes in",
    "train texts.txt --tokens words --text-column 0",
  ],
];

/** Places that refuse, by their files or words, and are tried elsewhere. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "core/cli/serve_command.ts": "a service runs until it is told to end: below",
  "core/cli/main.ts": "of an older Deno: tests/cli/old_deno_test.ts",
  "core/cli/farm.ts": "passes on what another process refused",
  "--wide must start Deno again": "of permissions: tests/cli/wide_test.ts",
  "launchers give standard input": "several processes take mpirun: tests/fleet",
};

/** The calls that refuse in a file, by their lines. */
function places(path: string): string[] {
  const text = Deno.readTextFileSync(`${ROOT}/${path}`);
  return [...text.matchAll(/new (UsageError|Error)\(/g)].flatMap(({ 1: kind, 0: { length }, index }) => {
    let end = index + length, open = 1;
    for (; open; end++) open += text[end] === "(" ? 1 : text[end] === ")" ? -1 : 0;
    const call = text.slice(index, end), isAdvice = kind === "UsageError" || /["`\s]--[a-z]/.test(call);
    const isElsewhere = Object.keys(ELSEWHERE).some((word) => word === path || call.includes(word));
    return isAdvice && !isElsewhere ? [`${path}:${text.slice(0, index).split("\n").length}`] : [];
  });
}

/** The files of a folder of the source. */
const sources = (folder: string) => [...Deno.readDirSync(`${ROOT}/${folder}`)].map(({ name }) => `${folder}/${name}`);

/** The advice that is in tables. */
function tabled(): string[] {
  const instead = Object.values(SUITS).flatMap((group) => Object.values(group)).flatMap((suit) =>
    Object.values(suit.instead ?? {})
  );
  const inPlace = Object.values(IN_PLACE).flatMap((matters) => Object.values(matters));
  return [...new Set([...instead, ...inPlace.filter((advice) => /^[a-z]+[A-Z]/.test(advice))])];
}

/** Runs a command line, as a program of its own if it begins with "grutto". Returns its exit code, or what it threw. */
async function typed(line: string): Promise<unknown> {
  const [first, ...rest] = line.split(" "), words = first === "grutto" ? rest : [first!, ...rest];
  const isTraining = words[0] === "train" && !words.some((word) => /^--(epochs|resume|help)/.test(word));
  if (isTraining) words.push("--epochs", "1");
  if (first === "grutto") return (await runDeno(["run", "-A", MOD, ...words], { cwd: Deno.cwd() })).code;
  const said = [stdout.capture(), stderr.capture()];
  try {
    return await run(parseCommandLine(words));
  } catch (error) {
    return error;
  } finally {
    for (const end of said) end();
  }
}

/** What a command line is refused with, as one of several processes if it begins with "mpirun". */
async function refused(line: string): Promise<unknown> {
  const several = line.startsWith("mpirun ");
  if (several) Deno.env.set("OMPI_COMM_WORLD_SIZE", "2");
  try {
    return await typed(line.replace(/^mpirun /, ""));
  } finally {
    if (several) Deno.env.delete("OMPI_COMM_WORLD_SIZE");
  }
}

/** Makes the files that the rows read, in the current folder. */
async function setUp(): Promise<void> {
  for (const folder of ["one", "both", "talk", "rows"]) Deno.mkdirSync(folder);
  for (const [name, content] of Object.entries({ ...await files(), ...OWN })) {
    Deno.writeFileSync(name, typeof content === "string" ? new TextEncoder().encode(content) : content);
  }
  Deno.copyFileSync("wide.csv", "new.csv");
  Deno.writeFileSync("sample.npy", writeNpy({ shape: [4, 5, 5], data: new Float32Array(100) }));
  for (const line of SETUP) assert.equal(await typed(line), 0, line);
  const { tensors } = readSafetensors(Deno.readFileSync("sample.safetensors"));
  Deno.writeFileSync("bare.safetensors", writeSafetensors(tensors));
}

Deno.test("every refusal of a command line says what to type, and that works", async () => {
  const before = Deno.cwd(), folder = Deno.makeTempDirSync({ prefix: "grutto-" });
  const faults: string[] = [], seen = new Set<string>(), said: string[] = [];
  Deno.chdir(folder);
  try {
    await setUp();
    for (const [line, advice, ...done] of [...ROWS, ...UNSUITED]) {
      const error = await refused(line), message = lineOf(error, line.split(" ")[0]);
      if (!(error instanceof Error) || !message.includes(advice)) {
        faults.push(`${line}: "${message}" is not "${advice}"`);
        continue;
      }
      seen.add(/\/(core\/[^:]+:\d+)/.exec(error.stack!)![1]!);
      said.push(message);
      const named = advice.match(/--[a-z-]+/g) ?? [], all = done.flatMap((words) => words.split(" "));
      for (const flag of named.filter((flag) => !all.includes(flag))) faults.push(`${line}: ${flag} is not tried`);
      for (const words of done) {
        const found = await typed(words);
        if (found !== 0) faults.push(`${words}: ${typeof found === "number" ? `exit code ${found}` : lineOf(found)}`);
      }
    }
  } finally {
    Deno.chdir(before);
    Deno.removeSync(folder, { recursive: true });
  }
  assert.deepEqual(faults, []);
  // Whoever adds a refusal adds a row.
  const all = ["core/cli", "core/job"].flatMap(sources).flatMap(places);
  assert.deepEqual(all.filter((place) => !seen.has(place)), []);
  const inFlags = (advice: string) => advice.replace(/^[a-z]+[A-Z]\w*/, flagOfOption);
  assert.deepEqual(tabled().filter((advice) => !said.some((message) => message.includes(inFlags(advice)))), []);
});

Deno.test("what serve is told to type works: it serves", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "grutto-" });
  const serve = (words: string, env = {}) => runDeno(["run", "-A", MOD, ...words.split(" ")], { cwd: folder, env });
  /** Whether it comes to serve. */
  const serves = async (words: string) => {
    const args = ["run", "-A", MOD, ...words.split(" "), "--port=0"];
    const child = new Deno.Command(Deno.execPath(), {
      args,
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    })
      .spawn();
    let said = "";
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (/^serving .*\n/.test(said)) child.kill("SIGTERM");
    }
    await child.status;
    assert.match(said, /^serving /);
  };
  try {
    const made = await runDeno(
      ["run", "-A", MOD, ..."train --size 20 --epochs 1 --checkpoint checkpoints".split(" ")],
      {
        cwd: folder,
      },
    );
    assert.equal(made.code, 0, made.err);
    Deno.mkdirSync(`${folder}/other`);
    Deno.copyFileSync(`${folder}/checkpoints/best.json`, `${folder}/other/best.json`);
    const [none, twice, token] = await Promise.all([
      serve("serve"),
      serve("serve checkpoints/best.json other/best.json"),
      serve("serve checkpoints/best.json", { GRUTTO_TOKEN: "" }),
    ]);
    assertFails(none!, 2, "serve needs a checkpoint, such as: serve checkpoints/best.json");
    assertFails(twice!, 2, 'two models go by the name "best": say NAME=CHECKPOINT');
    assertFails(token!, 2, "GRUTTO_TOKEN is empty: unset it to serve without a token");
    await serves("serve checkpoints/best.json");
    await serves("serve one=checkpoints/best.json two=other/best.json");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
