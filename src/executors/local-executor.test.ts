import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ExecutionServer, type ServedAttempt, startExecutionServer } from "../../test/support/execution-server.ts";
import { bundleWorker, type WorkerBundle } from "../../test/support/worker.ts";
import type { Observation } from "../core/observation.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { createLogger } from "../lifecycle/log.ts";
import type { Executor, ExpectedAttempt, LaunchOrder } from "./executor.ts";
import { createLocalExecutor, type LocalExecutorOptions } from "./local-executor.ts";
import { identifyProcess, isRunning } from "./local-process.ts";
import { openRecordFolder } from "./local-record.ts";

let worker: WorkerBundle;
/** Node with a heap that is soon full. */
let smallNode: string;
beforeAll(async () => {
  worker = await bundleWorker();
  smallNode = join(worker.folder, "small-node");
  await writeFile(smallNode, `#!/bin/sh\nexec ${process.execPath} --max-old-space-size=50 "$@"\n`, { mode: 0o755 });
});
afterAll(() => worker[Symbol.asyncDispose]());

/** What the executor asks of the store, kept in memory: the store's own tests are on Postgres. */
function createTestLedger() {
  const expected = new Map<string, ExpectedAttempt>();
  const observations: Observation[] = [];
  const recorded = new EventEmitter();
  return {
    expected,
    observations,
    until: async (count: number) => {
      while (observations.length < count) await new Promise((resolve) => recorded.once("recorded", resolve));
    },
    expect: (order: LaunchOrder, podUid: string | null) => {
      const { attempt_id, epoch, namespace, pod_name } = order;
      expected.set(attempt_id, {
        attempt_id,
        epoch,
        namespace,
        pod_name,
        pod_uid: podUid,
        state: "running",
        launched_at: null,
      });
    },
    listExpected: async () => [...expected.values()],
    record: async (batch: { observations: Observation[] }) => {
      observations.push(...batch.observations);
      for (const { attempt_id, gone } of batch.observations) if (gone) expected.delete(attempt_id);
      recorded.emit("recorded");
    },
  };
}

async function setUp(overrides: Partial<LocalExecutorOptions> = {}) {
  const server = await startExecutionServer();
  const ledger = createTestLedger();
  const stateFolder = await mkdtemp(join(tmpdir(), "windlass-local-"));
  const made: Executor[] = [];
  const make = async (): Promise<Executor> => {
    const executor = createLocalExecutor({
      ledger,
      clock: systemClock,
      log: createLogger("silent"),
      stateFolder,
      slots: 4,
      node: process.execPath,
      file: worker.file,
      apiUrl: server.address,
      environment: { PATH: "/usr/bin:/bin", SECRET: "hidden" },
      intervalMs: 50,
      ...overrides,
    });
    made.push(executor);
    await executor.start();
    return executor;
  };
  const order = (attempt: ServedAttempt): LaunchOrder => ({
    attempt_id: attempt.id,
    epoch: 1,
    dag_id: "d",
    run_id: "r",
    task_id: "t",
    map_index: -1,
    try_number: 1,
    namespace: null,
    pod_name: `d-t-${attempt.id}`,
    pod: null,
    memory_floor: null,
    work: { kind: "worker", launch_token: attempt.launchToken },
  });
  const launch = async (executor: Executor, attempt: ServedAttempt): Promise<string> => {
    ledger.expect(order(attempt), null);
    const result = await executor.launch(order(attempt));
    if (result.kind !== "launched") throw new Error(JSON.stringify(result));
    ledger.expect(order(attempt), result.pod_uid);
    return result.pod_uid;
  };
  return {
    server,
    ledger,
    stateFolder,
    make,
    order,
    launch,
    handle: (attempt: ServedAttempt, podUid: string | null) => ({
      attempt_id: attempt.id,
      epoch: 1,
      namespace: null,
      pod_name: "p",
      pod_uid: podUid,
    }),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(made.map((executor) => executor.stop()));
      await server[Symbol.asyncDispose]();
      await rm(stateFolder, { recursive: true, force: true });
      expect(server.faults).toEqual([]);
    },
  };
}

const started = (server: ExecutionServer, attempt: ServedAttempt) => server.until(() => attempt.lines.length > 0);
const pidOf = (podUid: string) => Number(podUid.split(":")[0]);
const FOREVER = `console.log("ready"); await new Promise(() => setInterval(() => {}, 1000));`;

test("a task runs in a session of its own, with no more than a neutral environment", async () => {
  await using it = await setUp();
  const executor = await it.make();
  const attempt = it.server.serve({
    run: `return { pid: process.pid, names: Object.keys(process.env).sort(), group: require("fs").readFileSync("/proc/self/stat", "utf8").split(") ")[1].split(" ")[2] };`,
  });
  const podUid = await it.launch(executor, attempt);
  await it.ledger.until(1);
  expect(attempt.finishes).toEqual([
    {
      state: "success",
      result: {
        pid: pidOf(podUid),
        names: ["PATH", "WINDLASS_API_URL", "WINDLASS_ATTEMPT_ID"],
        group: String(pidOf(podUid)),
      },
    },
  ]);
  expect(it.ledger.observations).toMatchObject([
    { attempt_id: attempt.id, epoch: 1, pod_uid: podUid, gone: true, outcome: { exit_code: 0 } },
  ]);
});

test("an image is refused: only Kubernetes runs one", async () => {
  await using it = await setUp();
  const executor = await it.make();
  const container = {
    image: "python:3.12-slim",
    cmds: null,
    arguments: null,
    env: {},
    skip_on_exit_codes: [],
    result_file: null,
    active_deadline: null,
  };
  const asked = it.order(it.server.serve({ run: "return 1;" }));
  expect(await executor.launch({ ...asked, work: { kind: "container", container, result_token: null } })).toEqual({
    kind: "refused",
    reason: "The image python:3.12-slim needs the Kubernetes executor, and this is the local one",
  });
});

test("a repeated launch, at once or after the process is known, starts nothing twice", async () => {
  await using it = await setUp();
  const executor = await it.make();
  const attempt = it.server.serve({ run: FOREVER });
  const [first, second] = await Promise.all([executor.launch(it.order(attempt)), executor.launch(it.order(attempt))]);
  expect(second).toEqual(first);
  await started(it.server, attempt);
  expect(await executor.launch(it.order(attempt))).toEqual(first);
  expect(attempt.starts).toHaveLength(1);
  const podUid = first.kind === "launched" ? first.pod_uid : "";
  process.kill(-pidOf(podUid), "SIGKILL");
  await it.ledger.until(1);
});

test.for([
  [
    "is killed",
    `process.kill(process.pid, "SIGKILL");`,
    { kind: "task_failed", reason: "The process was ended by SIGKILL", exit_code: null },
  ],
  [
    "ends itself past our hook",
    `require("fs").writeSync(2, "the disk is full\\n"); process.reallyExit(3);`,
    { kind: "task_failed", reason: "The process exited with code 3; its last words: the disk is full", exit_code: 3 },
  ],
  [
    "uses up its heap",
    `const kept = []; for (;;) kept.push(new Array(1000).fill(kept.length));`,
    { kind: "out_of_memory", reason: expect.stringContaining("JavaScript heap") },
  ],
] as const)("a worker that %s without a report is observed", async ([, run, outcome]) => {
  await using it = await setUp({ node: smallNode });
  const executor = await it.make();
  const attempt = it.server.serve({ run });
  const podUid = await it.launch(executor, attempt);
  await it.ledger.until(1);
  expect(attempt.finishes).toEqual([]);
  expect(it.ledger.observations).toMatchObject([{ attempt_id: attempt.id, pod_uid: podUid, gone: true, outcome }]);
});

test("slots limit what runs, and a freed one is announced", async () => {
  await using it = await setUp({ slots: 1 });
  const executor = await it.make();
  expect(executor.launchConcurrency).toBe(1);
  const [one, two] = [it.server.serve({ run: FOREVER }), it.server.serve({ run: `return 2;` })];
  const podUid = await it.launch(executor, one);
  expect(executor.launchConcurrency).toBe(0);
  expect(await executor.launch(it.order(two))).toMatchObject({
    kind: "retry",
    reason: "All 1 local processes are busy",
  });
  const freed = new Promise<void>((resolve) => executor.onCapacity?.(resolve));
  process.kill(pidOf(podUid), "SIGKILL");
  await freed;
  expect(executor.launchConcurrency).toBe(1);
  await it.launch(executor, two);
  await it.ledger.until(2);
  expect(two.finishes).toEqual([{ state: "success", result: 2 }]);
});

test("a child outlives its executor, and the next one finds it, counts it, and sees its end", async () => {
  await using it = await setUp();
  const first = await it.make();
  const attempt = it.server.serve({ run: FOREVER, heartbeatInterval: 0.1 });
  const podUid = await it.launch(first, attempt);
  await started(it.server, attempt);
  await first.stop();
  const second = await it.make();
  expect(second.launchConcurrency).toBe(3);
  const before = attempt.heartbeats;
  await it.server.until(() => attempt.heartbeats > before);
  expect(isRunning(podUid)).toBe(true);
  process.kill(pidOf(podUid), "SIGKILL");
  await it.ledger.until(1);
  expect(it.ledger.observations[0]).toMatchObject({ attempt_id: attempt.id, pod_uid: podUid, gone: true });
});

test("a child that ended while no executor ran is lost, with its last words", async () => {
  await using it = await setUp();
  const attempt = it.server.serve({ run: `return 1;` });
  const order = it.order(attempt);
  const folder = openRecordFolder(it.stateFolder);
  folder.write({ attempt_id: attempt.id, epoch: 1, pod_uid: "4194304:1", spawned_at: "2026-01-01T00:00:00.000Z" });
  await writeFile(join(it.stateFolder, `${attempt.id}.stderr`), "first\nI see smoke\n");
  it.ledger.expect(order, "4194304:1");
  const executor = await it.make();
  await it.ledger.until(1);
  expect(it.ledger.observations).toMatchObject([
    {
      attempt_id: attempt.id,
      gone: true,
      outcome: { kind: "lost", reason: expect.stringContaining("first | I see smoke") },
    },
  ]);
  expect(await executor.remove(it.handle(attempt, "4194304:1"))).toBe("gone");
  expect(folder.read(attempt.id)).toBeNull();
});

test("a process that was spawned but not written down is found again", async () => {
  await using it = await setUp();
  const executor = await it.make();
  const attempt = it.server.serve({ run: FOREVER });
  const podUid = await it.launch(executor, attempt);
  await started(it.server, attempt);
  await executor.stop();
  // As if the executor had been killed between the spawn and the second write.
  openRecordFolder(it.stateFolder).write({
    attempt_id: attempt.id,
    epoch: 1,
    pod_uid: null,
    spawned_at: new Date().toISOString(),
  });
  const second = await it.make();
  expect(await second.launch(it.order(attempt))).toEqual({ kind: "launched", pod_uid: podUid });
  process.kill(-pidOf(podUid), "SIGKILL");
  await it.ledger.until(1);
});

test("what a child of an earlier executor leaves behind is ended with it", async () => {
  await using it = await setUp();
  const attempt = it.server.serve({ run: FOREVER });
  // The executor that spawned it is gone, and with it the exit event.
  const child = spawn("sh", ["-c", "sleep 600 & echo ready; exec sleep 600"], {
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  const podUid = identifyProcess(child.pid ?? 0) ?? "";
  const record = { attempt_id: attempt.id, epoch: 1, pod_uid: podUid, spawned_at: new Date().toISOString() };
  openRecordFolder(it.stateFolder).write(record);
  it.ledger.expect(it.order(attempt), podUid);
  await it.make();
  const allEnded = once(child.stdout.resume(), "end");
  process.kill(pidOf(podUid), "SIGKILL");
  await it.ledger.until(1);
  await allEnded;
  expect(it.ledger.observations).toMatchObject([{ pod_uid: podUid, gone: true, process_ended: true }]);
});

test("remove ends the process and all that it started, by force when it will not go", async () => {
  await using it = await setUp({ killGraceMs: 100 });
  const executor = await it.make();
  const attempt = it.server.serve({
    run: `const child = require("child_process").spawn("sleep", ["1000"], { stdio: "ignore" }); console.log(String(child.pid)); for (;;);`,
  });
  const podUid = await it.launch(executor, attempt);
  await started(it.server, attempt);
  const grandchild = identifyProcess(Number(attempt.lines[0]?.event));
  expect(grandchild).not.toBeNull();
  expect(await executor.remove(it.handle(attempt, podUid))).toBe("going");
  expect(await executor.remove(it.handle(attempt, podUid))).toBe("going");
  await it.ledger.until(1);
  expect(isRunning(podUid)).toBe(false);
  expect(isRunning(grandchild ?? "")).toBe(false);
  expect(await executor.remove(it.handle(attempt, podUid))).toBe("gone");
});

test("a pid that was given to another process is not taken for the child", async () => {
  const own = identifyProcess(process.pid) ?? "";
  expect(isRunning(own)).toBe(true);
  expect(isRunning(`${process.pid}:1`)).toBe(false);
});
