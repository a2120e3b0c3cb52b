// Says at the start what the executor may not do, all of it at once; the calls that fail for it say so one by one.

import type { KubernetesHttp } from "../kubernetes/http.ts";
import { describeMissing, findMissingPermissions } from "../kubernetes/permissions.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { Service } from "../lifecycle/service.ts";

/** Nothing waits for it, and nothing fails with it: a Role may come later. */
export function createPermissionReport(http: KubernetesHttp, namespaces: readonly string[], log: Logger): Service {
  let running: Promise<unknown> = Promise.resolve();
  const report = async (namespace: string) => {
    try {
      const missing = await findMissingPermissions(http, namespace);
      if (missing.length === 0) return;
      const { message, advice } = describeMissing(namespace, missing);
      log.error({ namespace }, `permissions are ${message}; ${advice}`);
    } catch (error) {
      log.info({ namespace, err: error }, "the API server does not say what is allowed");
    }
  };
  return {
    name: "permission report",
    start: async () => {
      running = Promise.all(namespaces.map(report));
    },
    stop: async () => void (await running),
  };
}
