// A task's return value as JSON text. What JSON would silently change (a Date, NaN, a Map, a class instance) is an error
// that names its path, because the next task's types promise what was returned.

import { MAX_RESULT_BYTES } from "../contract/worker-process.ts";

// Postgres refuses JSON that is nested much deeper, and the walk below is recursive.
const MAX_DEPTH = 500;

/** `undefined` is null, and an object's undefined fields are left out, as JSON has it. Throws with the path of the fault. */
export function encodeResult(value: unknown): string {
  if (value === undefined) return "null";
  checkValue(value, "result", []);
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_RESULT_BYTES) {
    throw invalid(
      `the result has ${bytes} bytes as JSON, at most ${MAX_RESULT_BYTES} are kept; write it with runtime.artifacts.write() and return what that gives`,
    );
  }
  return text;
}

/** Throws where JSON would change the value, with its path. */
export function checkJson(value: unknown, path: string): void {
  checkValue(value, path, []);
}

function checkValue(value: unknown, path: string, parents: object[]): void {
  switch (typeof value) {
    case "string":
    case "boolean":
      return;
    case "number":
      if (!Number.isFinite(value)) throw invalid(`${path} is ${value}, which JSON cannot hold`);
      return;
    case "undefined":
      throw invalid(`${path} is undefined, which JSON cannot hold; use null`);
    case "bigint":
      throw invalid(`${path} is a bigint, which JSON cannot hold; return a string or a number`);
    case "function":
    case "symbol":
      throw invalid(`${path} is a ${typeof value}, which JSON cannot hold`);
    case "object":
      if (value !== null) checkObject(value, path, parents);
  }
}

function checkObject(value: object, path: string, parents: object[]): void {
  if (parents.includes(value)) throw invalid(`${path} is an object that contains itself`);
  if (parents.length >= MAX_DEPTH) throw invalid(`${path.slice(0, 200)}… is nested deeper than ${MAX_DEPTH} levels`);
  parents.push(value);
  if (Array.isArray(value)) {
    // By index: an array's holes are undefined too.
    for (let index = 0; index < value.length; index += 1) checkValue(value[index], `${path}[${index}]`, parents);
  } else {
    if (!isPlain(value)) throw invalid(`${path} is ${describeObject(value)}, not plain JSON data`);
    if ("toJSON" in value && typeof value.toJSON === "function") {
      throw invalid(`${path} has a toJSON function, so JSON would change it`);
    }
    for (const [key, field] of Object.entries(value)) {
      if (field !== undefined) checkValue(field, pathOf(path, key), parents);
    }
  }
  parents.pop();
}

/** Also objects of another realm, whose Object.prototype is not ours. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Object.prototype.toString.call(value) === "[object Object]";
}

function describeObject(value: object): string {
  const name = typeof value.constructor === "function" ? value.constructor.name : "";
  if (name === "Promise") return "a Promise (is an await missing?)";
  if (name === "") return "an object with a prototype";
  return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`;
}

function pathOf(path: string, key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

function invalid(message: string): Error {
  return Object.assign(new TypeError(message), { name: "InvalidResult" });
}
