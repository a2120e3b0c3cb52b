// Situations for the tests of this folder's explanations: an unremarkable one, and changes to it.

import type { AttemptSituation, InstanceSituation, Situation } from "./situation.ts";

export const NOW = new Date("2026-03-01T12:00:00.000Z");
export const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);

const INSTANCE: InstanceSituation = {
  task_id: "load",
  map_index: -1,
  state: null,
  try_number: 1,
  max_tries: 3,
  infrastructure_failures: 0,
  same_try: false,
  retry_at: null,
  scheduled_at: null,
  start_date: null,
  end_date: null,
  reason: null,
  waits_for_past: false,
  event_at: null,
};
export const ATTEMPT: AttemptSituation = {
  state: "queued",
  executor: "kubernetes",
  namespace: "etl",
  pod_name: "load-1",
  hostname: null,
  claimed_by: null,
  claimed_until: null,
  launch_failures: 0,
  launch_after: null,
  queued_at: at(-60),
  launched_at: null,
  pod_scheduled_at: null,
  image_pulled_at: null,
  container_started_at: null,
  started_at: null,
  heartbeat_at: null,
  finished_at: null,
  memory_peak: null,
  memory_limit: null,
  memory_floor: null,
  memory_killed_at: null,
  waiting_kind: null,
  waiting_reason: null,
  waiting_since: null,
  last_event: null,
  last_event_at: null,
  stop_reason: null,
  stop_requested_at: null,
  outcome: null,
  outcome_reason: null,
  exit_code: null,
  error: null,
};
const SITUATION: Situation = {
  instance: INSTANCE,
  run: { dag_run_id: "r1", state: "running", reason: null, run_after: at(-60), running: 1, ahead: 0 },
  dag: { dag_id: "sales", is_paused: false, max_active_runs: 2 },
  upstream: { trigger_rule: "all_success", groups: [], setups: [], failed: [], unexpanded: false },
  attempt: null,
  log: [],
  scheduler: { alive: true, seen_at: at(-1), executors: ["kubernetes"] },
  limits: { infrastructure_budget: 3, heartbeat_interval: 5, fence: 330 },
};

export interface Change {
  instance?: Partial<InstanceSituation>;
  run?: Partial<Situation["run"]>;
  dag?: Partial<Situation["dag"]>;
  upstream?: Partial<Situation["upstream"]>;
  attempt?: Partial<AttemptSituation>;
  log?: Situation["log"];
  scheduler?: Situation["scheduler"];
}
export const makeSituation = (change: Change): Situation => ({
  ...SITUATION,
  instance: { ...INSTANCE, ...change.instance },
  run: { ...SITUATION.run, ...change.run },
  dag: { ...SITUATION.dag, ...change.dag },
  upstream: { ...SITUATION.upstream, ...change.upstream },
  attempt: change.attempt ? { ...ATTEMPT, ...change.attempt } : null,
  log: change.log ?? [],
  scheduler: change.scheduler ?? SITUATION.scheduler,
});
