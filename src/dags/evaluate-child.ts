// The program of the sealed child: reads a bundle from stdin, runs it, answers once and ends. It is handed to Node as text
// (see child-program.ts), so the child may read no file at all.

import { readFileSync, writeSync } from "node:fs";
import { startCpuProfile } from "node:v8";
import { runInThisContext } from "node:vm";
import { ANSWER_FD, type EvaluationAnswer, type EvaluationMode, type TimetableQuestion } from "./evaluation-answer.ts";
import { askTimetable } from "./ask-timetable.ts";
import { findLastLine } from "./find-last-line.ts";
import { loadBundle } from "./load-bundle.ts";
import { isSealedOff, sealProcess } from "./seal-process.ts";

const RUN = "windlassRun";
const STDIN_FD = 0;
const SEALED_OFF =
  "files, the network and other processes are out of reach while a DAG file is read; import data files, and do all else inside a task";
/** Any: a timetable has an answer to all of them. */
const SOME_INSTANT = Temporal.Instant.from("2026-01-01T00:00:00Z");

const [, asked, ...rest] = process.argv;
main(asked === "locate" || asked === "compute" ? asked : "evaluate", rest[0] ?? "");

function main(mode: EvaluationMode, question: string): void {
  const code = readFileSync(STDIN_FD, "utf8");
  // The author's code may replace anything that it can reach, so what is needed afterwards is held here.
  const { stringify } = JSON;
  const { from } = Buffer;
  // reallyExit is what process.exit ends in; unlike it, it runs no listeners.
  const exit = (process as unknown as { reallyExit(code: number): never }).reallyExit.bind(process);
  Error.stackTraceLimit = 50;
  const profile = mode === "locate" ? startCpuProfile() : null;
  sealProcess();
  const timetable = mode === "compute" ? (JSON.parse(question) as TimetableQuestion) : null;
  const answer = profile ? locate(code, profile) : timetable ? compute(code, timetable) : evaluate(code);
  let text: string;
  try {
    text = stringify(answer);
  } catch (error) {
    const thrown = describeThrown(error);
    text = stringify({ ...thrown, message: `the definition is not plain data: ${thrown.message}` });
  }
  const bytes = from(text, "utf8");
  for (let sent = 0; sent < bytes.length;) sent += writeSync(ANSWER_FD, bytes, sent);
  exit(0);
}

function evaluate(code: string): EvaluationAnswer {
  try {
    const dags = loadBundle(code);
    // Asked once, so that a timetable that cannot answer is an import error and no surprise of the night.
    for (const { timetable, definition } of dags) if (timetable) askTimetable(timetable, definition, SOME_INSTANT);
    return { kind: "dags", definitions: dags.map((dag) => dag.definition) };
  } catch (error) {
    return describeThrown(error);
  }
}

function compute(code: string, { dag_id, after, until, count }: TimetableQuestion): EvaluationAnswer {
  try {
    const dag = loadBundle(code).find(({ definition }) => definition.dag_id === dag_id);
    if (!dag?.timetable) return { kind: "thrown", message: `DAG "${dag_id}" has no timetable`, stack: "" };
    const times: Temporal.Instant[] = [];
    let last: Temporal.Instant | null = Temporal.Instant.fromEpochMilliseconds(after);
    while (last && times.length < count && last.epochMilliseconds <= until) {
      last = askTimetable(dag.timetable, dag.definition, last);
      if (last) times.push(last);
    }
    return { kind: "times", times: times.map((time) => time.toString()), is_complete: last === null };
  } catch (error) {
    return describeThrown(error);
  }
}

function locate(code: string, profile: { stop(): string }): EvaluationAnswer {
  Object.defineProperty(globalThis, RUN, { value: () => loadBundle(code), configurable: true });
  try {
    // The one way to break into a loop from outside: SIGINT ends the script, and control comes back here.
    runInThisContext(`${RUN}()`, { breakOnSigint: true });
  } catch {
    // Whether it was broken off or threw by itself: the profile tells where it was.
  }
  return { kind: "located", line: findLastLine(profile.stop()) };
}

function describeThrown(error: unknown): EvaluationAnswer & { kind: "thrown" } {
  try {
    if (!(error instanceof Error))
      return { kind: "thrown", message: `threw ${typeof error}: ${String(error)}`, stack: "" };
    const stack = typeof error.stack === "string" ? error.stack : "";
    if (!isSealedOff(error)) return { kind: "thrown", message: `${error.name}: ${error.message}`, stack };
    return { kind: "thrown", message: `${error.name}: ${SEALED_OFF}`, stack: stack.replace(error.message, SEALED_OFF) };
  } catch {
    return { kind: "thrown", message: "threw a value that cannot be described", stack: "" };
  }
}
