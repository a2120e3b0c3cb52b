import { dag, task } from "windlass";
import { expect, test } from "vitest";
import { COMPILED_DAG } from "./compiled.ts";

const one = () => task("one", ({ n = 0 }: { n?: number }) => ({ n, list: [n] }));
const text = () => task("text", ({ value }: { value: unknown }) => String(value));

function firstFrame(error: unknown): string {
  return (error as Error).stack?.split("\n").find((row) => row.startsWith("    at ")) ?? "";
}

function failureOf(body: () => unknown): Error {
  try {
    body();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

// The casts play an author whose editor does not check types: files are run without a type check.
const wrong: [name: string, body: () => unknown, message: RegExp][] = [
  ["a DAG id", () => dag("no spaces", {}, () => one()()), /"no spaces" cannot be a DAG id/],
  ["a task id", () => task("a/b", () => 1), /"a\/b" cannot be a task id/],
  ["another id", () => one().as(""), /"" cannot be a task id/],
  ["no tasks", () => dag("d", {}, () => {}), /DAG "d" has no tasks/],
  // oxlint-disable-next-line typescript/no-misused-promises -- the mistake that is tested
  ["an async function", () => dag("d", {}, async () => one()()), /DAG "d": its function is async/],
  ["a call outside", () => one()(), /Task "one" was called outside of a DAG/],
  ["a DAG inside a DAG", () => dag("d", {}, () => dag("e", {}, () => one()())), /DAG "e" is defined inside DAG "d"/],
  [
    "the same task twice",
    () => dag("d", {}, () => (one()(), one()())),
    /DAG "d" has two tasks named "one".*\.as\("one_2"\)/,
  ],
  [
    "an undefined input",
    () => dag("d", {}, () => text()({ value: [undefined] })),
    /task "text": inputs\.value\[0\] is undefined/,
  ],
  [
    "a Date",
    () => dag("d", {}, () => text()({ value: { at: new Date() as never } })),
    /inputs\.value\.at is a Date, which JSON cannot carry/,
  ],
  ["not a number", () => dag("d", {}, () => text()({ value: NaN })), /inputs\.value is NaN/],
  ["positional inputs", () => dag("d", {}, () => text()("x" as never)), /inputs must be one object/],
  ["a reference as inputs", () => dag("d", {}, () => text()(one()() as never)), /inputs is a reference/],
  ["itself", () => dag("d", {}, () => text()({ value: loop() as never })), /inputs\.value\.self contains itself/],
  [
    "text of a reference",
    // oxlint-disable-next-line typescript/no-base-to-string, typescript/restrict-template-expressions -- the mistake
    () => dag("d", {}, () => text()({ value: `${one()().get("n")}` })),
    /The result of task "one".get\("n"\) has no value while/,
  ],
  [
    "a negative index",
    () => dag("d", {}, () => one()().get("list").get(-1)),
    /\.get\(-1\) needs the name of a field or an index/,
  ],
  ["itself before itself", () => dag("d", {}, () => selfOrder()), /task "one" cannot wait for itself/],
  ["before text", () => dag("d", {}, () => one()().before("x" as never)), /task "one": before\(\) was given "x"/],
  ["retries", () => task("t", { retries: -1 }, () => 1), /task "t": retries is -1/],
  [
    "a duration",
    () => task("t", { retryDelay: "5 min" as never }, () => 1),
    /task "t": retryDelay is "5 min", which is not a duration/,
  ],
  ["a long delay", () => task("t", { retryDelay: "2d" }, () => 1), /retryDelay is longer than a day/],
  ["no time at all", () => task("t", { executionTimeout: 0 }, () => 1), /executionTimeout is 0/],
  ["a misspelt option", () => task("t", { retry: 1 } as never, () => 1), /task "t": the option retry is unknown/],
  ["a trigger rule", () => task("t", { triggerRule: "all" as never }, () => 1), /triggerRule is "all"/],
  ["no function", () => task("t", {}, null as never), /task "t": the last argument is null/],
  ["a default", () => dag("d", { defaults: { retries: 0.5 } }, () => one()()), /DAG "d": defaults: retries is 0\.5/],
  ["a DAG's option", () => dag("d", { tag: [] } as never, () => one()()), /DAG "d": the option tag is unknown/],
  [
    "a schedule",
    () => dag("d", { schedule: "every day" as never }, () => one()()),
    /schedule "every day" is not a cron expression/,
  ],
  ["a preset", () => dag("d", { schedule: "@often" as never }, () => one()()), /schedule "@often" is unknown/],
  [
    "a wrong one of several schedules",
    () => dag("d", { schedule: ["0 6 * * *", "6"] as never }, () => one()()),
    /"6" is not a cron/,
  ],
  ["no schedules", () => dag("d", { schedule: [] }, () => one()()), /schedule is an empty array/],
  [
    "no interval",
    () => dag("d", { schedule: { every: 0.1 } }, () => one()()),
    /schedule\.every is 0\.1\. Use at least/,
  ],
  ["a listed time", () => dag("d", { schedule: { times: ["soon"] } }, () => one()()), /schedule\.times\[0\] is "soon"/],
  ["no timetable", () => dag("d", { schedule: { timetable: 5 as never } }, () => one()()), /schedule\.timetable is 5/],
  [
    "a schedule of no kind",
    () => dag("d", { schedule: { at: 5 } as never }, () => one()()),
    /schedule is an object\. Use/,
  ],
  ["runs at once", () => dag("d", { schedule: "@continuous", maxActiveRuns: 2 }, () => one()()), /one run at a time/],
  ["intervals of nothing", () => dag("d", { intervals: "previous" }, () => one()()), /no meaning with no schedule/],
  ["no jitter", () => dag("d", { schedule: "@daily", jitter: 0 }, () => one()()), /jitter is 0\. Use more than 0/],
  ["failures", () => dag("d", { maxConsecutiveFailedRuns: 0 }, () => one()()), /maxConsecutiveFailedRuns is 0/],
  [
    "a run's time",
    () => dag("d", { runTimeout: "long" as never }, () => one()()),
    /runTimeout is "long", which is not/,
  ],
  ["a time zone", () => dag("d", { timezone: "Mars/Olympus" }, () => one()()), /timezone "Mars\/Olympus" is unknown/],
  ["a start", () => dag("d", { start: "soon" }, () => one()()), /DAG "d": start is "soon", which is not a date/],
  [
    "the order of dates",
    () => dag("d", { start: "2026-02-01", end: "2026-01-01" }, () => one()()),
    /end \(2026-01-01.*is before start/,
  ],
  ["a count", () => dag("d", { maxActiveRuns: 0 }, () => one()()), /maxActiveRuns is 0/],
  ["tags", () => dag("d", { tags: "a" as never }, () => one()()), /tags must be an array/],
  ["a flag", () => dag("d", { catchup: "yes" as never }, () => one()()), /catchup is "yes"/],
];

test.each(wrong)("%s: the error says what to do, at the author's line", (_name, body, message) => {
  const error = failureOf(body);
  expect(error.message).toMatch(message);
  expect(error.name).toBe("DagError");
  expect(firstFrame(error)).toContain("dag-errors.test.ts");
  expect(error.stack).toContain(error.message);
});

function loop(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}

function selfOrder(): void {
  const node = one()();
  node.before(node);
}

test("a cycle is named in the order of execution, at the line that closed it", () => {
  const error = failureOf(() =>
    dag("circle", {}, () => {
      const a = one().as("a")();
      const b = one().as("b")({ n: a.get("n") });
      const c = one().as("c")();
      const outside = one().as("outside")();
      outside.before(a);
      c.after(b);
      closeCircle(c, a);
    }),
  );
  expect(error.message).toMatch(/^DAG "circle" has a cycle: (a → b → c → a|b → c → a → b|c → a → b → c)\. Remove/);
  expect(firstFrame(error)).toContain("closeCircle");
});

function closeCircle(last: ReturnType<ReturnType<typeof one>>, first: typeof last): void {
  last.before(first);
}

test("a node of one DAG is refused in another, and after its DAG was built", () => {
  let leaked: ReturnType<ReturnType<typeof one>> | null = null;
  dag("first", {}, () => {
    leaked = one()();
  });
  const node = leaked as unknown as ReturnType<ReturnType<typeof one>>;
  expect(() => dag("second", {}, () => text()({ value: node }))).toThrow(
    /DAG "second", task "text": inputs\.value belongs to another DAG/,
  );
  expect(() => dag("third", {}, () => one()().after(node))).toThrow(/was given task "one" of another DAG/);
  expect(() => node.before(node)).toThrow(/before\(\) was called after the DAG was built/);
});

test("an error of the author's own passes through, and the next DAG builds", () => {
  const own = new TypeError("mine");
  expect(
    failureOf(() =>
      dag("broken", {}, () => {
        throw own;
      }),
    ),
  ).toBe(own);
  expect(dag("next", {}, () => one()())[COMPILED_DAG].definition.dag_id).toBe("next");
});
