import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../lifecycle/clock.ts";
import { FINDINGS } from "./finding.ts";
import { lintFiles } from "./lint-files.ts";

const PROJECT = join(import.meta.dirname, "..", "..");

async function lint(files: { [name: string]: string }, types = false) {
  const folder = await mkdtemp(join(tmpdir(), "windlass-lint-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await symlink(join(PROJECT, "node_modules"), join(folder, "node_modules"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const { findings } = await lintFiles([folder], { types }, systemClock);
  return findings.map(({ file, line, column, code }) => `${file}:${line}:${column} ${code}`);
}

const write = (body: string, options = "{}") => `import { branch, dag, empty, kubernetesPod, task } from "windlass";
const one = task("one", ({ n }: { n: number }) => n);
export default dag("sample", ${options}, () => {
  ${body}
});
`;

test.each([
  ["a branch to nowhere", write("branch('b', () => 'x')();"), ["4:10 import_error"]],
  ["a branch", write("branch('b', () => 'x')().to({ x: one({ n: 1 }) });"), []],
  ["nothing", write("one({ n: 1 });"), []],
  ["a time in a task", write("one({ n: 1 }); task('two', () => Date.now())();"), []],
  ["the clock", write("one({ n: Date.now() });"), ["4:17 unstable_definition"]],
  ["new Date()", write("one({ n: new Date().getFullYear() });"), ["4:12 unstable_definition"]],
  ["a day", write("one({ n: 1 });", "{ start: Temporal.Now.plainDateISO().toString() }"), ["3:52 unstable_definition"]],
  ["chance", write("one({ n: Math.random() });"), ["4:17 unstable_definition"]],
  ["an id by chance", write("task(crypto.randomUUID(), () => 1)();"), ["4:15 unstable_definition"]],
  ["a fixed date", write("one({ n: new Date('2026-01-01').getFullYear() });"), []],
  ["catchup alone", write("one({ n: 1 });", "{ catchup: true }"), ["3:20 catchup_without_schedule"]],
  [
    "catchup from nowhere",
    write("one({ n: 1 });", `{ schedule: "@daily", catchup: true }`),
    ["3:20 catchup_without_start"],
  ],
  ["catchup", write("one({ n: 1 });", `{ schedule: "@daily", catchup: true, start: "2026-01-01" }`), []],
  ["a rule", write(`empty("join", { triggerRule: "one_failed" })();`), ["4:9 rule_without_upstream"]],
  ["a rule that counts", write(`empty("join", { triggerRule: "one_failed" })().after(one({ n: 1 }));`), []],
  [
    "a password",
    write(`kubernetesPod("p", { image: "x", env: { DB_PASSWORD: "hunter22" } })();`),
    ["4:56 secret_literal"],
  ],
  [
    "a password in a call",
    write(`kubernetesPod("p", { image: "x" })({ env: { apiKey: "k3y5" } });`),
    ["4:55 secret_literal"],
  ],
  [
    "a password in a pod",
    write(`task("p", { pod: { env: { TOKEN: "t0k3n" } } }, () => 1)();`),
    ["4:36 secret_literal"],
  ],
  [
    "where a password is",
    write(`kubernetesPod("p", { image: "x", env: { PASSWORD: "/run/p", TOKEN: "$(T)" } })();`),
    [],
  ],
  ["no dag", "export const x: = 1; // windlass", ["1:17 import_error"]],
  ["a throw", write("one({ n: 1 }); one({ n: 2 });"), ["4:18 import_error"]],
])("%s", async (_, text, expected) => {
  expect(await lint({ "sample.ts": text })).toEqual(expected.map((each) => `sample.ts:${each}`));
});

test("one DAG in two files", async () => {
  const text = write("one({ n: 1 });");
  expect(await lint({ "a.ts": text, "b.ts": text })).toEqual(["b.ts:3:20 duplicate_dag"]);
});

test("types are the compiler's, also where another file does not parse; unused tasks are found by it", async () => {
  const text = `import { dag, task } from "windlass";
const word = task("word", () => "x");
const twice = task("twice", ({ n }: { n: number }) => 2 * n);
const forgotten = task("forgotten", () => 1);
const unread = 3;
export const neighbour = task("neighbour", () => 1);
export default dag("typed", {}, () => {
  twice({ n: word() });
});
`;
  expect(await lint({ "typed.ts": text, "broken.ts": `import "windlass"; const x: = 1;` }, true)).toEqual([
    "broken.ts:1:29 import_error",
    "typed.ts:4:7 unused_task",
    "typed.ts:8:11 TS2322",
  ]);
});

test("an import that is not used is the author's own affair", async () => {
  const text = `import { dag, group, task } from "windlass";
const one = task("one", () => 1);
export default dag("tidy", {}, () => void one());
`;
  expect(await lint({ "tidy.ts": text }, true)).toEqual([]);
});

test("a JavaScript file does not keep the types of others from being checked", async () => {
  const wrong = write("one({ n: 'x' });");
  expect(await lint({ "sample.ts": wrong, "plain.js": `export const windlass = 1;` }, true)).toEqual([
    "sample.ts:4:9 TS2322",
  ]);
});

test("a file that imports the DAG file back", async () => {
  const sales = `import { dag } from "windlass";
import { load } from "./lib/tasks.ts";
export const prefix = "sales";
export default dag(prefix, {}, () => void load());
`;
  const tasks = `import { task } from "windlass";
import { prefix } from "../sales.ts";
export const load = task(\`\${prefix}_load\`, () => 1);
`;
  expect(await lint({ "sales.ts": sales, "lib/tasks.ts": tasks })).toEqual([
    // Read first, it finds the DAG file without its tasks.
    "lib/tasks.ts:null:null import_error",
    "sales.ts:2:22 import_cycle",
  ]);
  const typesOnly = tasks.replace("import { prefix }", "import type { prefix }").replace("${prefix}", "sales");
  expect(await lint({ "sales.ts": sales, "lib/tasks.ts": typesOnly })).toEqual([]);
});

test("a folder that is named must have a DAG", async () => {
  expect(await lint({})).toEqual([expect.stringMatching(/^windlass-lint-test-\w+:null:null no_dag$/)]);
  expect(await lint({ "lib.ts": "export const x = 1;" })).toEqual([expect.stringContaining("no_dag")]);
});

test("a file that is named must have a DAG, and be there", async () => {
  const { findings } = await lintFiles([join(PROJECT, "src", "core", "json.ts")], { types: false }, systemClock);
  expect(findings).toMatchObject([{ file: "json.ts", line: null, code: "no_dag" }]);
  await expect(lintFiles(["/absent.ts"], { types: false }, systemClock)).rejects.toMatchObject({
    code: "invalid_request",
  });
});

test("the documentation has every code", async () => {
  const text = await readFile(join(PROJECT, "docs", "testing-dags.md"), "utf8");
  const documented = [...text.matchAll(/^\| `(\w+)` \| (.+) \|$/gm)].map((match) => [match[1], match[2]]);
  expect(documented).toEqual(expect.arrayContaining(Object.entries(FINDINGS)));
});
