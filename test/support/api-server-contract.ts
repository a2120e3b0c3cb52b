// What Windlass counts on of an API server. The fake one and the real one must both pass: then a test may stand on the fake.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/core/json.ts";
import { identifyCluster } from "../../src/kubernetes/cluster-identity.ts";
import { followWatch } from "../../src/kubernetes/follow-watch.ts";
import { followPodLog } from "../../src/kubernetes/follow-log.ts";
import type { KubernetesHttp } from "../../src/kubernetes/http.ts";
import { isForbidden, isGone, isKubernetesError, isQuota } from "../../src/kubernetes/kubernetes-error.ts";
import { findMissingPermissions } from "../../src/kubernetes/permissions.ts";
import { readPodEvents } from "../../src/kubernetes/pod-events.ts";
import type { PodView } from "../../src/kubernetes/pod-view.ts";
import { createPod, deletePod, getPod, labelPod, listPods } from "../../src/kubernetes/pods.ts";
import type { PodEvent } from "../../src/kubernetes/watch-event.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { LOG_BEGINNING } from "../../src/core/log-position.ts";
import { call, createNamespace, running, setStatus, terminated } from "./api-server.ts";

export interface ContractServer {
  http: KubernetesHttp;
  /** As a user that may do this with pods in the namespace, and nothing else. */
  restrict(namespace: string, verbs: readonly string[]): Promise<KubernetesHttp>;
  /** Puts all versions up to now out of reach. */
  forgetHistory(): Promise<void>;
  close(): Promise<void>;
}

export function describeApiServer(keeper: string, open: () => Promise<ContractServer>): void {
  describe(`the contract, kept by ${keeper}`, () => {
    let server: ContractServer;
    let http: KubernetesHttp;
    let namespace = "";
    beforeAll(async () => {
      server = await open();
      http = server.http;
      namespace = await createNamespace(http);
    });
    afterAll(() => server?.close());

    const path = (pod: string) => `/api/v1/namespaces/${namespace}/pods/${pod}`;
    const make = (more: JsonObject = {}, labels: JsonObject = {}) => {
      const metadata = { name: `p-${randomUUID()}`, labels };
      const containers = [{ name: "base", image: "x" }];
      return createPod(http, namespace, { metadata, spec: { schedulerName: "nobody", containers, ...more } });
    };
    const fail = (promise: Promise<unknown>) =>
      promise.then(
        () => null,
        (error: unknown) => error,
      );
    const listed = async (selector: string, pageSize?: number) =>
      Array.fromAsync(listPods(http, namespace, { selector, ...(pageSize === undefined ? {} : { pageSize }) }));
    const now = async () => (await listed("none=none"))[0]?.resource_version ?? "";

    /** Watches while `work` goes on, until an event fits or the server ends it. */
    const watch = async (
      from: string,
      options: { selector?: string; seconds?: number; until?: (event: PodEvent) => boolean },
      work: () => Promise<unknown> = async () => {},
    ) => {
      const events: PodEvent[] = [];
      const stop = new AbortController();
      const following = followWatch(
        {
          http,
          clock: systemClock,
          namespace,
          selector: options.selector ?? "",
          resourceVersion: from,
          timeoutSeconds: options.seconds ?? 20,
          hardDeadlineMs: 30_000,
          idleMs: 30_000,
          signal: stop.signal,
        },
        async (received) => {
          events.push(...received);
          if (options.until && received.some(options.until)) stop.abort();
        },
      );
      await work();
      return { end: await following, events };
    };
    const summary = (events: PodEvent[]) =>
      events.flatMap((event) => ("pod" in event ? [`${event.type} ${event.pod.name}`] : []));

    test("a pod is made with a uid, a version and the phase Pending, and is what get answers", async () => {
      const pod = await make({}, { app: "one" });
      expect(pod).toMatchObject({ namespace, labels: { app: "one" }, deleting: false, snapshot: { phase: "Pending" } });
      expect(pod.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(await getPod(http, namespace, pod.name)).toMatchObject({ uid: pod.uid });
    });

    test("refusals have code, reason and the field", async () => {
      const pod = await make();
      const again = { metadata: { name: pod.name }, spec: { containers: [{ name: "base", image: "x" }] } };
      expect(await fail(createPod(http, namespace, again))).toMatchObject({ code: 409, reason: "AlreadyExists" });
      expect(await fail(getPod(http, namespace, "nobody"))).toMatchObject({ code: 404, reason: "NotFound" });
      const empty = await fail(createPod(http, namespace, { metadata: { name: "empty" }, spec: { containers: [] } }));
      expect(empty).toMatchObject({ code: 422, reason: "Invalid", causes: [{ field: "spec.containers" }] });
      expect(await fail(createPod(http, "nowhere-at-all", again))).toMatchObject({ code: 404, reason: "NotFound" });
    });

    test("a list comes in pages of one moment, whatever is made and deleted in between", async () => {
      const selector = `batch=${randomUUID()}`;
      const labels = { batch: selector.split("=")[1] ?? "" };
      const pods = await Promise.all(Array.from({ length: 5 }, () => make({}, labels)));
      const names: string[] = [];
      const versions = new Set<string>();
      const sizes: number[] = [];
      for await (const page of listPods(http, namespace, { selector, pageSize: 2 })) {
        if (sizes.length === 0) {
          const seen = new Set(page.pods.map((pod) => pod.name));
          const unseen = pods.find((pod) => !seen.has(pod.name));
          if (unseen) await deletePod(http, namespace, unseen.name, { uid: unseen.uid });
          await make({}, labels);
        }
        sizes.push(page.pods.length);
        versions.add(page.resource_version);
        names.push(...page.pods.map((pod) => pod.name));
      }
      expect(sizes).toEqual([2, 2, 1]);
      expect(versions.size).toBe(1);
      expect(names.toSorted()).toEqual(pods.map((pod) => pod.name).toSorted());
      expect((await listed(selector, 0)).flatMap((page) => page.pods)).toHaveLength(5);
    });

    test("a watch from a list's version tells all that came after, in order, and nothing else", async () => {
      await make();
      const from = await now();
      let pod: PodView | undefined;
      const { events } = await watch(from, { until: (event) => event.type === "DELETED" }, async () => {
        pod = await make();
        await setStatus(http, namespace, pod.name, running);
        await setStatus(http, namespace, pod.name, terminated(3));
        await deletePod(http, namespace, pod.name, { uid: pod.uid });
      });
      expect(summary(events)).toEqual(
        ["ADDED", "MODIFIED", "MODIFIED", "MODIFIED", "DELETED"].map((type) => `${type} ${pod?.name}`),
      );
      const versions = events.flatMap((event) => ("resource_version" in event ? [BigInt(event.resource_version)] : []));
      expect(versions).toEqual(versions.toSorted((a, b) => (a < b ? -1 : 1)));
      expect(versions.every((version) => version > BigInt(from))).toBe(true);
      expect(events.at(-1)).toMatchObject({ pod: { snapshot: { phase: "Failed" } } });
      // From the middle, what came before is not told again.
      const middle = events[1] && "resource_version" in events[1] ? events[1].resource_version : "";
      const rest = await watch(middle, { until: (event) => event.type === "DELETED" });
      expect(rest.events.filter(({ type }) => type !== "BOOKMARK").map(({ type }) => type)).toEqual([
        "MODIFIED",
        "MODIFIED",
        "DELETED",
      ]);
    });

    test("a pod that loses its label is DELETED for who selects by it, and ADDED when it has it again", async () => {
      const pod = await make({}, { team: "a" });
      const from = await now();
      const { events } = await watch(from, { selector: "team=a", until: ({ type }) => type === "ADDED" }, async () => {
        await labelPod(http, namespace, pod.name, { uid: pod.uid, labels: { team: null } });
        await make({}, { team: "b" });
        await labelPod(http, namespace, pod.name, { uid: pod.uid, labels: { team: "a" } });
      });
      expect(summary(events)).toEqual([`DELETED ${pod.name}`, `ADDED ${pod.name}`]);
    });

    test("the server ends a watch at its timeout, with a bookmark shortly before if something has happened", async () => {
      const began = performance.now();
      const from = await now();
      // The second pod comes when the watch is known to be open, and is not of it.
      const until = (event: PodEvent) => {
        if (event.type === "ADDED") void make();
        return false;
      };
      const first = () => make({}, { bookmarked: "yes" });
      const { end, events } = await watch(from, { selector: "bookmarked=yes", seconds: 6, until }, first);
      expect(end).toBe("closed");
      expect(performance.now() - began).toBeGreaterThan(5_500);
      const bookmark = events.find(({ type }) => type === "BOOKMARK");
      const version = bookmark && "resource_version" in bookmark ? bookmark.resource_version : 0;
      const added = events.find(({ type }) => type === "ADDED");
      expect(BigInt(version)).toBeGreaterThan(
        BigInt(added && "resource_version" in added ? added.resource_version : 0),
      );
    });

    test("a version that is no number of 64 bits is refused; one from the future is silent", async () => {
      for (const version of ["rewound", "99999999999999999999"]) {
        const error = await fail(watch(version, {}));
        expect(isKubernetesError(error) && error.code).toBeGreaterThanOrEqual(400);
      }
      const { end, events } = await watch("9000000000000", { seconds: 2 }, () => make());
      expect(end).toBe("closed");
      expect(summary(events)).toEqual([]);
    });

    test("a deletion by uid is of that pod alone, and at once when no node has it", async () => {
      const pod = await make();
      const other = await fail(deletePod(http, namespace, pod.name, { uid: randomUUID() }));
      expect(other).toMatchObject({ code: 409, reason: "Conflict" });
      await deletePod(http, namespace, pod.name, { uid: pod.uid });
      expect(await fail(deletePod(http, namespace, pod.name, { uid: pod.uid }))).toMatchObject({ code: 404 });
    });

    test("a pod on a node is deleted with grace: MODIFIED, then DELETED", async () => {
      const pod = await make({ nodeName: "nowhere" });
      const from = await now();
      const { events } = await watch(from, { until: ({ type }) => type === "DELETED" }, async () => {
        await deletePod(http, namespace, pod.name, { uid: pod.uid });
        expect(await getPod(http, namespace, pod.name)).toMatchObject({ deleting: true });
        await deletePod(http, namespace, pod.name, { uid: pod.uid, gracePeriodSeconds: 0 });
      });
      expect(summary(events)).toEqual(["MODIFIED", "MODIFIED", "DELETED"].map((type) => `${type} ${pod.name}`));
      expect(events.at(-1)).toMatchObject({ type: "DELETED", pod: { uid: pod.uid, deleting: true } });
    });

    test("a finalizer holds a deleted pod and its name", async () => {
      const pod = await make();
      await call(http, "PATCH", path(pod.name), { metadata: { finalizers: ["windlass.dev/test"] } });
      await deletePod(http, namespace, pod.name, { uid: pod.uid });
      expect(await getPod(http, namespace, pod.name)).toMatchObject({ uid: pod.uid, deleting: true });
      const again = { metadata: { name: pod.name }, spec: { containers: [{ name: "base", image: "x" }] } };
      expect(await fail(createPod(http, namespace, again))).toMatchObject({ code: 409, reason: "AlreadyExists" });
      await call(http, "PATCH", path(pod.name), { metadata: { finalizers: null } });
      expect(await fail(getPod(http, namespace, pod.name))).toMatchObject({ code: 404 });
    });

    test("a patch of labels is of one uid, leaves the status alone, and one that changes nothing is no event", async () => {
      const pod = await make({}, { keep: "me" });
      const wrong = await fail(labelPod(http, namespace, pod.name, { uid: randomUUID(), labels: { a: "b" } }));
      expect(wrong).toMatchObject({
        code: 422,
        causes: expect.arrayContaining([expect.objectContaining({ field: "metadata.uid" })]),
      });
      await labelPod(http, namespace, pod.name, { uid: pod.uid, labels: { a: "b" } });
      const patched = await getPod(http, namespace, pod.name);
      expect(patched.labels).toMatchObject({ keep: "me", a: "b" });
      await labelPod(http, namespace, pod.name, { uid: pod.uid, labels: { a: "b" } });
      expect((await getPod(http, namespace, pod.name)).resource_version).toBe(patched.resource_version);
      await call(http, "PATCH", path(pod.name), { status: { phase: "Failed" } });
      expect((await getPod(http, namespace, pod.name)).snapshot.phase).toBe("Pending");
    });

    test("a quota that is used up is 403, told from a missing permission by its text", async () => {
      const limited = await createNamespace(http);
      const quota = `/api/v1/namespaces/${limited}/resourcequotas`;
      await call(http, "POST", quota, { metadata: { name: "none" }, spec: { hard: { pods: "0" } } });
      await call(http, "PATCH", `${quota}/none/status`, { status: { hard: { pods: "0" }, used: { pods: "0" } } });
      const pod = { metadata: { name: "one" }, spec: { containers: [{ name: "base", image: "x" }] } };
      const error = await fail(createPod(http, limited, pod));
      expect([isQuota(error), isForbidden(error)]).toEqual([true, false]);
    });

    test("a user is refused by verb and resource, and may ask what is allowed", async () => {
      const reader = await server.restrict(namespace, ["get", "list"]);
      const error = await fail(createPod(reader, namespace, { metadata: { name: "mine" } }));
      expect([isQuota(error), isForbidden(error)]).toEqual([false, true]);
      expect(String(error)).toMatch(/cannot create resource "pods"/);
      const asked = ["get", "create", "list"].map((verb) => ({ verb, resource: "pods" }));
      expect(await findMissingPermissions(reader, namespace, asked)).toEqual([{ verb: "create", resource: "pods" }]);
      expect(await findMissingPermissions(http, namespace)).toEqual([]);
      await reader.close();
    });

    test("a log is of a pod and a container that exist, and empty before a node has the pod", async () => {
      const pod = await make();
      const signal = new AbortController().signal;
      const read = (name: string, container = "base") =>
        followPodLog({ http, namespace, pod: name, container, from: LOG_BEGINNING, ended: false, signal });
      expect((await read(pod.name)).lines).toEqual([]);
      expect(await fail(read("nobody"))).toMatchObject({ code: 404 });
      expect(await fail(read(pod.name, "sidecar"))).toMatchObject({ code: 400 });
    });

    test("events are selected by the object that they are of", async () => {
      const write = (name: string, uid: string) =>
        call(http, "POST", `/api/v1/namespaces/${namespace}/events`, {
          metadata: { name },
          involvedObject: { kind: "Pod", apiVersion: "v1", namespace, name: "p", uid },
          reason: "Failed",
          message: `of ${uid}`,
          lastTimestamp: "2026-01-01T00:00:01Z",
        });
      await write("first", "one");
      await write("second", "two");
      const { last } = await readPodEvents(
        http,
        { namespace, name: "p", uid: "two" },
        "base",
        new AbortController().signal,
      );
      expect(last).toEqual({ at: "2026-01-01T00:00:01Z", text: "Failed: of two" });
    });

    test("a cluster is known by an id that stays", async () => {
      const id = await identifyCluster(http);
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
      expect(await identifyCluster(http)).toBe(id);
    });

    test("a version and a continue token that are out of the history are gone, in an answer or an event", async () => {
      const selector = `old=${randomUUID()}`;
      const labels = { old: selector.split("=")[1] ?? "" };
      await Promise.all([make({}, labels), make({}, labels), make({}, labels)]);
      const from = await now();
      const pages = listPods(http, namespace, { selector, pageSize: 1 });
      expect((await pages.next()).done).toBe(false);
      await make();
      await server.forgetHistory();
      expect(isGone(await fail(pages.next()))).toBe(true);
      let told: PodEvent | null = null;
      const until = (event: PodEvent) => {
        told = event;
        return true;
      };
      const error = await fail(watch(from, { until }));
      if (error === null) expect(told).toMatchObject({ type: "ERROR", error: { code: 410 } });
      else expect(isGone(error)).toBe(true);
    });
  });
}
