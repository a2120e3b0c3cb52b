import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { failure } from "../core/errors.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { createLogger } from "../lifecycle/log.ts";
import { createDagProcessor, type DagSink } from "./dag-processor.ts";
import { createFolder, dagFile } from "./folder-fixture.ts";

interface RecordingSink extends DagSink {
  events: string[];
  /** The next calls fail. */
  failNext(count: number): void;
  /** Resolves with all events once the given one is among those since the last call. */
  until(event: string | RegExp): Promise<string[]>;
}

/** Keeps what the store would keep: which file owns which DAG. */
function createSink(): RecordingSink {
  const events: string[] = [];
  const owners = new Map<string, string>();
  let taken = 0;
  let failures = 0;
  let arrived = Promise.withResolvers<void>();
  const record = (event: string) => {
    events.push(event);
    arrived.resolve();
    arrived = Promise.withResolvers();
  };
  const failAtTimes = () => {
    if (failures === 0) return;
    failures -= 1;
    record("failed");
    throw failure("unavailable", "the database is away");
  };
  const release = (filename: string) => {
    for (const [dagId, owner] of owners) if (owner === filename) owners.delete(dagId);
  };
  return {
    events,
    failNext: (count) => {
      failures = count;
    },
    until: async (event) => {
      const fits = (one: string) => (typeof event === "string" ? one === event : event.test(one));
      for (;;) {
        const fresh = events.slice(taken);
        const index = fresh.findIndex(fits);
        if (index >= 0) {
          taken += index + 1;
          return fresh.slice(0, index + 1);
        }
        await arrived.promise;
      }
    },
    saveFile: async ({ filename, definitions }) => {
      failAtTimes();
      const ids = definitions.map((definition) => definition.dag_id);
      const owner = ids.map((id) => owners.get(id)).find((one) => one !== undefined && one !== filename);
      if (owner) throw failure("already_exists", `a DAG is defined in ${owner} too`);
      release(filename);
      for (const id of ids) owners.set(id, filename);
      record(
        `saved ${filename}: ${ids.join(", ")}${definitions[0]?.description ? ` (${definitions[0].description})` : ""}`,
      );
    },
    saveFault: async (fault) => {
      failAtTimes();
      record(`fault ${fault.filename}:${fault.line ?? ""} ${fault.message}`);
    },
    removeFile: async (filename) => {
      failAtTimes();
      release(filename);
      record(`removed ${filename}`);
    },
    reconcile: async (filenames) => {
      failAtTimes();
      record(`reconciled ${filenames.join(", ")}`);
    },
  };
}

async function startProcessor(folder: string, sink: DagSink) {
  const processor = createDagProcessor({
    folder,
    persist: sink,
    clock: systemClock,
    log: createLogger("silent"),
    limits: { timeMs: 800 },
  });
  await processor.start();
  return { ...processor, [Symbol.asyncDispose]: () => processor.stop() };
}

describe.concurrent("createDagProcessor", { timeout: 30_000 }, () => {
  test("reads the folder at start: DAGs, faults, neighbours", async () => {
    await using fixture = await createFolder({
      "good.ts": dagFile("good"),
      "broken.ts": "// windlass\nconst = 1;",
      "helper.ts": "throw new Error('never evaluated');",
      "mentions.ts": "export const product = 'windlass';",
    });
    const sink = createSink();
    await using processor = await startProcessor(fixture.folder, sink);
    await processor.whenIdle();
    expect(sink.events[0]).toBe("reconciled broken.ts, good.ts, mentions.ts");
    expect(sink.events.slice(1).toSorted()).toEqual([
      'fault broken.ts:2 Expected identifier but found "="',
      "removed mentions.ts",
      "saved good.ts: good",
    ]);
  });

  test("an empty folder reconciles too", async () => {
    await using fixture = await createFolder();
    const sink = createSink();
    await using processor = await startProcessor(fixture.folder, sink);
    await processor.whenIdle();
    expect(sink.events).toEqual(["reconciled "]);
  });

  test("drops, changes and deletions take effect within 2 seconds, those of imported files too", async () => {
    await using fixture = await createFolder({ "text.csv": "one" });
    const sink = createSink();
    await using processor = await startProcessor(fixture.folder, sink);
    await processor.whenIdle();
    const took = async (act: () => Promise<void>, event: string) => {
      const began = performance.now();
      await act();
      await sink.until(event);
      expect(performance.now() - began).toBeLessThan(2_000);
    };
    const reading = `import text from "./text.csv";\n${dagFile("reads").replace("export default", "const dag =")}
      const compiled = dag[Symbol.for("windlass.dag")];
      export default { [Symbol.for("windlass.dag")]: { ...compiled, definition: { ...compiled.definition, description: text } } };`;
    await took(
      () => fixture.write("deep/dag.ts", reading.replace("./text", "../text")),
      "saved deep/dag.ts: reads (one)",
    );
    await took(() => fixture.write("text.csv", "two"), "saved deep/dag.ts: reads (two)");
    await took(() => fixture.write("deep/dag.ts", dagFile("other")), "saved deep/dag.ts: other");
    await took(() => fixture.write("deep/dag.ts", "export const windlass = 1;"), "removed deep/dag.ts");
    await took(() => fixture.write("deep/dag.ts", dagFile("other")), "saved deep/dag.ts: other");
    await took(() => rm(join(fixture.folder, "deep/dag.ts")), "removed deep/dag.ts");
  });

  test("a missing neighbour heals when it arrives", async () => {
    await using fixture = await createFolder({ "dag.ts": `import "./lib.ts";\n${dagFile("heals")}` });
    const sink = createSink();
    await using processor = await startProcessor(fixture.folder, sink);
    await sink.until(/^fault dag\.ts:1 cannot find "\.\/lib\.ts"/);
    await fixture.write("lib.ts", "export const a = 1;");
    await sink.until("saved dag.ts: heals");
    await expect(processor.whenIdle()).resolves.toBeUndefined();
  });

  test("a file that hangs holds up no other", async () => {
    await using fixture = await createFolder({ "a-hangs.ts": "// windlass\nfor (;;);", "good.ts": dagFile("good") });
    const sink = createSink();
    await using processor = await startProcessor(fixture.folder, sink);
    const events = await sink.until(/^fault a-hangs\.ts/);
    expect(events).toContain("saved good.ts: good");
    expect(events.at(-1)).toMatch(/^fault a-hangs\.ts:2 reading the file took longer than 0\.8 s/);
    await processor.whenIdle();
  });

  test("a renamed file keeps its DAG", async () => {
    await using fixture = await createFolder({ "before.ts": dagFile("moves") });
    const sink = createSink();
    await using processor = await startProcessor(fixture.folder, sink);
    await processor.whenIdle();
    await sink.until("saved before.ts: moves");
    await rename(join(fixture.folder, "before.ts"), join(fixture.folder, "after.ts"));
    expect(await sink.until("saved after.ts: moves")).toEqual(["removed before.ts", "saved after.ts: moves"]);
  });

  test("a DAG of two files is a fault of the second, until the first gives it up", async () => {
    await using fixture = await createFolder({ "a.ts": dagFile("twice") });
    const sink = createSink();
    await using processor = await startProcessor(fixture.folder, sink);
    await sink.until("saved a.ts: twice");
    await fixture.write("b.ts", dagFile("twice"));
    await sink.until("fault b.ts: a DAG is defined in a.ts too");
    await fixture.write("a.ts", dagFile("another"));
    expect(await sink.until("saved b.ts: twice")).toContain("saved a.ts: another");
    await processor.whenIdle();
  });

  test("nothing is lost while the database is away", async () => {
    await using fixture = await createFolder({ "a.ts": dagFile("a"), "b.ts": "// windlass\n(" });
    const sink = createSink();
    sink.failNext(5);
    await using processor = await startProcessor(fixture.folder, sink);
    await processor.whenIdle();
    expect(sink.events.filter((event) => event === "failed")).toHaveLength(5);
    expect(sink.events.filter((event) => event !== "failed").map((event) => event.slice(0, 12))).toEqual([
      "reconciled a",
      expect.any(String),
      expect.any(String),
    ]);
    sink.failNext(3);
    await rm(join(fixture.folder, "a.ts"));
    await sink.until("removed a.ts");
  });

  test("a swapped ConfigMap takes effect", async () => {
    await using fixture = await createFolder({
      "..v1/dag.ts": dagFile("mapped", { description: "one" }),
      "..v2/dag.ts": dagFile("mapped", { description: "two" }),
    });
    const { folder } = fixture;
    await symlink("..v1", join(folder, "..data"));
    await symlink("..data/dag.ts", join(folder, "dag.ts"));
    const sink = createSink();
    await using processor = await startProcessor(folder, sink);
    await sink.until("saved dag.ts: mapped (one)");
    await symlink("..v2", join(folder, "..tmp"));
    await rename(join(folder, "..tmp"), join(folder, "..data"));
    await sink.until("saved dag.ts: mapped (two)");
    await processor.whenIdle();
    expect(sink.events.filter((event) => event.startsWith("removed"))).toEqual([]);
  });

  test("waits for a folder that is not there yet", async () => {
    await using fixture = await createFolder();
    const folder = join(fixture.folder, "later");
    const sink = createSink();
    await using processor = await startProcessor(folder, sink);
    await mkdir(folder);
    await fixture.write("later/a.ts", dagFile("a"));
    expect(await sink.until("saved a.ts: a")).toContain("reconciled a.ts");
    await processor.whenIdle();
  });

  test("stops at once, whatever runs", async () => {
    await using fixture = await createFolder({ "hangs.ts": "// windlass\nfor (;;);" });
    const sink = createSink();
    const processor = await startProcessor(fixture.folder, sink);
    await sink.until("reconciled hangs.ts");
    const began = performance.now();
    await processor.stop();
    expect(performance.now() - began).toBeLessThan(600);
    expect(sink.events).toEqual(["reconciled hangs.ts"]);
  });
});
