// A soak: an installation under work and under faults, until the work is done and the faults are healed; then what must
// hold is checked. The faults come from one seed. It is long by the attempts that have ended, not by the clock: a slow
// machine takes longer, and is not asked for more at once.

import { systemClock } from "../../src/lifecycle/clock.ts";
import { INFRASTRUCTURE_OUTCOMES } from "../../src/core/outcome.ts";
import { checkOutcome, type Violation } from "./checks.ts";
import { beginRuns, drain } from "./drive.ts";
import { createFaultInjector, type FaultInjector } from "./faults.ts";
import { checkMemory, measureGrowth, type MemorySamples, sampleMemory } from "./memory.ts";
import { createRandom, type Random } from "./random.ts";
import { countFaults, describeViolations, type SoakReport } from "./report.ts";
import { HEARTBEAT_TIMEOUT_SECONDS, type Rig, startRig } from "./rig.ts";
import { readProgress, readState } from "./state.ts";
import { planRuns } from "./workload.ts";

export interface SoakOptions {
  seed: string;
  minutes: number;
  attempts: number;
  say(line: string): void;
}

/** Of the time, the part in which runs are begun and faults inflicted; the rest is for the ends. */
const BUSY_PART = 0.8;
const LONGEST_PAUSE_MS = 60_000;
const SHORTEST_PAUSE_MS = 6_000;
const SAMPLE_MS = 2_000;
const REPORT_MS = 30_000;

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const random = createRandom(options.seed);
  const rig = await startRig(random);
  try {
    options.say(`seed ${options.seed}: ${options.attempts} attempts, ${options.minutes} min; logs in ${rig.folder}`);
    return await soak(rig, random, options);
  } finally {
    await rig.stop();
  }
}

async function soak(rig: Rig, random: Random, { seed, minutes, attempts, say }: SoakOptions): Promise<SoakReport> {
  const began = Date.now();
  const seconds = () => Math.round((Date.now() - began) / 1_000);
  const { installation, database, ledger } = rig;
  const longestMs = Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, minutes * 4_000));
  const plan = planRuns(random.fork("runs"), attempts, ledger.url, longestMs / 2);
  const freezeMs = (HEARTBEAT_TIMEOUT_SECONDS * 1_000) / 2;
  const faults = createFaultInjector({ ...rig, random: random.fork("faults"), longestMs, freezeMs });
  const samples: MemorySamples = new Map();
  const members = [...installation.schedulers, ...installation.apis];
  const ended = new AbortController();
  const looking = Promise.all([
    repeat(
      ended.signal,
      () => SAMPLE_MS,
      () => sampleMemory(members, samples),
    ),
    repeat(
      ended.signal,
      () => REPORT_MS,
      async () => {
        const progress = await readProgress(database.url());
        say(
          `${seconds()} s: ${progress.attempts} attempts, ${progress.open_runs} runs open, ${faults.journal.length} faults`,
        );
      },
    ),
  ]);

  const quiet = new AbortController();
  const inflicting = inflictUntil(quiet.signal, faults, random.fork("gaps"), minutes > 5 ? 5_000 : 3_000);
  const violations: Violation[] = [];
  if (!(await beginRuns(rig, plan, minutes * 60_000 * BUSY_PART)))
    violations.push({ rule: "lost", subject: "soak", detail: "the runs could not all be begun in time" });
  quiet.abort();
  await inflicting;
  say(`${seconds()} s: all is whole again after ${faults.journal.length} faults`);
  violations.push(...(await drain(rig)));
  ended.abort();
  await looking;

  const state = await readState(database.url());
  const entries = ledger.entries();
  const memory = measureGrowth(samples);
  violations.push(...checkOutcome(plan, state, entries), ...checkMemory(memory));
  await installation.stop();
  for (const { name, detail } of installation.crashes) violations.push({ rule: "crash", subject: name, detail });
  const { journal } = faults;
  const infrastructure: readonly (string | null)[] = INFRASTRUCTURE_OUTCOMES;
  return {
    seed,
    seconds: seconds(),
    runs: plan.length,
    attempts: state.attempts.filter(({ outcome }) => outcome !== null).length,
    infrastructure_failures: state.attempts.filter(({ outcome }) => infrastructure.includes(outcome)).length,
    processes: entries.filter(({ event }) => event === "begin").length,
    faults: countFaults(journal),
    refused_starts: installation.refusedStarts(),
    violations,
    memory,
    text: describeViolations({ began, violations, state, entries, journal }),
  };
}

async function inflictUntil(signal: AbortSignal, faults: FaultInjector, random: Random, longestGapMs: number) {
  await repeat(
    signal,
    () => random.between(longestGapMs / 4, longestGapMs),
    async () => faults.inflict(),
  );
  await faults.heal();
}

async function repeat(signal: AbortSignal, pauseMs: () => number, act: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    // What is looked at may be broken at the moment; the next look will do.
    await act().catch(() => {});
    await systemClock.sleep(pauseMs(), signal);
  }
}
