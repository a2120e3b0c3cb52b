// The scheduler's passes with the Kubernetes executor: a real store under them, the fake API server beyond.

import type { DagDefinition, TaskDefinition } from "../../src/core/definition.ts";
import type { JsonObject } from "../../src/core/json.ts";
import type { Executor } from "../../src/executors/executor.ts";
import type { KubernetesExecutorOptions } from "../../src/executors/kubernetes-executor.ts";
import { type Clock, systemClock } from "../../src/lifecycle/clock.ts";
import type { SchedulerContext } from "../../src/scheduler/activity.ts";
import { createLauncher } from "../../src/scheduler/launch-queued.ts";
import type { LeasedWork } from "../../src/scheduler/leased-work.ts";
import { createLedger } from "../../src/store/ledger.ts";
import { type FakeRig, openFakeRig } from "./fake-executor.ts";
import { openSchedulerBundle, type SchedulerBundle } from "./scheduler-bundle.ts";
import { dagOf, taskOf } from "./store-bundle.ts";

export interface PassesRig {
  rig: FakeRig;
  bundle: SchedulerBundle;
  executor: Executor;
  /** A run of a DAG "d" of as many tasks side by side, settled. */
  begin(tasks: number, more?: Partial<TaskDefinition>, dag?: Partial<DagDefinition>): Promise<void>;
  /** Another scheduler over the same store; what is given of its executor takes the place of the real. */
  contextOf(holder: string, more?: Partial<Executor>): SchedulerContext;
  /** Its launcher, whose passes the test runs. */
  launcherOf(holder: string, more?: Partial<Executor>): LeasedWork;
  pods(): JsonObject[];
  query<T extends object>(text: string): Promise<T[]>;
  close(): Promise<void>;
}

/** @param clock of the executor and the server; the store's own time is moved by the test. */
export async function openPassesRig(
  clock: Clock = systemClock,
  options: Partial<KubernetesExecutorOptions> = {},
): Promise<PassesRig> {
  const [rig, bundle] = await Promise.all([openFakeRig(clock), openSchedulerBundle()]);
  const { store, context } = bundle;
  const ledger = createLedger(store.db, store.rules, context.clock);
  // The bundle's attempts are of an executor that calls itself local, and name no namespace.
  const listExpected = async () =>
    (await ledger.listExpected("local")).map((each) => ({ ...each, namespace: each.namespace ?? "default" }));
  const record: typeof ledger.record = (batch) => ledger.record({ ...batch, executor: "local" });
  const executor = rig.makeExecutor({ ...options, ledger: { ...ledger, listExpected, record } });
  const asLocal = (more: Partial<Executor> = {}) =>
    Object.assign(Object.create(executor) as Executor, { name: "local" as const, ...more });
  context.executor = asLocal();
  const contextOf: PassesRig["contextOf"] = (holder, more) => ({ ...context, holder, executor: asLocal(more) });
  return {
    rig,
    bundle,
    executor,
    begin: async (tasks, more = {}, dag = {}) => {
      const all = Array.from({ length: tasks }, (_, index) => taskOf(`t${index}`, [], more));
      await store.save(dagOf("d", all, dag));
      await store.trigger("d");
      await store.settle();
    },
    contextOf,
    launcherOf: (holder, more) => createLauncher(contextOf(holder, more), () => {}),
    pods: () => rig.server.objects.list("pods", "default"),
    query: async <T extends object>(text: string) => (await store.db.query<T>({ text })).rows,
    close: async () => {
      await rig.close();
      await store.close();
    },
  };
}
