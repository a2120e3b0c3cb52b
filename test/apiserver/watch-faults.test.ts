import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { KubernetesHttp } from "../../src/kubernetes/http.ts";
import { runReflector } from "../../src/kubernetes/reflector.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { call, connect, createNamespace, kubeconfigThrough, quiet, serverAddress } from "../support/api-server.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";

const http = connect();
let namespace = "";
let proxy: FaultProxy;
let through: KubernetesHttp;
let verbs: string[] = [];

beforeAll(async () => {
  namespace = await createNamespace(http);
});
beforeEach(async () => {
  const { host, port } = await serverAddress(http);
  proxy = await startFaultProxy(host, port);
  through = connect(await kubeconfigThrough(proxy.port), 4, (record) => verbs.push(record.verb));
  verbs = [];
});
afterEach(async () => {
  await through.close();
  await proxy.close();
});
afterAll(async () => {
  await call(http, "DELETE", `/api/v1/namespaces/${namespace}`);
  await http.close();
});

const make = (name: string) =>
  call(http, "POST", `/api/v1/namespaces/${namespace}/pods`, {
    metadata: { name },
    spec: { schedulerName: "nobody", containers: [{ name: "base", image: "x" }] },
  });

/** Runs a reflector while `work` goes on; `seen` resolves when a pod has been applied, by list or event. */
async function reflecting(
  options: { resumeFrom?: string; idleMs?: number; relistIntervalMs?: number },
  work: (run: { seen: (name: string) => Promise<string>; applied: string[] }) => Promise<void>,
): Promise<void> {
  const applied: string[] = [];
  let waiters: (() => void)[] = [];
  const apply = (text: string) => {
    applied.push(text);
    for (const wake of waiters) wake();
    waiters = [];
  };
  const seen = async (name: string) => {
    for (;;) {
      const found = applied.find((text) => text.endsWith(` ${name}`));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => waiters.push(resolve));
    }
  };
  const stop = new AbortController();
  const running = runReflector(
    {
      http: through,
      clock: systemClock,
      log: quiet,
      namespace,
      selector: "",
      resumeFrom: options.resumeFrom ?? null,
      ...(options.idleMs === undefined ? {} : { idleMs: options.idleMs }),
      ...(options.relistIntervalMs === undefined ? {} : { relistIntervalMs: options.relistIntervalMs }),
      sink: {
        applyList: async (pages) => {
          let resourceVersion = "";
          for await (const page of pages) {
            resourceVersion = page.resource_version;
            for (const pod of page.pods) apply(`listed ${pod.name}`);
          }
          apply("all listed");
          return resourceVersion;
        },
        applyChanges: async (changes) => {
          for (const change of changes) apply(`${change.type} ${change.pod.name}`);
        },
      },
    },
    stop.signal,
  );
  try {
    await work({ seen, applied });
  } finally {
    stop.abort();
    await running;
  }
}

test("a watch that is cut goes on where it was, without a list", async () => {
  await reflecting({}, async ({ seen }) => {
    await seen("listed");
    await make("before-cut");
    expect(await seen("before-cut")).toBe("ADDED before-cut");
    proxy.cut();
    await make("after-cut");
    expect(await seen("after-cut")).toBe("ADDED after-cut");
  });
  expect(verbs.filter((verb) => verb === "list")).toHaveLength(1);
});

test("a watch whose connection falls silent is noticed, and nothing is missed", async () => {
  await reflecting({ idleMs: 1_500 }, async ({ seen }) => {
    await seen("listed");
    await make("before-hole");
    expect(await seen("before-hole")).toBe("ADDED before-hole");
    proxy.blackHole();
    await make("after-hole");
    expect(await seen("after-hole")).toBe("ADDED after-hole");
  });
  expect(verbs.filter((verb) => verb === "list")).toHaveLength(1);
});

test("an API server that is away is waited for", async () => {
  proxy.refuse(true);
  await reflecting({}, async ({ seen }) => {
    await make("while-away");
    proxy.refuse(false);
    expect(await seen("while-away")).toBe("listed while-away");
  });
});

test("a slow network is only slow", async () => {
  proxy.slow(200);
  await reflecting({}, async ({ seen }) => {
    await seen("before-cut");
    await make("slowly");
    expect(await seen("slowly")).toMatch(/slowly$/);
  });
});

test("a position out of the server's history leads to a list", async () => {
  await reflecting({ resumeFrom: "1" }, async ({ seen }) => {
    expect(await seen("before-cut")).toBe("listed before-cut");
  });
  expect(verbs[0]).toBe("watch");
});

test("a position that is no version at all leads to a list", async () => {
  // The server answers 500 to one that does not fit 64 bits.
  await reflecting({ resumeFrom: "99999999999999999999" }, async ({ seen }) => {
    expect(await seen("before-cut")).toBe("listed before-cut");
  });
  expect(verbs.filter((verb) => verb === "watch").length).toBeGreaterThanOrEqual(3);
});

test("a position from the future, which the server accepts in silence, is found out by the next list", async () => {
  await reflecting({ resumeFrom: "9000000000000000000", relistIntervalMs: 1_500 }, async ({ seen }) => {
    await make("unheard-of");
    expect(await seen("unheard-of")).toBe("listed unheard-of");
  });
  expect(verbs[0]).toBe("watch");
});

test("50 broken watches leave no connection behind", async () => {
  await reflecting({}, async ({ seen }) => {
    await seen("before-cut");
  });
  const base = proxy.open();
  for (let round = 0; round < 50; round += 1) {
    const stream = await through.stream({
      method: "GET",
      path: `/api/v1/namespaces/${namespace}/pods`,
      query: { watch: true, resourceVersion: "0" },
      verb: "watch",
      resource: "pods",
      namespace,
    });
    await stream.close();
  }
  await expect.poll(() => proxy.open()).toBeLessThanOrEqual(base);
  expect(proxy.mostOpen()).toBeLessThan(12);
});
