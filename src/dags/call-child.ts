// The program of the sealed child that calls one function of a bundle: sensors' pokes and callbacks. It may use the network
// and nothing else; what it is told comes by stdin, and it answers once. Handed to Node as text, see child-program.ts.

import { readFileSync, writeSync } from "node:fs";
import { NO_RETRY, SKIP } from "../sdk/compiled.ts";
import type { CallAnswer, CallRequest } from "./call-answer.ts";
import { ANSWER_FD } from "./evaluation-answer.ts";
import { loadBundle } from "./load-bundle.ts";
import { isSealedOff, sealProcess } from "./seal-process.ts";

const STDIN_FD = 0;
const SEALED_OFF = "files and other processes are out of reach of sensors and callbacks; use a task";
/** The parent kills it at its limit; this is for a parent that cannot. */
const ORPHAN_GRACE_MS = 5_000;

main();

function main(): void {
  const input = readFileSync(STDIN_FD, "utf8");
  const cut = input.indexOf("\n");
  const request = JSON.parse(input.slice(0, cut)) as CallRequest;
  // The author's code may replace anything that it can reach, so what is needed afterwards is held here.
  const { stringify } = JSON;
  const { from } = Buffer;
  const exit = (process as unknown as { reallyExit(code: number): never }).reallyExit.bind(process);
  const limit = new AbortController();
  setTimeout(
    () => limit.abort(new DOMException("the time for this call is over", "TimeoutError")),
    request.timeMs,
  ).unref();
  setTimeout(() => exit(1), request.timeMs + ORPHAN_GRACE_MS).unref();
  const answer = (said: CallAnswer): never => {
    let text: string;
    try {
      text = stringify(said);
    } catch (error) {
      text = stringify({ ...describeThrown(error), message: "what it returned is not plain data" });
    }
    const bytes = from(text, "utf8");
    for (let sent = 0; sent < bytes.length;) sent += writeSync(ANSWER_FD, bytes, sent);
    return exit(0);
  };
  const fail = (error: unknown) => answer(describeThrown(error));
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  process.on("beforeExit", () =>
    fail(new Error("the function never settles: nothing is under way that could bring what it waits for")),
  );
  sealProcess();
  try {
    const dag = loadBundle(input.slice(cut + 1)).find((each) => each.definition.dag_id === request.dag_id);
    const { functions = {}, callbacks = {} } = dag ?? {};
    const run = (request.of === "task" ? functions : callbacks)[request.name];
    if (!run) return answer({ kind: "missing", message: `the bundle has no ${request.of} "${request.name}"` });
    const runtime = { ...request.runtime, ...request.secrets, signal: limit.signal };
    Promise.resolve((run as (inputs: unknown, runtime: unknown) => unknown)(request.inputs, runtime)).then(
      // What a callback returns is nobody's: often a response, which is no JSON.
      (value) => answer({ kind: "returned", value: request.of === "callback" ? null : (value ?? null) }),
      fail,
    );
  } catch (error) {
    fail(error);
  }
}

function describeThrown(error: unknown): CallAnswer & { kind: "thrown" } {
  const marks = (mark: symbol) => typeof error === "object" && error !== null && Reflect.get(error, mark) === true;
  try {
    const thrown = error instanceof Error ? error : new Error(`threw ${typeof error}: ${String(error)}`);
    const found = typeof thrown.stack === "string" ? thrown.stack : "";
    // Whatever the types say, code sets other things than strings here.
    const { name, message: own }: { name: unknown; message: unknown } = thrown;
    const message = isSealedOff(thrown) ? SEALED_OFF : String(own);
    const stack = isSealedOff(thrown) ? found.replace(String(own), message) : found;
    return {
      kind: "thrown",
      name: String(name),
      message,
      stack,
      skip: marks(SKIP),
      noRetry: marks(NO_RETRY),
    };
  } catch {
    return {
      kind: "thrown",
      name: "Error",
      message: "threw a value that cannot be described",
      stack: "",
      skip: false,
      noRetry: false,
    };
  }
}
