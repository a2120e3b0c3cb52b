import { cp, mkdir, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bundleFile } from "./bundle.ts";
import { createFolder, dagFile } from "./folder-fixture.ts";
import { type ImportFault, isImportFailure } from "./import-fault.ts";
import { loadBundle } from "./load-bundle.ts";

async function faultOf(folder: string, path: string): Promise<ImportFault> {
  const error: unknown = await bundleFile(folder, path).then(
    () => new Error("it was bundled"),
    (reason: unknown) => reason,
  );
  if (!isImportFailure(error)) throw error;
  return error.fault;
}

const READS_NEIGHBOURS = `
import { rows } from "./lib/rows.ts";
import csv from "./data/rows.csv";
import table from "./data/table.json";
enum Colour { Red = "red" }
const wrong: number = "types are not checked here";
export default { [Symbol.for("windlass.dag")]: { definition: { dag_id: Colour.Red, rows, csv, table, wrong }, functions: {} } };
`;
const NEIGHBOURS = {
  "dag.ts": READS_NEIGHBOURS,
  "lib/rows.ts": "export const rows: number[] = [1, 2];",
  "data/rows.csv": "a,b\n1,2\n",
  "data/table.json": '{"x": 1}',
};

describe("bundleFile", () => {
  test("makes one file of a DAG, its neighbours and its data", async () => {
    await using fixture = await createFolder(NEIGHBOURS);
    const bundle = await bundleFile(fixture.folder, "dag.ts");
    expect(loadBundle(bundle.code).map((dag) => dag.definition)).toEqual([
      { dag_id: "red", rows: [1, 2], csv: "a,b\n1,2\n", table: { x: 1 }, wrong: "types are not checked here" },
    ]);
    expect(bundle.inputs).toEqual(["dag.ts", "data/rows.csv", "data/table.json", "lib/rows.ts"]);
    expect(JSON.parse(bundle.sourceMap)).toMatchObject({ sources: expect.arrayContaining(["dag.ts", "lib/rows.ts"]) });
  });

  test("gives the same hash at another place, and another one for other content", async () => {
    const files = { ...NEIGHBOURS, "zodded.ts": `import { z } from "zod";\nexport const a = z.string();` };
    await using one = await createFolder(files);
    await using other = await createFolder();
    await cp(one.folder, join(other.folder, "deeper/dags"), { recursive: true });
    for (const path of ["dag.ts", "zodded.ts"]) {
      const [here, there] = await Promise.all([
        bundleFile(one.folder, path),
        bundleFile(join(other.folder, "deeper/dags"), path),
      ]);
      expect(there).toEqual(here);
      expect(here.code + here.sourceMap).not.toContain(import.meta.dirname);
      expect(here.code + here.sourceMap).not.toContain(one.folder);
    }
    const before = await bundleFile(one.folder, "dag.ts");
    await one.write("data/rows.csv", "changed");
    expect((await bundleFile(one.folder, "dag.ts")).hash).not.toBe(before.hash);
  });

  test("finds zod in this installation, and prefers the one beside the DAG", async () => {
    await using fixture = await createFolder({ "dag.ts": `export { z } from "zod";` });
    expect((await bundleFile(fixture.folder, "dag.ts")).code).toContain("windlass:node_modules/zod/");
    await fixture.write("node_modules/zod/package.json", `{"name":"zod","version":"1.0.0","main":"index.js"}`);
    await fixture.write("node_modules/zod/index.js", `exports.z = "the author's";`);
    const own = await bundleFile(fixture.folder, "dag.ts");
    expect(own.code).toContain("the author's");
    expect(own.inputs).toEqual(["dag.ts", "node_modules/zod/index.js"]);
  });

  test("leaves zod's languages out, and says so to who asks for one", async () => {
    await using fixture = await createFolder({
      "dag.ts": `import { z } from "zod"; z.string().parse("a"); z.locales.de();`,
      "german.ts": `import { z } from "zod"; import { de } from "zod/locales"; z.config(de()); z.string().parse(1);`,
    });
    const { code } = await bundleFile(fixture.folder, "dag.ts");
    expect(code.length).toBeLessThan(450_000);
    expect(() => loadBundle(code)).toThrow(
      `z.locales.de is not in a DAG's bundle; use: import { de } from "zod/locales"`,
    );
    const german = await bundleFile(fixture.folder, "german.ts");
    expect(() => loadBundle(german.code)).toThrow(/Ungültige Eingabe/);
  });

  test("names the place of a syntax error", async () => {
    await using fixture = await createFolder({ "dag.ts": "const a = 1;\nconst b = = 2;\n" });
    expect(await faultOf(fixture.folder, "dag.ts")).toEqual({
      filename: "dag.ts",
      message: 'Unexpected "="',
      line: 2,
      column: 11,
      stack_trace: expect.stringContaining("const b = = 2;"),
    });
  });

  test("names the neighbour that holds the error", async () => {
    await using fixture = await createFolder({
      "dag.ts": `import "./lib/broken.ts";`,
      "lib/broken.ts": "\n  let let = 1;",
    });
    const fault = await faultOf(fixture.folder, "dag.ts");
    expect(fault).toMatchObject({ filename: "dag.ts", line: null, column: null });
    expect(fault.message).toMatch(/^lib\/broken\.ts:2:7: /);
  });

  test.each([
    ["top-level await", "\nawait Promise.resolve();", /top-level "await" is not possible/, 2],
    ["a missing package", `import "no-such-package";`, /cannot find "no-such-package"/, 1],
    ["a missing neighbour", `import "./no-such-file.ts";`, /cannot find ".\/no-such-file.ts"/, 1],
    ["import.meta", `export const a = import.meta.dirname;`, /import\.meta is not available/, 1],
    ["a native add-on", `import "./addon.node";`, /native add-ons/, 1],
    ["another part of windlass", `import "windlass/src/store/database.ts";`, /cannot find "windlass\/src/, 1],
  ])("explains %s", async (_name, source, message, line) => {
    await using fixture = await createFolder({ "dag.ts": source, "addon.node": "" });
    expect(await faultOf(fixture.folder, "dag.ts")).toMatchObject({ message: expect.stringMatching(message), line });
  });

  test("does not take data from outside of the folder, by path or by link", async () => {
    await using fixture = await createFolder({
      "kubeconfig.yaml": "token: secret",
      "dags/dag.ts": `import text from "../kubeconfig.yaml"; export { text };`,
      "dags/linked.ts": `import text from "./link.yaml"; export { text };`,
    });
    const folder = join(fixture.folder, "dags");
    await symlink("../kubeconfig.yaml", join(folder, "link.yaml"));
    for (const path of ["dag.ts", "linked.ts"]) {
      expect((await faultOf(folder, path)).message).toMatch(/lies outside of the dags folder/);
    }
  });

  test("keeps names and hash while a ConfigMap's ..data is swapped", async () => {
    await using fixture = await createFolder();
    const { folder } = fixture;
    for (const version of ["..v1", "..v2"]) {
      await fixture.write(
        `${version}/dag.ts`,
        `export { rows } from "./rows.ts"; export { default } from "./base.ts";`,
      );
      await fixture.write(`${version}/rows.ts`, "export const rows = 1;");
      await fixture.write(`${version}/base.ts`, dagFile("linked"));
    }
    await symlink("..v1", join(folder, "..data"));
    for (const name of ["dag.ts", "rows.ts", "base.ts"]) await symlink(`..data/${name}`, join(folder, name));
    const before = await bundleFile(folder, "dag.ts");
    expect(before.inputs).toEqual(["base.ts", "dag.ts", "rows.ts"]);
    await symlink("..v2", join(folder, "..new"));
    await rename(join(folder, "..new"), join(folder, "..data"));
    expect(await bundleFile(folder, "dag.ts")).toEqual(before);
  });

  test("follows git-sync's link, a linked file's own neighbours and linked packages", async () => {
    await using fixture = await createFolder({
      "worktrees/abc/dags/dag.ts": `export { a } from "../lib/a.ts"; export { b } from "pkg";`,
      "worktrees/abc/lib/a.ts": "export const a = 1;",
      "store/pkg/index.js": `export { c as b } from "dep";`,
      "store/pkg/package.json": `{"name": "pkg", "module": "index.js", "type": "module"}`,
      "store/node_modules/dep/index.js": "export const c = 2;",
      "store/node_modules/dep/package.json": `{"name": "dep", "type": "module"}`,
      "elsewhere/linked.ts": `export * from "./beside.ts";`,
      "elsewhere/beside.ts": "export const d = 3;",
    });
    const { folder } = fixture;
    await symlink("worktrees/abc", join(folder, "current"));
    await mkdir(join(folder, "current/dags/node_modules"));
    await symlink(join(folder, "store/pkg"), join(folder, "current/dags/node_modules/pkg"));
    await symlink(join(folder, "elsewhere/linked.ts"), join(folder, "current/dags/linked.ts"));
    const dags = join(folder, "current/dags");
    const exportsOf = async (path: string) => {
      const module = { exports: {} };
      new Function("module", (await bundleFile(dags, path)).code)(module);
      return { ...module.exports };
    };
    expect(await exportsOf("dag.ts")).toEqual({ a: 1, b: 2 });
    expect(await exportsOf("linked.ts")).toEqual({ d: 3 });
  });
});
