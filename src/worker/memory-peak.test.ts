import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startExecutionServer } from "../../test/support/execution-server.ts";
import { bundleWorker, startWorker } from "../../test/support/worker.ts";
import { WORKER_EXIT } from "../contract/worker-process.ts";
import { readMemoryPeak } from "./memory-peak.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "windlass-peak-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each<[string, string | null, string | null, number | null]>([
  ["the first file counts", "101711872\n", "5\n", 101_711_872],
  ["the second where the first is absent", null, "101711872\n", 101_711_872],
  ["neither", null, null, null],
  ["no number", "max\n", null, null],
  ["empty", "", "7\n", 7],
  ["beyond what a number holds", "18446744073709551615\n", null, null],
])("%s", async (name, first, second, expected) => {
  const paths = [join(folder, `${name} 1`), join(folder, `${name} 2`)] as const;
  if (first !== null) await writeFile(paths[0], first);
  if (second !== null) await writeFile(paths[1], second);
  expect(readMemoryPeak(paths)).toBe(expected);
});

test("a directory in its place is no error", () => {
  expect(readMemoryPeak([folder])).toBeNull();
});

const PEAK = 101_711_872;
const OWN_CGROUP = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"];
const SHOW_PEAK = `mount -t tmpfs none /sys/fs/cgroup && echo ${PEAK} > /sys/fs/cgroup/memory.peak && exec "$@"`;
const NO_PEAK = `mount -t tmpfs none /sys/fs/cgroup && exec "$@"`;
const canMount = spawnSync(OWN_CGROUP[0] ?? "", [...OWN_CGROUP.slice(1), SHOW_PEAK, "sh", "true"]).status === 0;

test.runIf(canMount).each([
  ["goes with heartbeats and with the report where it is wanted", SHOW_PEAK, true, PEAK],
  ["is not sent to an API that does not ask for it", SHOW_PEAK, false, undefined],
  ["is left out where the kernel does not say it", NO_PEAK, true, undefined],
])("a worker's peak %s", async (_, script, wantsMemoryPeak, peak) => {
  await using worker = await bundleWorker();
  await using server = await startExecutionServer();
  // Until a heartbeat brings the stop, so that one was sent before the end.
  const attempt = server.serve({
    run: `const alive = setInterval(() => {}, 1000); await new Promise((resolve) => runtime.signal.addEventListener("abort", resolve)); clearInterval(alive);`,
    heartbeatInterval: 0.1,
    wantsMemoryPeak,
  });
  attempt.stop = "enough";
  const { ended } = startWorker(worker.file, server, attempt, [...OWN_CGROUP, script, "sh"]);
  expect((await ended).code).toBe(WORKER_EXIT.reported);
  expect(attempt.heartbeats).toBeGreaterThan(0);
  expect(new Set(attempt.memoryPeaks)).toEqual(new Set(peak === undefined ? [] : [peak]));
  expect(attempt.finishes.map((report) => report.memory_peak)).toEqual([peak]);
  expect(server.faults).toEqual([]);
});
