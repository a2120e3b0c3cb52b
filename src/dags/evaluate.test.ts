import { once } from "node:events";
import { access } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../lifecycle/clock.ts";
import { bundleFile } from "./bundle.ts";
import { type Evaluation, evaluateBundle } from "./evaluate.ts";
import { createFolder, dagFile, plainDag, plainTask } from "./folder-fixture.ts";
import type { ImportFault } from "./import-fault.ts";
import { DEFAULT_LIMITS, type EvaluationLimits } from "./run-sealed.ts";

const MEBIBYTE = 2 ** 20;

async function evaluate(files: Record<string, string>, limits: Partial<EvaluationLimits> = {}): Promise<Evaluation> {
  await using fixture = await createFolder(files);
  const bundle = await bundleFile(fixture.folder, "dag.ts");
  return await evaluateBundle(bundle, "dag.ts", { ...DEFAULT_LIMITS, ...limits }, systemClock);
}

async function faultOf(source: string, limits: Partial<EvaluationLimits> = {}): Promise<ImportFault> {
  const evaluation = await evaluate({ "dag.ts": source }, limits);
  if (evaluation.kind !== "fault") throw new Error("the file evaluated");
  return evaluation.fault;
}

/** Runs an expression inside the child and hands its value out as a DAG's description. */
async function tell(expression: string): Promise<string> {
  const evaluation = await evaluate({
    "dag.ts": `
      const told = (() => { try { return JSON.stringify(${expression}) ?? "undefined"; } catch (error) { return String(error); } })();
      const definition = { ...${JSON.stringify(plainDag("told"))}, description: told };
      export default { [Symbol.for("windlass.dag")]: { definition, functions: {} } };`,
  });
  if (evaluation.kind !== "dags") throw new Error(evaluation.fault.message);
  return evaluation.definitions[0]?.description ?? "";
}

describe("evaluateBundle", () => {
  test("hands over the definitions of all DAGs that are exported, once each", async () => {
    const file = `${dagFile("first")}
      const second = { [Symbol.for("windlass.dag")]: { definition: ${JSON.stringify(plainDag("second"))}, functions: {} } };
      export { second as again, second }; export const other = { a: 1 }; export const nothing = null;`;
    const evaluation = await evaluate({ "dag.ts": file });
    expect(evaluation).toEqual({ kind: "dags", definitions: [plainDag("second"), plainDag("first")] });
  });

  test("takes a DAG that is written with the sdk, and points at its ids when it cannot work", async () => {
    const source = `
      import { dag, task } from "windlass";
      import { z } from "zod";
      const one = task("one", async ({ day }: { day: string }) => [day]);
      const two = task("two", async ({ days }: { days: string[] }) => days.length);
      export default dag("written", { schedule: "0 6 * * *", params: z.object({ day: z.string().default("today") }) }, ({ params }) => {
        two({ days: one({ day: params.day }) });
      });`;
    expect(await evaluate({ "dag.ts": source })).toMatchObject({
      kind: "dags",
      definitions: [{ dag_id: "written", tasks: [{ task_id: "one" }, { task_id: "two", upstream: ["one"] }] }],
    });
    expect(await faultOf(source.replace("0 6", "0 66"))).toMatchObject({
      message: expect.stringMatching(/^DAG "written", schedule: schedule "0 66/),
      line: 6,
      column: 26,
    });
  });

  test("a file without DAGs has none", async () => {
    expect(await evaluate({ "dag.ts": "export const a = 1;" })).toEqual({ kind: "dags", definitions: [] });
  });

  test("an author's console harms nothing", async () => {
    const noisy = `for (let i = 0; i < 20_000; i++) { console.log("x".repeat(100)); console.error("y".repeat(100)); }\n${dagFile("noisy")}`;
    expect(await evaluate({ "dag.ts": noisy })).toMatchObject({ kind: "dags" });
  });

  test("open timers and exit listeners do not hold the child", async () => {
    const waits = `setInterval(() => {}, 1000); process.on("exit", () => { for (;;); });\n${dagFile("waits")}`;
    expect(await evaluate({ "dag.ts": waits })).toMatchObject({ kind: "dags" });
  });
});

describe("a file that throws", () => {
  test("is a fault at the author's line", async () => {
    const fault = await faultOf(
      `interface Removed { a: 1 }\n\nfunction explode(): never {\n  throw new TypeError("boom");\n}\nexplode();\n`,
    );
    expect(fault).toMatchObject({ filename: "dag.ts", message: "TypeError: boom", line: 4, column: 9 });
    expect(fault.stack_trace.split("\n")).toEqual([
      "TypeError: boom",
      "    at explode (dag.ts:4:9)",
      expect.stringMatching(/^ {4}at .*dag\.ts:6:1/),
    ]);
  });

  test("inside a neighbour is a fault that names both places", async () => {
    const evaluation = await evaluate({
      "dag.ts": `import { rows } from "./lib/rows.ts";\n\nexport const all = rows();`,
      "lib/rows.ts": `interface Removed { a: 1 }\nexport function rows(): number[] {\n  throw new Error("no rows");\n}`,
    });
    expect(evaluation).toMatchObject({
      kind: "fault",
      fault: { filename: "dag.ts", message: "lib/rows.ts:3:9: Error: no rows", line: 3, column: 20 },
    });
  });

  test.each([
    ["a text", `throw "plain";`, "threw string: plain"],
    [
      "an object that resists",
      `throw { get message() { throw 1; }, toString() { throw 2; } };`,
      "threw a value that cannot be described",
    ],
    [
      "process.exit",
      `\nprocess.exit(0);`,
      "Error: process.exit() is not available while a DAG file is read; call it inside a task",
    ],
    ["an unknown module", `const name = "left-pad"; require(name);`, /^Error: Cannot find module "left-pad"/],
    [
      "a definition that is not plain data",
      `export default { [Symbol.for("windlass.dag")]: { definition: { dag_id: 1n } } };`,
      /^the definition is not plain data: TypeError: .*BigInt/,
    ],
  ])("is a fault for %s", async (_name, source, message) => {
    expect((await faultOf(source)).message).toEqual(
      typeof message === "string" ? message : expect.stringMatching(message),
    );
  });
});

describe("limits", () => {
  test("an endless loop ends at the time limit and is found", async () => {
    const fault = await faultOf(`interface Removed { a: 1 }\nlet x = 0;\nfor (;;) {\n  x = Math.sqrt(x + 1);\n}`, {
      timeMs: 700,
    });
    expect(fault.message).toMatch(/longer than 0\.7 s/);
    expect([3, 4]).toContain(fault.line);
  });

  test("an endless loop in a neighbour names the neighbour", async () => {
    const evaluation = await evaluate(
      {
        "dag.ts": `import { spin } from "./lib/spin.ts";\nspin();`,
        "lib/spin.ts": "type A = 1;\nexport function spin() {\n  let x = 0;\n  for (;;) x = Math.sqrt(x + 1);\n}",
      },
      { timeMs: 700 },
    );
    expect(evaluation).toMatchObject({ fault: { message: expect.stringMatching(/^lib\/spin\.ts:4: .*took longer/) } });
  });

  test("a growing heap ends at the memory limit and is found", async () => {
    const fault = await faultOf(
      `type A = 1;\nconst kept: unknown[] = [];\nfor (;;) {\n  kept.push({ at: kept.length, text: "x" + kept.length });\n}`,
      {
        memoryBytes: 48 * MEBIBYTE,
      },
    );
    expect(fault.message).toMatch(/more than 48 MiB/);
    expect([3, 4]).toContain(fault.line);
  });

  test("growing buffers, which the heap's limit does not see, end at the memory limit", async () => {
    const fault = await faultOf(
      `type A = 1;\nconst kept: Buffer[] = [];\nfunction fill() {\n  for (;;) kept.push(Buffer.alloc(1_000_000, 1));\n}\nfill();`,
      { memoryBytes: 64 * MEBIBYTE },
    );
    expect(fault.message).toMatch(/more than 64 MiB/);
    expect([3, 4]).toContain(fault.line);
  });

  test("an answer beyond the limit is refused", async () => {
    const fault = await faultOf(dagFile("large", { description: "x".repeat(3 * MEBIBYTE) }), {
      outputBytes: 2 * MEBIBYTE,
    });
    expect(fault.message).toMatch(/larger than 2 MiB/);
  });

  test("a child that dies is a fault, as is one that answers something else", async () => {
    expect((await faultOf(`require("node:fs").closeSync(3); ${dagFile("mute")}`)).message).toMatch(
      /ended without an answer/,
    );
    expect((await faultOf(`require("node:fs").writeSync(3, "[]"); ${dagFile("liar")}`)).message).toMatch(
      /something else than DAGs/,
    );
  });

  test("a child that cannot be started is no fault of the file", async () => {
    const { execPath } = process;
    process.execPath = "/no/such/node";
    try {
      await expect(evaluate({ "dag.ts": dagFile("fine") })).rejects.toMatchObject({ code: "unavailable" });
    } finally {
      process.execPath = execPath;
    }
  });

  test("inputs nested too deeply are a fault", async () => {
    const fault = await faultOf(`
      let deep: unknown = { kind: "value", value: 1 };
      for (let i = 0; i < 4_000; i++) deep = { kind: "array", items: [deep] };
      const task = { ...${JSON.stringify(plainTask("one"))}, inputs: { deep } };
      const definition = { ...${JSON.stringify(plainDag("deep"))}, tasks: [task] };
      export default { [Symbol.for("windlass.dag")]: { definition } };`);
    expect(fault.message).toMatch(/nested too deeply/);
  });
});

describe("the seal", () => {
  test("shows no environment", async () => {
    expect(process.env["PATH"]).toBeTruthy();
    expect(await tell("process.env")).toBe("{}");
    expect(await tell("process.cwd()")).toBe('"/"');
  });

  test.each([
    ["reading files", `require("node:fs").readFileSync("/proc/self/environ", "utf8")`, /ERR_ACCESS_DENIED|restricted/],
    ["child processes", `require("node:child_process").spawnSync("true").pid`, /restricted/],
    ["workers", `new (require("node:worker_threads").Worker)("1", { eval: true })`, /restricted/],
    ["a debugger", `require("node:inspector").open(0)`, /restricted/],
    ["listening", `require("node:net").createServer().listen(0)`, /restricted/],
    ["databases, which write files", `process.getBuiltinModule("node:sqlite")`, /^undefined$/],
    ["add-ons", `process.dlopen({ exports: {} }, "/x.node")`, /not available/],
    ["signals", `process.kill(process.ppid, 0)`, /not available/],
    ["signals beneath", `process._kill(process.ppid, 0)`, /not available/],
    ["debugging the parent", `process._debugProcess(process.ppid)`, /not available/],
    ["priorities", `require("node:os").setPriority(process.ppid, 19)`, /not available/],
    ["V8 flags", `require("node:v8").setFlagsFromString("--log-all")`, /not available/],
    ["Node's own bindings", `process.binding("process_wrap")`, /not available/],
    ["another program", `process.execve("/bin/true", [], {})`, /not available/],
    ["undoing the seal", `(delete process.kill, process.kill(process.ppid, 0))`, /TypeError|not available/],
  ])("refuses %s", async (_name, expression, refusal) => {
    expect(await tell(expression)).toMatch(refusal);
  });

  test("writes no file", async () => {
    await using fixture = await createFolder();
    const path = join(fixture.folder, "written");
    expect(await tell(`require("node:fs").writeFileSync(${JSON.stringify(path)}, "x")`)).toMatch(/restricted/);
    await expect(access(path)).rejects.toThrow("ENOENT");
  });

  test("reaches no server", async () => {
    let connections = 0;
    const server = createServer(() => (connections += 1)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    try {
      // The loop keeps the child at work for as long as a connection would need.
      const evaluation = await evaluate({
        "dag.ts": `
          import { connect } from "node:net";
          connect(${port}, "127.0.0.1").on("error", () => {});
          fetch("http://127.0.0.1:${port}").catch(() => {});
          const until = Date.now() + 300; while (Date.now() < until);
          ${dagFile("online")}`,
      });
      expect(evaluation.kind).toBe("dags");
      expect(connections).toBe(0);
    } finally {
      server.close();
    }
  });
});

describe("a definition that cannot work", () => {
  const upstream = (id: string, ...ids: string[]) => plainTask(id, { upstream: ids });
  test.each([
    ["its shape", { max_active_runs: 0 }, /^DAG "wrong", max_active_runs: /],
    ["a task's field", { tasks: [plainTask("one", { retries: -1 })] }, /^DAG "wrong", task "one"\.retries: /],
    [
      "the cron expression",
      { schedule: { kind: "cron", expression: "61 * * * *", timezone: "UTC" } },
      /schedule: schedule "61/,
    ],
    [
      "a param that a scheduled run would lack",
      {
        schedule: { kind: "cron", expression: "0 6 * * *", timezone: "UTC" },
        params_schema: { type: "object", properties: { day: { type: "string" } }, required: ["day"] },
      },
      /params\.day: has no default/,
    ],
    [
      "the time zone",
      { schedule: { kind: "cron", expression: "0 6 * * *", timezone: "Mars/Base" } },
      /schedule: timezone "Mars\/Base"/,
    ],
    [
      "its dates",
      { start_date: "2026-02-01T00:00:00Z", end_date: "2026-01-01T00:00:00Z" },
      /end_date: .* before the start_date/,
    ],
    ["a repeated id", { tasks: [plainTask("one"), plainTask("one")] }, /task "one": the id is taken/],
    ["an unknown upstream", { tasks: [upstream("one", "two")] }, /task "one"\.upstream: there is no task "two"/],
    [
      "a circle",
      { tasks: [upstream("a", "c"), upstream("b", "a"), upstream("c", "b")] },
      /tasks: wait for each other in a circle: a → b → c → a/,
    ],
    [
      "a result that is not upstream",
      {
        tasks: [
          plainTask("one"),
          plainTask("two", { inputs: { n: { kind: "array", items: [{ kind: "result", task_id: "one", path: [] }] } } }),
        ],
      },
      /task "two"\.inputs\.n: uses the result of "one", which is not upstream/,
    ],
    [
      "a param of none",
      { tasks: [plainTask("one", { inputs: { n: { kind: "param", path: ["n"] } } })] },
      /uses a param, but the DAG takes none/,
    ],
    ["text that no database takes", { description: "a\0b" }, /NUL character/],
  ])("is a fault for %s", async (_name, definition, message) => {
    expect((await faultOf(dagFile("wrong", definition))).message).toMatch(message);
  });

  test("text that only looks like an escape is fine", async () => {
    expect(await evaluate({ "dag.ts": dagFile("fine", { description: "\\u0000 and \\ud800" }) })).toMatchObject({
      kind: "dags",
    });
  });

  test("an id that the file uses twice is a fault", async () => {
    const evaluation = await evaluate({
      "dag.ts": `${dagFile("same")} export { default as again } from "./other.ts";`,
      "other.ts": dagFile("same"),
    });
    expect(evaluation).toMatchObject({ fault: { message: 'DAG "same", dag_id: the file defines this id twice' } });
  });
});
