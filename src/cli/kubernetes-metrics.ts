// What the Kubernetes executors tell Prometheus. The label `cluster` is empty for the installation's own, which to Prometheus is
// as if there was none.

import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { KubernetesMonitor } from "../executors/kubernetes-monitor.ts";

/** Returns what makes the monitor of one cluster; null: the installation's own. */
export function monitorKubernetes(registry: Registry): (cluster: string | null) => KubernetesMonitor {
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames: ["cluster", ...labelNames], registers: [registry] });
  const requests = counter(
    "windlass_kubernetes_requests_total",
    "Calls to the Kubernetes API by verb, resource and status code; 0 is a call without an answer",
    ["verb", "resource", "code"],
  );
  const seconds = new Histogram({
    name: "windlass_kubernetes_request_duration_seconds",
    help: "Duration of calls to the Kubernetes API; of a watch, until its headers came",
    labelNames: ["cluster", "verb", "resource"],
    buckets: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    registers: [registry],
  });
  const limits = new Gauge({
    name: "windlass_kubernetes_concurrency_limit",
    help: "Calls to the Kubernetes API that may be under way at once; it falls while the API server is overloaded",
    labelNames: ["cluster", "lane"],
    registers: [registry],
  });
  const overloads = counter(
    "windlass_kubernetes_throttled_total",
    "Answers by which the API server said that it is overloaded",
    ["lane"],
  );
  const watches = counter(
    "windlass_kubernetes_watch_restarts_total",
    "Watches that ended, by how: each is followed by another",
    ["namespace", "ending"],
  );
  const lists = counter(
    "windlass_kubernetes_relists_total",
    "Lists of all pods, by why the watch could not go on from its position",
    ["namespace", "cause"],
  );
  const leases = counter(
    "windlass_kubernetes_lease_changes_total",
    "Times that this process got, or lost, the right to watch",
    ["namespace", "change"],
  );
  const podSeconds = (name: string, help: string) =>
    new Histogram({
      name,
      help,
      labelNames: ["cluster"],
      buckets: [1, 2, 5, 10, 30, 60, 120, 300, 900, 1_800],
      registers: [registry],
    });
  const scheduling = podSeconds(
    "windlass_pod_scheduling_duration_seconds",
    "From a pod's creation until a node has it; whole seconds",
  );
  const starting = podSeconds(
    "windlass_pod_start_duration_seconds",
    "From a pod's creation until its main container runs; whole seconds",
  );
  return (name) => {
    const cluster = name ?? "";
    return {
      onRequest: ({ verb, resource, code, seconds: took }) => {
        requests.inc({ cluster, verb, resource, code });
        seconds.observe({ cluster, verb, resource }, took);
      },
      onLimit: (lane, limit) => limits.set({ cluster, lane }, limit),
      onOverload: (lane) => overloads.inc({ cluster, lane }),
      onWatchEnd: (namespace, ending) => watches.inc({ cluster, namespace, ending }),
      onList: (namespace, cause) => lists.inc({ cluster, namespace, cause }),
      onLease: (namespace, change) => leases.inc({ cluster, namespace, change }),
      onPodStarted: (scheduled, started) => {
        scheduling.observe({ cluster }, scheduled);
        starting.observe({ cluster }, started);
      },
    };
  };
}
