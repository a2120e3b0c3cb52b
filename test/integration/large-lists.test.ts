// Lists of thousands of pods into a real store: how long they take, how long the loop is held up, and what of them stays in
// memory. Figures of a machine are compared with others of the same machine, or have much room.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPodObserver } from "../../src/executors/kubernetes-observe.ts";
import { UNMONITORED } from "../../src/executors/kubernetes-monitor.ts";
import { createKubernetesHttp, type KubernetesHttp } from "../../src/kubernetes/http.ts";
import { listPods, type PodPage } from "../../src/kubernetes/pods.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { createLedger } from "../../src/store/ledger.ts";
import { quiet } from "../support/api-server.ts";
import {
  attemptOf,
  epochOf,
  type LargeListServer,
  podNameOf,
  startLargeListServer,
} from "../support/large-list-server.ts";
import { measureSlices } from "../support/loop-slices.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

const PODS = 5_000;
const POD_BYTES = 4_000;

setFlagsFromString("--expose_gc");
const collectGarbage = runInNewContext("gc") as () => void;

let store: StoreBundle;
let server: LargeListServer;
let http: KubernetesHttp;
beforeAll(async () => {
  [store, server] = await Promise.all([openStoreBundle(), startLargeListServer({ pods: PODS, podBytes: POD_BYTES })]);
  const credentials = { server: server.url, tls: {}, headers: {} };
  http = createKubernetesHttp({
    credentials: { current: async () => credentials, renew: async () => credentials },
    clock: systemClock,
    maxConnections: 8,
  });
  await store.save(dagOf("d", [taskOf("a")]));
  await store.trigger("d");
  await store.settle();
  await store.launch();
  const all = Array.from({ length: PODS }, (_, index) => index);
  // As many launched attempts as there are pods: copies of the one.
  await store.db.query({
    text: `
      insert into attempt select (jsonb_populate_record(a, jsonb_build_object('id', p.id, 'epoch', p.epoch, 'pod_name', p.name,
        'pod_uid', 'uid-' || p.at, 'namespace', 'default'))).*
      from attempt a, unnest($1::uuid[], $2::text[], $3::int[], $4::int[]) as p (id, name, at, epoch)`,
    values: [all.map(attemptOf), all.map(podNameOf), all, all.map(epochOf)],
  });
});
afterAll(async () => {
  await http?.close();
  await server?.close();
  await store?.close();
});

async function applyList(pageSize: number | undefined, onPage: (nth: number) => void = () => {}) {
  const ledger = createLedger(store.db, store.rules, { ...systemClock, now: store.now });
  const lease = await ledger.acquireLease("watch", "me", 60_000);
  if (lease === null) throw new Error("the lease is free");
  // The pods of the list are all expected: nothing is asked for by name, and nothing swept.
  const observer = createPodObserver({
    ledger,
    lease,
    http,
    log: quiet,
    executor: "local",
    namespace: "default",
    // The attempt that the others are copies of has none.
    defaultNamespace: "elsewhere",
    positionKey: "large",
    signal: new AbortController().signal,
    monitor: UNMONITORED,
  });
  const pages = async function* (): AsyncGenerator<PodPage> {
    let nth = 0;
    const options = { selector: "", ...(pageSize === undefined ? {} : { pageSize }) };
    for await (const page of listPods(http, "default", options)) {
      yield page;
      onPage((nth += 1));
    }
  };
  const slices = measureSlices();
  const began = performance.now();
  await observer.applyList(pages());
  return { seconds: (performance.now() - began) / 1_000, longestMs: slices.end() };
}

test("a list of 20 MB is applied within seconds, and the loop goes on between its pages", async () => {
  const whole = await applyList(0);
  const paged = await applyList(undefined);
  const say = (of: typeof paged) => `${of.seconds.toFixed(2)} s, the loop held up for ${of.longestMs.toFixed(0)} ms`;
  console.log(`${PODS} pods in pages: ${say(paged)}; in one piece: ${say(whole)}`);
  // Half a second of a machine that does nothing else.
  expect(paged.seconds).toBeLessThan(30);
  expect(paged.longestMs).toBeLessThan(whole.longestMs / 4);
  const { rows } = await store.db.query<{ count: number }>({
    text: "select count(*) from attempt where container_started_at is not null",
  });
  expect(rows).toEqual([{ count: PODS }]);
}, 60_000);

test("of a list, little stays in memory", async () => {
  const used: number[] = [];
  await applyList(undefined, () => {
    collectGarbage();
    used.push(process.memoryUsage().heapUsed);
  });
  const perPod = ((used.at(-1) ?? 0) - Math.min(...used)) / PODS;
  console.log(`of a pod of ${POD_BYTES} bytes stay ${perPod.toFixed(0)}`);
  expect(used.length).toBeGreaterThan(10);
  expect(perPod).toBeLessThan(POD_BYTES / 8);
}, 60_000);
