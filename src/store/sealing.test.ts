import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { createSealer, findKeyFault } from "./sealing.ts";

const newKey = () => randomBytes(32).toString("base64");

test("a sealed text opens at its place, and nowhere else", () => {
  const sealer = createSealer([newKey()]);
  const sealed = sealer.seal("s3cret ünïcode", "variable/a");
  expect(sealed).not.toContain("s3cret");
  expect(sealer.open(sealed, "variable/a")).toBe("s3cret ünïcode");
  expect(() => sealer.open(sealed, "variable/b")).toThrow("does not open");
});

test("the same text is sealed differently each time", () => {
  const sealer = createSealer([newKey()]);
  expect(sealer.seal("x", "p")).not.toBe(sealer.seal("x", "p"));
});

test("a tampered text does not open", () => {
  const sealer = createSealer([newKey()]);
  const sealed = sealer.seal("value", "p");
  const [id = "", data = ""] = sealed.split(".");
  const bytes = Buffer.from(data, "base64");
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  expect(() => sealer.open(`${id}.${bytes.toString("base64")}`, "p")).toThrow("does not open");
});

test("keys rotate: the first seals, all open, a removed one is named", () => {
  const [old, fresh] = [newKey(), newKey()];
  const before = createSealer([old]).seal("value", "p");
  const both = createSealer([fresh, old]);
  expect(both.open(before, "p")).toBe("value");
  expect(both.isCurrent(before)).toBe(false);
  const after = both.seal("value", "p");
  expect(both.isCurrent(after)).toBe(true);
  expect(createSealer([fresh]).open(after, "p")).toBe("value");
  expect(() => createSealer([fresh]).open(before, "p")).toThrow(`key ${before.slice(0, 8)}`);
});

test("without a key nothing is stored in the clear", () => {
  expect(() => createSealer([]).seal("value", "p")).toThrow("WINDLASS_ENCRYPTION_KEYS");
});

test.each([
  ["", false],
  ["short", false],
  [Buffer.alloc(31).toString("base64"), false],
  [`${Buffer.alloc(32).toString("base64")}!`, false],
  [Buffer.alloc(32, 7).toString("base64"), true],
])("%j as a key: %s", (key, ok) => {
  expect(findKeyFault(key) === null).toBe(ok);
});
