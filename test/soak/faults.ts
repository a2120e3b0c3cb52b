// What is done to the installation, and to what it stands on. Which faults come, to whom and for how long is drawn from the
// seed; a target that suffers already is left alone. Each is kept in a journal, to be printed beside what went wrong.

import { isKubernetesError } from "../../src/kubernetes/kubernetes-error.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { call } from "../support/api-server.ts";
import type { ControlPlane, PlaneComponent } from "./control-plane.ts";
import type { SoakDatabase } from "./database.ts";
import type { Installation } from "./installation.ts";
import type { SoakKubelet } from "./kubelet.ts";
import type { SoakPod } from "./pod-api.ts";
import type { Random } from "./random.ts";

/** How often each kind comes, in proportion. */
export const FAULT_WEIGHTS = {
  kill_scheduler: 4,
  kill_api: 3,
  roll_scheduler: 2,
  roll_api: 2,
  pause_scheduler: 4,
  pause_api: 3,
  kill_kube_apiserver: 2,
  pause_kube_apiserver: 1,
  kill_etcd: 1,
  kill_postgres: 1,
  restart_postgres: 1,
  cut_connections: 4,
  black_hole_connections: 4,
  refuse_connections: 3,
  slow_connections: 2,
  delete_pod: 6,
  delete_pending_pod: 4,
  force_delete_pod: 4,
  isolate_and_force_delete_pod: 2,
  evict_pod_by_api: 4,
  evict_pod_by_node: 4,
  kill_for_memory: 5,
  freeze_worker: 3,
} as const;

export type FaultKind = keyof typeof FAULT_WEIGHTS;

export interface Fault {
  kind: FaultKind;
  target: string;
  detail: string;
  began: number;
  ended: number | null;
}

export interface FaultContext {
  installation: Installation;
  plane: ControlPlane;
  database: SoakDatabase;
  kubelet: SoakKubelet;
  random: Random;
  /** The longest pause of a process, in milliseconds; outages are a fraction of it. */
  longestMs: number;
  /** The longest that a worker may stand still without being given up. */
  freezeMs: number;
}

/** What a fault is about to do: null when there is nothing that it could be done to. */
interface Plan {
  target: string;
  detail: string;
  act(): Promise<void>;
}

export interface FaultInjector {
  journal: readonly Fault[];
  /** Draws one fault and begins it; it may go on for a while. */
  inflict(): void;
  /** Resolves when all that was broken is whole again. */
  heal(): Promise<void>;
}

export function createFaultInjector(context: FaultContext): FaultInjector {
  const { random } = context;
  const journal: Fault[] = [];
  const suffering = new Map<string, Promise<void>>();
  const plans = createPlans(context);
  return {
    journal,
    inflict: () => {
      const kind = random.weigh(FAULT_WEIGHTS);
      const plan = plans[kind]();
      if (plan === null || suffering.has(plan.target)) return;
      const fault: Fault = { kind, target: plan.target, detail: plan.detail, began: Date.now(), ended: null };
      journal.push(fault);
      const acting = plan.act().finally(() => {
        fault.ended = Date.now();
        suffering.delete(plan.target);
      });
      suffering.set(plan.target, acting);
    },
    heal: async () => {
      await Promise.all(suffering.values());
    },
  };
}

function createPlans(context: FaultContext): Record<FaultKind, () => Plan | null> {
  const { installation, plane, database, random, longestMs } = context;
  const outage = () => random.between(0, Math.ceil(longestMs / 6));
  const pause = () => random.between(longestMs / 10, longestMs);

  const kill = (kind: "schedulers" | "apis") => () => {
    const [member, ms] = [random.pick(installation[kind]), outage()];
    return { target: member.name, detail: `back after ${ms} ms`, act: () => member.kill(ms) };
  };
  const roll = (kind: "schedulers" | "apis") => () => {
    const member = random.pick(installation[kind]);
    return { target: member.name, detail: "SIGTERM", act: () => member.roll() };
  };
  const stop = (kind: "schedulers" | "apis") => () => {
    const [member, ms] = [random.pick(installation[kind]), pause()];
    const act = async () => {
      member.signal("SIGSTOP");
      await systemClock.sleep(ms);
      member.signal("SIGCONT");
    };
    return { target: member.name, detail: `for ${ms} ms`, act };
  };
  const killPlane = (component: PlaneComponent) => () => {
    const ms = outage();
    const act = async () => {
      await plane.kill(component);
      await systemClock.sleep(ms);
      plane.start(component);
      await plane.waitUntilReady();
    };
    // One target for both: neither is of use without the other.
    return { target: "control plane", detail: `${component} back after ${ms} ms`, act };
  };
  const pausePlane = () => {
    const ms = outage();
    const act = async () => {
      const pid = plane.pid("kube-apiserver");
      if (pid === null) return;
      process.kill(pid, "SIGSTOP");
      await systemClock.sleep(ms);
      process.kill(pid, "SIGCONT");
      await plane.waitUntilReady();
    };
    return { target: "control plane", detail: `kube-apiserver for ${ms} ms`, act };
  };
  const restart = (how: "fast" | "kill") => () => {
    const ms = outage();
    return { target: "postgres", detail: `back after ${ms} ms`, act: () => database.restart(how, ms) };
  };
  const disturb = (what: "cut" | "blackHole" | "refuse" | "slow") => () => {
    const name = random.pick([...installation.proxies.keys()]);
    const proxy = installation.proxies.get(name);
    if (!proxy) return null;
    const [ms, delay] = [outage(), random.between(20, 300)];
    const act = async () => {
      if (what === "cut") return proxy.cut();
      if (what === "blackHole") return proxy.blackHole();
      if (what === "slow") proxy.slow(delay);
      else {
        proxy.refuse(true);
        proxy.cut();
      }
      await systemClock.sleep(ms);
      proxy.slow(0);
      proxy.refuse(false);
    };
    const details = {
      cut: "all open",
      blackHole: "all open",
      refuse: `for ${ms} ms`,
      slow: `${delay} ms for ${ms} ms`,
    };
    return { target: name, detail: details[what], act };
  };
  return {
    kill_scheduler: kill("schedulers"),
    kill_api: kill("apis"),
    roll_scheduler: roll("schedulers"),
    roll_api: roll("apis"),
    pause_scheduler: stop("schedulers"),
    pause_api: stop("apis"),
    kill_kube_apiserver: killPlane("kube-apiserver"),
    pause_kube_apiserver: pausePlane,
    kill_etcd: killPlane("etcd"),
    kill_postgres: restart("kill"),
    restart_postgres: restart("fast"),
    cut_connections: disturb("cut"),
    black_hole_connections: disturb("blackHole"),
    refuse_connections: disturb("refuse"),
    slow_connections: disturb("slow"),
    ...createPodPlans(context),
  };
}

type PodFault = Extract<FaultKind, `${string}pod${string}` | "kill_for_memory" | "freeze_worker">;

function createPodPlans({
  installation,
  plane,
  kubelet,
  random,
  freezeMs,
}: FaultContext): Record<PodFault, () => Plan | null> {
  const path = (pod: SoakPod) => `/api/v1/namespaces/${installation.namespace}/pods/${pod.metadata.name}`;
  // Exactly the state that was chosen: a pod that has ended meanwhile is not to lose its end before anybody saw it.
  const exactly = ({ metadata: { uid, resourceVersion } }: SoakPod) => ({ preconditions: { uid, resourceVersion } });
  /** False: this fault did not come about. */
  const remove = async (pod: SoakPod, gracePeriodSeconds: number): Promise<boolean> => {
    try {
      await call(plane.http, "DELETE", path(pod), { gracePeriodSeconds, ...exactly(pod) });
      return true;
    } catch (error) {
      ignoreRefusal(error);
      return false;
    }
  };
  const evict = async (pod: SoakPod) => {
    const { name } = pod.metadata;
    const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name }, deleteOptions: exactly(pod) };
    await call(plane.http, "POST", `${path(pod)}/eviction`, body).catch(ignoreRefusal);
  };
  const to = (pods: () => SoakPod[], detail: string, act: (pod: SoakPod) => Promise<unknown> | void) => () => {
    const candidates = pods();
    if (candidates.length === 0) return null;
    const pod = random.pick(candidates);
    return { target: pod.metadata.name, detail, act: async () => void (await act(pod)) };
  };
  const grace = 5;
  return {
    delete_pod: to(kubelet.running, `grace ${grace} s`, (pod) => remove(pod, grace)),
    delete_pending_pod: to(kubelet.pending, `grace ${grace} s`, (pod) => remove(pod, grace)),
    force_delete_pod: to(kubelet.running, "grace 0", (pod) => remove(pod, 0)),
    isolate_and_force_delete_pod: to(kubelet.running, "its process goes on", async (pod) => {
      kubelet.isolate(pod.metadata.uid);
      // A node that nobody has given up comes back; else its pod would be there for ever.
      if (!(await remove(pod, 0))) kubelet.reconnect(pod.metadata.uid);
    }),
    evict_pod_by_api: to(kubelet.running, "as a drain does", evict),
    evict_pod_by_node: to(kubelet.running, "", (pod) => kubelet.evict(pod.metadata.uid)),
    kill_for_memory: to(kubelet.running, "", (pod) => kubelet.killForMemory(pod.metadata.uid)),
    freeze_worker: to(kubelet.running, `for ${freezeMs} ms`, (pod) => kubelet.freeze(pod.metadata.uid, freezeMs)),
  };
}

/** The pod has moved on, or the API server suffers too: then this fault does not come about. */
function ignoreRefusal(error: unknown): void {
  if (!isKubernetesError(error)) throw error;
}
