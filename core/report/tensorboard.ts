/**
 * TensorBoard's event files, as bytes: records of TFRecord's framing, each an `Event` in protobuf's wire format. What is
 * written here is all of the two formats that scalars need; times and files are the caller's.
 */

import { spell } from "../display.ts";
import { checkArgument, checkInteger, fail } from "../errors.ts";
import { ownOptions } from "../options.ts";
import { type EpochRecord, epochRecords } from "../train/history.ts";

/** Bit-reversed Castagnoli polynomial, a byte at a time. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C (Castagnoli; RFC 3720, appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff]! ^ crc >>> 8;
  return ~crc >>> 0;
}

/** As TFRecord stores it: a checksum of bytes that hold a checksum would be weak. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (crc >>> 15 | crc << 17) + 0xa282ead8 >>> 0;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Length, its checksum, data, their checksum. */
function tfRecord(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(data.length + 16), view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, masked(data), true);
  return record;
}

function varint(value: number): Uint8Array {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push(value % 0x80 | 0x80);
  return Uint8Array.from([...bytes, value]);
}

/** Protobuf's fields: number and wire type, then the value. */
const field = {
  integer: (number: number, value: number) => concat([varint(number << 3), varint(value)]),
  double(number: number, value: number) {
    const bytes = new Uint8Array(9);
    bytes[0] = number << 3 | 1;
    new DataView(bytes.buffer).setFloat64(1, value, true);
    return bytes;
  },
  float(number: number, value: number) {
    const bytes = new Uint8Array(5);
    bytes[0] = number << 3 | 5;
    new DataView(bytes.buffer).setFloat32(1, value, true);
    return bytes;
  },
  bytes: (number: number, value: Uint8Array) => concat([varint(number << 3 | 2), varint(value.length), value]),
  text: (number: number, value: string) => field.bytes(number, new TextEncoder().encode(value)),
};

function checkTime(wallTime: number): void {
  if (Number.isFinite(wallTime)) return;
  throw fail("not-finite", "write event", `wallTime must be finite, got ${spell(wallTime)}`, {
    name: "wallTime",
    value: wallTime,
  });
}

/** An `Event`: wall_time = 1, step = 2 (absent where 0, as protobuf has it), and its content. */
function event(wallTime: number, step: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  checkTime(wallTime);
  checkInteger("write event", "step", step);
  return tfRecord(concat([field.double(1, wallTime), ...step ? [field.integer(2, step)] : [], content]));
}

/**
 * TensorBoard's event file of one run, as bytes to append to a file whose name holds "tfevents".
 *
 * Times are the caller's, in seconds since 1970: the same calls give the same bytes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { EventWriter } from "@grutto/grutto";
 *
 * const writer = new EventWriter(), now = 1.75e9;
 * const file = [writer.header(now), writer.scalars(1, now, { "loss/train": 0.69, "loss/validation": 0.7 })];
 * assert.equal(EventWriter.fileName(now, "example"), "events.out.tfevents.1750000000.example");
 * assert.equal(file[0]!.length, 40);
 * ```
 */
export class EventWriter {
  readonly #accuracy: boolean;
  readonly #other: string;

  /**
   * A writer of one run.
   *
   * @param options `accuracy`: whether `epoch` writes accuracies, false for a loss without classes, default true;
   * `validationName`: what the data are called that were looked at after every epoch, default "validation".
   */
  constructor(options: { accuracy?: boolean; validationName?: string } = {}) {
    const own = ownOptions("write events", options, { accuracy: true, validationName: true });
    const { accuracy = true, validationName = "validation" } = own;
    checkArgument("write events", "accuracy", accuracy, "boolean");
    checkArgument("write events", "validationName", validationName, "string");
    this.#accuracy = accuracy;
    this.#other = validationName;
  }

  /**
   * A name that TensorBoard looks for.
   *
   * @param wallTime When the run began, in seconds since 1970.
   * @param suffix What tells apart runs that began in one second. Default "grutto".
   */
  static fileName(wallTime: number, suffix = "grutto"): string {
    checkTime(wallTime);
    checkArgument("write event", "suffix", suffix, "string");
    return `events.out.tfevents.${String(Math.floor(wallTime)).padStart(10, "0")}.${suffix}`;
  }

  /**
   * What a file begins with.
   *
   * @param step Where the run goes on from, if it was resumed: TensorBoard then drops what earlier files of the run hold of
   * this step and later ones. Default: it begins.
   */
  header(wallTime: number, step?: number): Uint8Array<ArrayBuffer> {
    const version = event(wallTime, 0, field.text(3, "brain.Event:2"));
    if (step === undefined) return version;
    // session_log = 7 { status = 1: START }
    return concat([version, event(wallTime, step, field.bytes(7, field.integer(1, 1)))]);
  }

  /**
   * Numbers of one step.
   *
   * @param step From 0.
   * @param scalars By tag; "loss/train" and "loss/validation" come to stand in one group.
   */
  scalars(step: number, wallTime: number, scalars: Readonly<Record<string, number>>): Uint8Array<ArrayBuffer> {
    // summary = 5 { value = 1 { tag = 1, simple_value = 2 } }
    checkArgument("write event", "scalars", scalars, []);
    checkArgument("write event", "scalars", Object.values(scalars), "numbers");
    const values = Object.entries(scalars).map(([tag, value]) =>
      field.bytes(1, concat([field.text(1, tag), field.float(2, value)]))
    );
    return event(wallTime, step, field.bytes(5, concat(values)));
  }

  /** Everything that is known of an epoch, under the tags loss/…, accuracy/…, learning_rate and gradient_norm. */
  epoch(record: EpochRecord, wallTime: number): Uint8Array<ArrayBuffer> {
    const { epoch, trainLoss, validationLoss, trainAccuracy, validationAccuracy, learningRate, gradNorm } =
      epochRecords("write event", [record])[0]!;
    const known = Object.entries({
      "loss/train": trainLoss,
      [`loss/${this.#other}`]: validationLoss,
      ...this.#accuracy && { "accuracy/train": trainAccuracy, [`accuracy/${this.#other}`]: validationAccuracy },
      learning_rate: learningRate,
      gradient_norm: gradNorm,
    }).filter((entry): entry is [string, number] => entry[1] !== undefined);
    return this.scalars(epoch, wallTime, Object.fromEntries(known));
  }
}
