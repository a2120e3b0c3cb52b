// Who is queued now: the best first, whatever stands before it but cannot go. Lanes are read in the order of their best
// instances, some at a time and only until nothing more can be queued; what a limit of many lanes closes is not read again.

import { createQueueLimits, type Parallelism, type QueueLimits } from "../core/plan-queue.ts";
import type { Queryable } from "./database.ts";
import {
  type Candidate,
  type ClosedLanes,
  comparePlaces,
  FIRST_LANES,
  MORE_LANES,
  type Place,
  putHeadsRight,
  readCandidates,
  readLanesInOrder,
  readWaitingClusters,
  type WaitingLane,
} from "./lane-order.ts";
import { readSlotPools, readUsage } from "./slot-usage.ts";

export interface ChosenTask {
  id: string;
  task_id: string;
  version_id: number;
}

export interface Choice {
  chosen: ChosenTask[];
  /** That were read. */
  lanes: number;
  /** It was cut short; the next choice goes further. */
  more: boolean;
  /** For after the chosen have been moved: what is wrong of the heads of lanes. */
  settleHeads: () => Promise<void>;
}

/**
 * Lanes of one kind, as far as they have been read. Tasks that wait without a pod have limits of their own, and each cluster its
 * parallelism.
 */
interface Stream {
  is_wait: boolean;
  cluster: string;
  last: WaitingLane | null;
  ended: boolean;
}

export async function chooseTasks(
  tx: Queryable,
  { batch, ...parallelism }: Parallelism & { batch: number },
): Promise<Choice> {
  const limits = createQueueLimits({ ...parallelism, pools: await readSlotPools(tx), used: new Map() });
  const known = new Map<number, WaitingLane>();
  const streams = [
    openStream({ is_wait: true, cluster: "" }),
    ...(await readWaitingClusters(tx)).map((cluster) => openStream({ is_wait: false, cluster })),
  ];
  const closed = nothingClosed();
  const chosen: Candidate[] = [];
  const wrong = new Set<number>();
  let waiting: Candidate[] = [];
  // What comes after it has not been read, of lanes that have been.
  let cut: Place | undefined;
  while (chosen.length < batch) {
    const lanes: WaitingLane[] = [];
    for (const stream of streams) lanes.push(...(await readOn(tx, stream, closed)));
    for (const lane of lanes) known.set(lane.id, lane);
    await learnUsage(tx, limits, lanes);
    const room = batch - chosen.length;
    const open = lanes
      .filter((lane) => lane.run_state === "running")
      .map((lane) => ({ id: lane.id, head_id: lane.head_id, room: Math.min(limits.headroom(lane), room) }))
      .filter((lane) => lane.room > 0);
    const candidates = await readCandidates(tx, open, room);
    const firsts = new Map(candidates.toReversed().map(({ id, lane_id }) => [lane_id, id]));
    for (const { id, head_id } of open) if (firsts.get(id) !== head_id) wrong.add(id);
    for (const { id, run_state } of lanes) if (run_state === "idle") wrong.add(id);
    if (candidates.length === room) cut = nearest(cut, candidates.at(-1)?.place);
    waiting = [...waiting, ...candidates].toSorted((a, b) => comparePlaces(a.place, b.place));
    const read = streams.reduce<Place | undefined>(
      (border, { ended, last }) => (ended ? border : nearest(border, last?.place)),
      undefined,
    );
    const border = nearest(read, cut);
    const beyond = waiting.findIndex(({ place }) => border && comparePlaces(place, border) > 0);
    const due = waiting.splice(0, beyond === -1 ? waiting.length : beyond);
    for (const candidate of due) {
      const lane = known.get(candidate.lane_id);
      if (chosen.length < batch && lane && limits.take(lane, candidate.task_id)) chosen.push(candidate);
    }
    for (const lane of lanes) noteClosed(limits, lane, closed, streams);
    if (read === undefined || (cut && comparePlaces(cut, read) <= 0)) break;
  }
  return {
    chosen: chosen.flatMap(({ id, task_id, lane_id }) => {
      const lane = known.get(lane_id);
      return lane ? [{ id, task_id, version_id: lane.version_id }] : [];
    }),
    lanes: known.size,
    more: cut !== undefined || chosen.length === batch,
    settleHeads: () => putHeadsRight(tx, [...new Set([...wrong, ...chosen.map(({ lane_id }) => lane_id)])]),
  };
}

function openStream(of: Pick<Stream, "is_wait" | "cluster">): Stream {
  return { ...of, last: null, ended: false };
}

async function readOn(tx: Queryable, stream: Stream, closed: ClosedLanes): Promise<WaitingLane[]> {
  if (stream.ended) return [];
  const size = stream.last === null ? FIRST_LANES : MORE_LANES;
  const lanes = await readLanesInOrder(tx, { ...stream, after: stream.last }, closed);
  stream.last = lanes.at(-1) ?? stream.last;
  stream.ended = lanes.length < size;
  return lanes;
}

async function learnUsage(tx: Queryable, limits: QueueLimits, lanes: readonly WaitingLane[]): Promise<void> {
  const names = [...new Set(lanes.flatMap(limits.lacks))];
  limits.learn(names, await readUsage(tx, names));
}

function nothingClosed(): ClosedLanes {
  return {
    pools: new Map(),
    waitPools: new Map(),
    dags: new Set(),
    runs: new Set(),
    tasks: new Set(),
    runTasks: new Set(),
    keys: new Set(),
    idleRuns: new Set(),
    pausedDags: new Set(),
  };
}

function noteClosed(limits: QueueLimits, lane: WaitingLane, closed: ClosedLanes, streams: readonly Stream[]): void {
  const { dag_id, run_id, task_id, pool, pool_slots } = lane;
  if (lane.run_state === "paused") closed.pausedDags.add(dag_id);
  else if (lane.run_state === "idle") closed.idleRuns.add(run_id);
  const kind = limits.closedBy(lane);
  switch (kind) {
    case null:
      return;
    case "all":
      for (const stream of streams) stream.ended ||= !stream.is_wait && stream.cluster === lane.cluster;
      return;
    case "pool": {
      const pools = lane.is_wait ? closed.waitPools : closed.pools;
      pools.set(pool, Math.min(pool_slots, pools.get(pool) ?? pool_slots));
      return;
    }
    case "dag":
      closed.dags.add(dag_id);
      return;
    case "run":
      closed.runs.add(run_id);
      return;
    case "task":
      closed.tasks.add(`${dag_id} ${task_id}`);
      return;
    case "task_run":
      closed.runTasks.add(`${run_id} ${task_id}`);
      return;
    case "key":
      closed.keys.add(`${dag_id} ${task_id} ${lane.key}`);
      return;
  }
}

function nearest(a: Place | undefined, b: Place | undefined): Place | undefined {
  return !a || (b && comparePlaces(b, a) < 0) ? b : a;
}
