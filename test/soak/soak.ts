// A soak: an installation under work and under faults, until the work is done and the faults are healed; then what must
// hold is checked. The faults come from one seed. It is long by the attempts that have ended, not by the clock: a slow
// machine takes longer, and is not asked for more at once.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildWorker } from "../../scripts/build-worker.ts";
import { isFailure } from "../../src/core/errors.ts";
import { dagRunAnswer } from "../../src/contract/rest-dag-runs.ts";
import { INFRASTRUCTURE_OUTCOMES } from "../../src/core/outcome.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import type { RestClient } from "../../src/cli/rest-client.ts";
import { pollUntil } from "../cluster/support/poll.ts";
import { waitForDag } from "../cluster/support/runs.ts";
import { checkOutcome, type Violation } from "./checks.ts";
import { startControlPlane } from "./control-plane.ts";
import { startDatabase } from "./database.ts";
import { createFaultInjector } from "./faults.ts";
import { listPods } from "./follow-pods.ts";
import { type Installation, startInstallation } from "./installation.ts";
import { startKubelet } from "./kubelet.ts";
import { startLedger } from "./ledger.ts";
import { checkMemory, measureGrowth, type MemorySamples, sampleMemory } from "./memory.ts";
import { createRandom } from "./random.ts";
import { countFaults, describeViolations, type SoakReport } from "./report.ts";
import { readProgress, readState } from "./state.ts";
import { DAGS, type PlannedRun, planRuns } from "./workload.ts";

export interface SoakOptions {
  seed: string;
  minutes: number;
  attempts: number;
  say(line: string): void;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MOST_OPEN_RUNS = 10;
const HEARTBEAT_TIMEOUT_SECONDS = 20;
/** Of the time, the part in which runs are begun; they end and are cleaned up in the rest. */
const BUSY_PART = 0.8;
/** How many times longer than planned a busy machine may take to begin all runs. */
const PATIENCE = 3;
const DRAIN_MS = 240_000;
const SAMPLE_MS = 2_000;

export async function runSoak({ seed, minutes, attempts, say }: SoakOptions): Promise<SoakReport> {
  const began = Date.now();
  const random = createRandom(seed);
  const folder = await mkdtemp(join(tmpdir(), "windlass-soak-"));
  say(`seed ${seed}: ${attempts} attempts in about ${minutes} min; logs in ${folder}`);
  const cleanUps: (() => Promise<unknown>)[] = [];
  const onEnd = <T extends { stop(): Promise<void> }>(one: T): T => {
    cleanUps.push(() => one.stop());
    return one;
  };
  try {
    await buildWorker(ROOT);
    const ledger = onEnd(await startLedger());
    const plane = onEnd(await startControlPlane(folder));
    const database = onEnd(await startDatabase(join(folder, "postgres")));
    const env = {
      WINDLASS_HEARTBEAT_INTERVAL: "1",
      WINDLASS_HEARTBEAT_TIMEOUT: String(HEARTBEAT_TIMEOUT_SECONDS),
      // However unlucky one task is: what counts is that it gets there.
      WINDLASS_INFRASTRUCTURE_RETRIES: "100",
      WINDLASS_PARALLELISM: "24",
    };
    const installation = onEnd(await startInstallation({ folder, plane, database, env }));
    const kubelet = onEnd(startKubelet(plane.http, installation.namespace, ledger, random.fork("kubelet")));
    const rest = await installation.rest();
    for (const dagId of Object.keys(DAGS)) await waitForDag(rest, dagId);

    const longestMs = Math.min(60_000, Math.max(6_000, minutes * 4_000));
    const plan = planRuns(random.fork("runs"), attempts, ledger.url, longestMs / 2);
    const faults = createFaultInjector({
      installation,
      plane,
      database,
      kubelet,
      random: random.fork("faults"),
      longestMs,
      freezeMs: (HEARTBEAT_TIMEOUT_SECONDS * 1_000) / 2,
    });
    const ended = new AbortController();
    const quiet = new AbortController();
    const samples: MemorySamples = new Map();
    const members = [...installation.schedulers, ...installation.apis];
    const sampling = repeat(
      ended.signal,
      () => SAMPLE_MS,
      () => sampleMemory(members, samples),
    );
    const gaps = random.fork("gaps");
    const gapMs = minutes > 5 ? 4_000 : 2_000;
    const inflicting = repeat(
      quiet.signal,
      () => gaps.between(gapMs / 4, gapMs),
      async () => faults.inflict(),
    );
    const reporting = repeat(
      ended.signal,
      () => 30_000,
      async () => {
        const { attempts: done, open_runs } = await readProgress(database.url());
        const seconds = Math.round((Date.now() - began) / 1_000);
        say(`${seconds} s: ${done} attempts, ${open_runs} runs open, ${faults.journal.length} faults`);
      },
    );

    const violations: Violation[] = [];
    const busyMs = minutes * 60_000 * BUSY_PART;
    if (!(await beginRuns(plan, rest, busyMs, () => readProgress(database.url()))))
      violations.push({ rule: "lost", subject: "soak", detail: "the runs could not all be begun in time" });
    quiet.abort();
    await inflicting;
    await faults.heal();
    say(
      `${Math.round((Date.now() - began) / 1_000)} s: all is whole again; ${faults.journal.length} faults were inflicted`,
    );
    violations.push(...(await drain(installation, plane.http, () => readProgress(database.url()))));
    ended.abort();
    await Promise.all([sampling, reporting]);
    if (kubelet.processes() > 0)
      violations.push({ rule: "leftover", subject: "kubelet", detail: `${kubelet.processes()} containers still run` });

    const state = await readState(database.url());
    const entries = ledger.entries();
    const memory = measureGrowth(samples);
    violations.push(...checkOutcome(plan, state, entries), ...checkMemory(memory));
    await installation.stop();
    violations.push(
      ...installation.crashes.map(({ name, detail }): Violation => ({ rule: "crash", subject: name, detail })),
    );
    const { journal } = faults;
    return {
      seed,
      seconds: Math.round((Date.now() - began) / 1_000),
      runs: plan.length,
      attempts: state.attempts.filter(({ outcome }) => outcome !== null).length,
      infrastructure_failures: state.attempts.filter(({ outcome }) =>
        (INFRASTRUCTURE_OUTCOMES as readonly (string | null)[]).includes(outcome),
      ).length,
      processes: entries.filter(({ event }) => event === "begin").length,
      faults: countFaults(journal),
      refused_starts: installation.refusedStarts(),
      violations,
      memory,
      text: describeViolations({ began, violations, state, entries, journal }),
    };
  } finally {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp();
    if (!process.env["SOAK_KEEP"]) await rm(folder, { recursive: true, force: true });
  }
}

async function repeat(signal: AbortSignal, pauseMs: () => number, act: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    // What is looked at may be broken at the moment; the next look will do.
    await act().catch(() => {});
    await systemClock.sleep(pauseMs(), signal);
  }
}

type ReadProgress = () => Promise<{ open_runs: number; attempts: number; remains: number }>;

/** Spread over `busyMs`, a few at a time. false: it took too long. */
async function beginRuns(
  plan: readonly PlannedRun[],
  rest: RestClient,
  busyMs: number,
  progress: ReadProgress,
): Promise<boolean> {
  const began = systemClock.monotonic();
  const passed = () => systemClock.monotonic() - began;
  for (const [index, run] of plan.entries()) {
    await systemClock.sleep((index / plan.length) * busyMs - passed());
    for (;;) {
      const open = await progress().then(
        ({ open_runs }) => open_runs,
        () => Infinity,
      );
      if (open < MOST_OPEN_RUNS && (await triggerOnce(rest, run))) break;
      if (passed() > busyMs * PATIENCE) return false;
      await systemClock.sleep(500);
    }
  }
  await systemClock.sleep(busyMs - passed());
  return true;
}

/** true: the run is there; a repeat finds it there already. */
async function triggerOnce(rest: RestClient, { dag_id, run_id, conf }: PlannedRun): Promise<boolean> {
  try {
    await rest.post(`/api/v2/dags/${dag_id}/dagRuns`, { dag_run_id: run_id, conf }, dagRunAnswer);
    return true;
  } catch (error) {
    if (isFailure(error, "already_exists")) return true;
    if (isFailure(error, "unavailable") || isFailure(error, "internal")) return false;
    // The connection broke in the middle of an answer.
    if (error instanceof TypeError || error instanceof DOMException) return false;
    throw error;
  }
}

/** Until every run has ended and nothing is left of any attempt, in the database and in the cluster. */
async function drain(
  installation: Installation,
  http: Parameters<typeof listPods>[0],
  progress: ReadProgress,
): Promise<Violation[]> {
  const until = systemClock.monotonic() + DRAIN_MS;
  try {
    await pollUntil(
      progress,
      ({ open_runs, remains }) => open_runs === 0 && remains === 0,
      ({ open_runs, remains }) => `${open_runs} runs are open, ${remains} attempts not cleaned up`,
      DRAIN_MS,
    );
  } catch (error) {
    return [{ rule: "lost", subject: "soak", detail: String(error) }];
  }
  for (;;) {
    const { items } = await listPods(http, installation.namespace);
    if (items.length === 0) return [];
    if (systemClock.monotonic() > until)
      return items.map(({ metadata: { name }, status }): Violation => ({
        rule: "leftover",
        subject: name,
        detail: `the pod is left, ${status.phase}`,
      }));
    await systemClock.sleep(500);
  }
}
