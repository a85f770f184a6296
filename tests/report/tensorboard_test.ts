import assert from "node:assert/strict";
import { EventWriter } from "../../mod.ts";
import { crc32c } from "../../core/report/tensorboard.ts";

const ascii = (text: string) => new TextEncoder().encode(text);

Deno.test("crc32c() gives the checksums of RFC 3720, and of the catalogue's check string", () => {
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c);
  assert.equal(crc32c(ascii("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(0)), 0);
});

// RecordWriter(file).write(Event(…).SerializeToString()) of tensorboard 2.21.0:
//   Event(wall_time=1750000000.25, file_version="brain.Event:2")
//   Event(wall_time=1750000000.25, step=12, session_log=SessionLog(status=SessionLog.START))
//   Event(wall_time=1750000001.5, step=300, summary=Summary(value=[
//     Summary.Value(tag="loss/train", simple_value=0.25), Summary.Value(tag="größe", simple_value=-1e-3)]))
const FIRST = "1800000000000000a37f4b220900001060b813da411a0d627261696e2e4576656e743a32150f8ae4";
const START = "0f000000000000006d532b090900001060b813da41100c3a020801ad88dad8";
const SCALARS = "31000000000000009d8383e90900006060b813da4110ac022a230a110a0a6c6f73732f747261696e150000803e" +
  "0a0e0a076772c3b6c39f65156f1283bab122da6c";

Deno.test("EventWriter writes the bytes that TensorBoard's own writer does", () => {
  const writer = new EventWriter();
  assert.equal(writer.header(1750000000.25).toHex(), FIRST);
  assert.equal(writer.header(1750000000.25, 12).toHex(), FIRST + START);
  assert.equal(writer.scalars(300, 1750000001.5, { "loss/train": 0.25, "größe": -1e-3 }).toHex(), SCALARS);
});

Deno.test("EventWriter.epoch() writes what is known of an epoch, and no accuracy where there is none", () => {
  const record = {
    epoch: 3,
    trainLoss: 0.5,
    trainAccuracy: 0,
    validationLoss: 0.6,
    validationAccuracy: 0,
    learningRate: 1e-3,
  };
  const tags = (writer: EventWriter) =>
    [...new TextDecoder().decode(writer.epoch(record, 0)).matchAll(/[a-z]+[/_][a-z]+/g)].map(([tag]) => tag);
  assert.deepEqual(tags(new EventWriter()), [
    "loss/train",
    "loss/validation",
    "accuracy/train",
    "accuracy/validation",
    "learning_rate",
  ]);
  assert.deepEqual(tags(new EventWriter({ accuracy: false })), ["loss/train", "loss/validation", "learning_rate"]);
});

Deno.test("EventWriter keeps steps beyond 32 bits, and refuses what is no step or time", () => {
  const writer = new EventWriter();
  // Varint of 2 ** 40, after the double of the time.
  assert.equal(writer.scalars(2 ** 40, 0, {}).toHex().slice(24 + 18, 24 + 18 + 14), "10808080808020");
  for (const step of [-1, 0.5, NaN, 2 ** 53]) assert.throws(() => writer.scalars(step, 0, {}), RangeError);
  assert.throws(() => writer.header(NaN), /^RangeError: Cannot write event: wallTime must be finite, got NaN$/);
});

Deno.test("EventWriter.fileName() gives a name that TensorBoard looks for", () => {
  assert.equal(EventWriter.fileName(1750000000.25), "events.out.tfevents.1750000000.grutto");
  assert.equal(EventWriter.fileName(7, "b"), "events.out.tfevents.0000000007.b");
});
