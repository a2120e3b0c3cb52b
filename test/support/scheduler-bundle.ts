// A store and the scheduler's passes over it, with an executor that is played by the test: it launches everything at once.

import type { Observation } from "../../src/core/observation.ts";
import type { Executor, LaunchOrder } from "../../src/executors/executor.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { createLogger } from "../../src/lifecycle/log.ts";
import type { SchedulerContext } from "../../src/scheduler/activity.ts";
import { createLauncher } from "../../src/scheduler/launch-queued.ts";
import { recordObservations } from "../../src/store/observations.ts";
import { createSealer } from "../../src/store/sealing.ts";
import { openStoreBundle, type StoreBundle } from "./store-bundle.ts";

export interface SchedulerBundle {
  store: StoreBundle;
  context: SchedulerContext;
  /** What was asked to be launched, and removed, so far. */
  orders: LaunchOrder[];
  removed: string[];
  /** Runs the launcher once, and returns what it has launched. */
  launch(): Promise<LaunchOrder[]>;
  /** The same of one attempt. */
  launchOne(): Promise<LaunchOrder>;
  /** Records what was seen of the attempt's pod. */
  see(order: LaunchOrder, more: Partial<Observation>): Promise<void>;
}

export async function openSchedulerBundle(more: Partial<Executor> = {}): Promise<SchedulerBundle> {
  const store = await openStoreBundle();
  const orders: LaunchOrder[] = [];
  const removed: string[] = [];
  const executor: Executor = {
    name: "local",
    launchConcurrency: 8,
    namespaceFor: () => null,
    launch: async (order) => {
      orders.push(order);
      return { kind: "launched", pod_uid: `uid-${order.attempt_id}` };
    },
    remove: async (handle) => {
      removed.push(handle.attempt_id);
      return "gone";
    },
    start: async () => {},
    stop: async () => {},
    ...more,
  };
  const context: SchedulerContext = {
    db: store.db,
    executor,
    rules: store.rules,
    sealer: createSealer([]),
    clock: { ...systemClock, now: store.now, monotonic: () => store.now().getTime() },
    log: createLogger("silent"),
    holder: "test",
    newId: () => "unused",
    checkParams: (_dag, conf) => conf,
    issueLaunchToken: async () => "a token",
    issueResultToken: async () => "a result token",
    limits: {
      parallelism: 100,
      launch: 600,
      overdue: { image: 60, configuration: 60, start: 600, heartbeat: 30 },
    },
  };
  const launch = async () => {
    await store.settle();
    const before = orders.length;
    const launcher = createLauncher(context, () => {});
    await launcher.runOnce();
    await launcher.drain();
    return orders.slice(before);
  };
  return {
    store,
    context,
    orders,
    removed,
    launch,
    launchOne: async () => {
      const [order, ...others] = await launch();
      if (!order || others.length > 0) throw new Error(`${order ? others.length + 1 : 0} were launched`);
      return order;
    },
    see: (order, seen) =>
      recordObservations(
        store.db,
        store.rules,
        {
          executor: executor.name,
          observations: [
            {
              attempt_id: order.attempt_id,
              epoch: order.epoch,
              namespace: null,
              pod_uid: `uid-${order.attempt_id}`,
              pod_scheduled_at: null,
              container_started_at: null,
              waiting: null,
              outcome: null,
              container: null,
              process_ended: false,
              gone: false,
              ...seen,
            },
          ],
          position: null,
          lease: null,
        },
        store.now(),
      ),
  };
}
