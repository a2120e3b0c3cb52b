// Which scheduled instances may be queued now, and for the others the sentence that says why not. Candidates come oldest
// first; one that its run's limit holds back never blocks those of other runs.

export interface QueueCandidate {
  id: string;
  run_id: number;
  /** The DAG's max_active_tasks. */
  run_limit: number;
}

export interface QueueLimits {
  /** Free slots of the whole installation. */
  free: number;
  parallelism: number;
  /** Queued or running instances of each run that has candidates. */
  occupied: ReadonlyMap<number, number>;
}

export interface QueuePlan {
  queue: string[];
  hold: { id: string; reason: string }[];
}

export function planQueue(candidates: readonly QueueCandidate[], limits: QueueLimits): QueuePlan {
  const occupied = new Map(limits.occupied);
  const plan: QueuePlan = { queue: [], hold: [] };
  for (const { id, run_id, run_limit } of candidates) {
    const used = occupied.get(run_id) ?? 0;
    if (used >= run_limit) {
      plan.hold.push({
        id,
        reason: `waits for a slot: ${used} tasks of this run are active, max_active_tasks is ${run_limit}`,
      });
    } else if (plan.queue.length >= limits.free) {
      plan.hold.push({ id, reason: `waits for a slot: the installation's parallelism is ${limits.parallelism}` });
    } else {
      plan.queue.push(id);
      occupied.set(run_id, used + 1);
    }
  }
  return plan;
}
