// The decisions of branches and short circuits: read when an instance that they can skip is about to move.

import { type Decision, listDeciders, planDecidedSkips } from "../core/decision.ts";
import type { DagGraph } from "../core/graph.ts";
import { type AdvancePlan, planMoves, type WaitingInstance } from "../core/plan-advance.ts";
import type { Queryable } from "./database.ts";

/** The moves of these instances: skipped by a decision, or as their trigger rules say. */
export async function planDecidedMoves(
  tx: Queryable,
  runId: number,
  graph: DagGraph,
  waiting: readonly WaitingInstance[],
): Promise<AdvancePlan> {
  const skips = planDecidedSkips(graph, waiting, await readDecisions(tx, runId, listDeciders(graph, waiting)));
  const skipped = new Set(skips.map(({ id }) => id));
  const plan = planMoves(graph, skipped.size === 0 ? waiting : waiting.filter(({ id }) => !skipped.has(id)));
  return { moves: [...skips, ...plan.moves], expand: plan.expand };
}

async function readDecisions(tx: Queryable, runId: number, deciders: string[]): Promise<Decision[]> {
  if (deciders.length === 0) return [];
  const { rows } = await tx.query<Decision>({
    name: "read_decisions",
    text: `select t.task_id, t.map_index, r.value from task_instance t join task_result r on r.task_instance_id = t.id
      where t.run_id = $1 and t.task_id = any ($2) and t.state = 'success'`,
    values: [runId, deciders],
  });
  return rows;
}
