// The state store as executors see it; see executors/executor.ts AttemptLedger, which this satisfies.

import type { Clock } from "../lifecycle/clock.ts";
import { listExpectedAttempts } from "./attempt-clean.ts";
import type { OutcomeRules } from "./attempt-outcome.ts";
import type { Database } from "./database.ts";
import { acquireLease, type Lease, releaseLease } from "./leases.ts";
import { loadPosition, type ObservationBatch, recordObservations } from "./observations.ts";

export function createLedger(db: Database, rules: OutcomeRules, clock: Clock) {
  return {
    record: (batch: ObservationBatch) => recordObservations(db, rules, batch, clock.now()),
    loadPosition: (key: string) => loadPosition(db, key),
    listExpected: (executor: string) => listExpectedAttempts(db, executor),
    acquireLease: (name: string, holder: string, ttlMs: number) => acquireLease(db, name, holder, ttlMs),
    releaseLease: (lease: Lease) => releaseLease(db, lease),
  };
}
