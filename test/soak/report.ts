// What a soak prints: each violation with the timeline of its task and the faults around it, then one line of JSON.

import type { Violation } from "./checks.ts";
import type { Fault } from "./faults.ts";
import type { LedgerEntry } from "./ledger.ts";
import type { Growth } from "./memory.ts";
import type { State } from "./state.ts";

const MARGIN_MS = 10_000;

export interface SoakReport {
  seed: string;
  seconds: number;
  runs: number;
  /** Attempts that ended, those that the cluster failed included. */
  attempts: number;
  infrastructure_failures: number;
  processes: number;
  faults: Record<string, number>;
  /** Starts of processes that ended before they worked: what they need was away. */
  refused_starts: number;
  violations: readonly Violation[];
  memory: readonly Growth[];
  /** All of the above for people. */
  text: string;
}

export interface Findings {
  began: number;
  violations: readonly Violation[];
  state: State;
  entries: readonly LedgerEntry[];
  journal: readonly Fault[];
}

export function describeViolations(findings: Findings): string {
  return findings.violations.map((violation) => describeViolation(violation, findings)).join("\n");
}

function describeViolation({ rule, subject, detail }: Violation, findings: Findings): string {
  const { began, state, entries, journal } = findings;
  const at = (time: number) => `${((time - began) / 1_000).toFixed(1)} s`;
  const attempts = state.attempts.filter(({ run_id, task_id }) => `${run_id}/${task_id}` === subject);
  const pods = new Set(attempts.map(({ pod_name }) => pod_name));
  const lines = [`VIOLATION ${rule}: ${subject}: ${detail}`];
  for (const one of attempts) {
    const times = (["queued_at", "launched_at", "started_at", "finished_at", "pod_gone_at", "cleaned_at"] as const)
      .flatMap((name) => (one[name] ? [`${name} ${at(one[name].getTime())}`] : []))
      .join(", ");
    lines.push(`  attempt ${one.epoch}, try ${one.try_number}, pod ${one.pod_name} (${one.pod_uid}): ${times}`);
    lines.push(`    ${one.state}, ${one.outcome ?? "no outcome"}: ${one.outcome_reason ?? ""}`);
  }
  for (const entry of entries) {
    if (!pods.has(entry.worker.slice(0, entry.worker.indexOf("/")))) continue;
    const more = entry.event === "exit" ? ` with ${entry.code}` : "";
    lines.push(`  ${at(entry.at)} ${entry.worker} ${entry.event}${more}`);
  }
  const times = attempts.flatMap(({ queued_at, finished_at }) => [
    queued_at.getTime(),
    finished_at?.getTime() ?? Infinity,
  ]);
  const [from, to] = [Math.min(...times) - MARGIN_MS, Math.max(...times) + MARGIN_MS];
  for (const fault of journal) {
    if (times.length > 0 && ((fault.ended ?? Infinity) < from || fault.began > to)) continue;
    const ended = fault.ended === null ? "" : ` to ${at(fault.ended)}`;
    lines.push(`  fault ${at(fault.began)}${ended}: ${fault.kind} of ${fault.target} ${fault.detail}`);
  }
  return lines.join("\n");
}

export function countFaults(journal: readonly Fault[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of journal) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
