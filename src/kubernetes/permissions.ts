// What Windlass must be allowed to do in a namespace of tasks, and what of that it is. Asked of the API server itself
// (SelfSubjectAccessReview, which every authenticated user may ask), so that any authorizer counts, not only RBAC.

import type { KubernetesHttp } from "./http.ts";
import { kubernetesError } from "./kubernetes-error.ts";
import { POD_VERBS } from "./pods.ts";
import { objectAt, textAt } from "./read-json.ts";

export interface Permission {
  verb: string;
  /** Of the core group, as a Role names it: "pods", or with a subresource "pods/log". */
  resource: string;
}

export const NEEDED_PERMISSIONS: readonly Permission[] = [
  ...POD_VERBS.map((verb) => ({ verb, resource: "pods" })),
  { verb: "get", resource: "pods/log" },
  { verb: "list", resource: "events" },
];

/** Those of `permissions` that the credentials lack, in their order. */
export async function findMissingPermissions(
  http: KubernetesHttp,
  namespace: string,
  permissions: readonly Permission[] = NEEDED_PERMISSIONS,
): Promise<Permission[]> {
  const answers = await Promise.all(permissions.map((permission) => isAllowed(http, namespace, permission)));
  return permissions.filter((_, index) => answers[index] === false);
}

/** What is missing, and what mends it. */
export function describeMissing(
  namespace: string,
  missing: readonly Permission[],
): { message: string; advice: string } {
  const named = missing.map(({ verb, resource }) => `(${verb}, ${resource}, ${namespace})`).join(", ");
  const rules = [...Map.groupBy(missing, ({ resource }) => resource)].map(
    ([resource, group]) =>
      `{apiGroups: [""], resources: [${resource}], verbs: [${group.map(({ verb }) => verb).join(", ")}]}`,
  );
  return {
    message: `missing as (verb, resource, namespace): ${named}`,
    advice: `bind a Role in namespace "${namespace}" with the rule ${rules.join(" and ")}`,
  };
}

async function isAllowed(http: KubernetesHttp, namespace: string, { verb, resource }: Permission): Promise<boolean> {
  const [name, subresource] = resource.split("/");
  const answer = await http.call({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    verb: "create",
    resource: "selfsubjectaccessreviews",
    namespace: null,
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { namespace, verb, group: "", resource: name, subresource } },
    },
  });
  const status = objectAt(answer, "status");
  const allowed = status?.["allowed"];
  if (typeof allowed === "boolean") return allowed;
  throw kubernetesError({
    code: 0,
    reason: "Malformed",
    message: `the review has no answer (${textAt(status, "evaluationError") ?? "no reason given"})`,
    action: "create selfsubjectaccessreviews",
  });
}
