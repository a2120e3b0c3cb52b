import { appendFile, chmod, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { systemClock } from "../lifecycle/clock.ts";
import { createLogger, type Logger } from "../lifecycle/log.ts";
import { createFolder } from "./folder-fixture.ts";
import { scanFolder } from "./scan-folder.ts";
import { type FolderChange, watchFolder } from "./watch-folder.ts";

const EFFECT_MS = 2_000;

interface Watching extends AsyncDisposable {
  /** The next change that has not been taken yet. */
  next(): Promise<{ changed: string[]; deleted: string[]; dagFiles: string[] }>;
}

async function watch(
  folder: string,
  alsoWatch: string[] = [],
  log: Logger = createLogger("silent"),
): Promise<Watching> {
  const changes: FolderChange[] = [];
  let arrived = Promise.withResolvers<void>();
  const service = watchFolder({
    folder,
    alsoWatch: () => new Set(alsoWatch),
    onChange: (change) => {
      changes.push(change);
      arrived.resolve();
    },
    clock: systemClock,
    log,
  });
  await service.start();
  return {
    next: async () => {
      if (changes.length === 0) await arrived.promise;
      arrived = Promise.withResolvers();
      const change = changes.shift();
      if (!change) throw new Error("woken without a change");
      return {
        changed: [...change.changed].toSorted(),
        deleted: [...change.deleted].toSorted(),
        dagFiles: [...change.dagFiles].toSorted(),
      };
    },
    [Symbol.asyncDispose]: () => service.stop(),
  };
}

describe.concurrent("watchFolder", { timeout: 20_000 }, () => {
  test("tells first of all that is there, and of nothing when nothing is", async () => {
    await using fixture = await createFolder({ "a.ts": "", "deep/er/b.mjs": "", "deep/data.csv": "" });
    await using watching = await watch(fixture.folder);
    expect(await watching.next()).toEqual({
      changed: ["a.ts", "deep/data.csv", "deep/er/b.mjs"],
      deleted: [],
      dagFiles: ["a.ts", "deep/er/b.mjs"],
    });
    await using empty = await createFolder();
    await using watchingEmpty = await watch(empty.folder);
    expect(await watchingEmpty.next()).toEqual({ changed: [], deleted: [], dagFiles: [] });
  });

  test("tells of new, changed, renamed and deleted files within 2 seconds", async () => {
    await using fixture = await createFolder({ "a.ts": "1" });
    await using watching = await watch(fixture.folder);
    await watching.next();
    const took = async (act: () => Promise<void>) => {
      const began = performance.now();
      await act();
      const change = await watching.next();
      expect(performance.now() - began).toBeLessThan(EFFECT_MS);
      return change;
    };
    expect(await took(() => fixture.write("new/b.ts", "1"))).toEqual({
      changed: ["new/b.ts"],
      deleted: [],
      dagFiles: ["a.ts", "new/b.ts"],
    });
    // Same size, so only its times tell.
    expect(await took(() => fixture.write("a.ts", "2"))).toMatchObject({ changed: ["a.ts"], deleted: [] });
    expect(await took(() => rename(join(fixture.folder, "a.ts"), join(fixture.folder, "c.ts")))).toEqual({
      changed: ["c.ts"],
      deleted: ["a.ts"],
      dagFiles: ["c.ts", "new/b.ts"],
    });
    expect(await took(() => rm(join(fixture.folder, "new"), { recursive: true }))).toEqual({
      changed: [],
      deleted: ["new/b.ts"],
      dagFiles: ["c.ts"],
    });
  });

  test("an editor's save by rename is one change", async () => {
    await using fixture = await createFolder({ "a.ts": "1" });
    await using watching = await watch(fixture.folder);
    await watching.next();
    await fixture.write("a.ts.swp", "2");
    await rename(join(fixture.folder, "a.ts.swp"), join(fixture.folder, "a.ts"));
    expect(await watching.next()).toEqual({ changed: ["a.ts"], deleted: [], dagFiles: ["a.ts"] });
  });

  test("waits until a file has been written in full, without holding up others", async () => {
    await using fixture = await createFolder();
    await using watching = await watch(fixture.folder);
    await watching.next();
    const growing = join(fixture.folder, "growing.ts");
    await writeFile(growing, "");
    let isWriting = true;
    const writing = (async () => {
      while (isWriting) {
        await appendFile(growing, "x");
        await systemClock.sleep(20);
      }
    })();
    await fixture.write("whole.ts", "1");
    expect(await watching.next()).toEqual({ changed: ["whole.ts"], deleted: [], dagFiles: ["growing.ts", "whole.ts"] });
    isWriting = false;
    await writing;
    expect(await watching.next()).toMatchObject({ changed: ["growing.ts"] });
  });

  test("sees a ConfigMap's ..data swapped, and git-sync's link", async () => {
    await using fixture = await createFolder({
      "..v1/a.ts": "1",
      "..v2/a.ts": "1",
      "trees/1/dags/b.ts": "1",
      "trees/2/dags/c.ts": "1",
    });
    const { folder } = fixture;
    const swap = async (target: string, link: string) => {
      await symlink(target, join(folder, `${link}.new`));
      await rename(join(folder, `${link}.new`), join(folder, link));
    };
    await swap("..v1", "..data");
    await symlink("..data/a.ts", join(folder, "a.ts"));
    await swap("trees/1", "current");
    await using configMap = await watch(folder);
    await using gitSync = await watch(join(folder, "current/dags"));
    expect((await configMap.next()).dagFiles).toContain("a.ts");
    expect(await gitSync.next()).toMatchObject({ dagFiles: ["b.ts"] });
    await swap("..v2", "..data");
    expect(await configMap.next()).toMatchObject({ changed: ["a.ts"], deleted: [] });
    await swap("trees/2", "current");
    expect(await gitSync.next()).toEqual({ changed: ["c.ts"], deleted: ["b.ts"], dagFiles: ["c.ts"] });
  });

  test("looks after files in node_modules that it is told of, and after no others there", async () => {
    await using fixture = await createFolder({
      "a.ts": "",
      "node_modules/used/index.js": "1",
      "node_modules/other/index.js": "1",
      ".git/x.ts": "",
    });
    await using watching = await watch(fixture.folder, ["node_modules/used/index.js"]);
    expect(await watching.next()).toMatchObject({ changed: ["a.ts"], dagFiles: ["a.ts"] });
    await fixture.write("node_modules/other/index.js", "2");
    await fixture.write("node_modules/used/index.js", "2");
    expect(await watching.next()).toMatchObject({ changed: ["node_modules/used/index.js"], dagFiles: ["a.ts"] });
  });

  test(".windlassignore takes DAG files away and gives them back", async () => {
    await using fixture = await createFolder({ "a.ts": "", "drafts/b.ts": "" });
    await using watching = await watch(fixture.folder);
    await watching.next();
    await fixture.write(".windlassignore", "drafts/\n");
    expect(await watching.next()).toEqual({ changed: ["drafts/b.ts"], deleted: [], dagFiles: ["a.ts"] });
    await rm(join(fixture.folder, ".windlassignore"));
    expect(await watching.next()).toEqual({ changed: ["drafts/b.ts"], deleted: [], dagFiles: ["a.ts", "drafts/b.ts"] });
  });

  test("a folder that has gone away deletes nothing", async () => {
    await using fixture = await createFolder({ "dags/a.ts": "1", "dags/b.ts": "1" });
    const dags = join(fixture.folder, "dags");
    const noticed = Promise.withResolvers<string>();
    const log = pino({ level: "warn" }, { write: (line) => noticed.resolve(line) });
    await using watching = await watch(dags, [], log);
    await watching.next();
    await rename(dags, join(fixture.folder, "away"));
    expect(await noticed.promise).toContain("ENOENT");
    await mkdir(dags);
    await writeFile(join(dags, "a.ts"), "1");
    expect(await watching.next()).toMatchObject({ changed: ["a.ts"], deleted: ["b.ts"] });
  });
});

describe("scanFolder", () => {
  test("leaves out what is no DAG file", async () => {
    await using fixture = await createFolder({
      "a.ts": "",
      "b.mts": "",
      "c.js": "",
      "d.mjs": "",
      "e.d.ts": "",
      "f.test.ts": "",
      "g.cts": "",
      "h.csv": "",
      "drafts/i.ts": "",
      "drafts/keep.ts": "",
      "deep/gen/j.ts": "",
      "deep/k.gen.ts": "",
      "deep/here/l.ts": "",
      ".windlassignore": "# comments\n*.gen.ts\ndrafts/**\n!drafts/keep.ts\ngen\n",
      "deep/.windlassignore": "/here\n",
    });
    const { dagFiles, files } = await scanFolder(fixture.folder);
    expect([...dagFiles].toSorted()).toEqual(["a.ts", "b.mts", "c.js", "d.mjs", "drafts/keep.ts"]);
    expect(files.has("deep/gen/j.ts")).toBe(true);
  });

  test("ends where links form a circle", async () => {
    await using fixture = await createFolder({ "a.ts": "", "deep/b.ts": "" });
    await symlink("..", join(fixture.folder, "deep/up"));
    await symlink(".", join(fixture.folder, "self"));
    await symlink("nowhere", join(fixture.folder, "dangling.ts"));
    const { files } = await scanFolder(fixture.folder);
    expect([...files.keys()].toSorted()).toEqual(["a.ts", "deep/b.ts"]);
  });

  test.skipIf(process.getuid?.() === 0)("tells what it cannot read from what is gone", async () => {
    await using fixture = await createFolder({ "closed/a.ts": "" });
    await chmod(join(fixture.folder, "closed"), 0);
    expect([...(await scanFolder(fixture.folder)).unreadable.keys()]).toEqual(["closed/"]);
    await chmod(join(fixture.folder, "closed"), 0o755);
  });

  test("a pass over 300 files takes less than 20 ms at the median", async () => {
    const files = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`d${index % 15}/f${index}.ts`, "x"]));
    await using fixture = await createFolder({ ...files, ".windlassignore": "lib/**\n*.gen.ts\n" });
    const times: number[] = [];
    for (let pass = 0; pass < 21; pass += 1) {
      const began = performance.now();
      expect((await scanFolder(fixture.folder)).dagFiles.size).toBe(300);
      times.push(performance.now() - began);
    }
    expect(times.toSorted((a, b) => a - b)[10]).toBeLessThan(20);
  });
});
