// The pod calls that Windlass makes: create, get, list, delete, and a patch of labels. None repeats itself; callers know what a repeat means.

import type { JsonObject } from "../core/json.ts";
import type { KubernetesCall, KubernetesHttp } from "./http.ts";
import { kubernetesError } from "./kubernetes-error.ts";
import { type PodView, readPod } from "./pod-view.ts";
import { arrayAt, objectAt, textAt } from "./read-json.ts";

/** All that is ever asked of pods: a Role needs these verbs and no others. */
export const POD_VERBS = ["create", "get", "list", "watch", "patch", "delete"] as const;
export type PodVerb = (typeof POD_VERBS)[number];

// A page of 4 KB pods holds the event loop up for about 15 ms, from its parsing to the store; between pages it is free.
const PAGE_SIZE = 250;
const LIST_DEADLINE_MS = 60_000;

export interface PodPage {
  pods: PodView[];
  /** The moment that the whole list shows; the same on every page. */
  resource_version: string;
}

export interface ListPodsOptions {
  selector: string;
  /** Whole lists only: a page size of 0 leaves paging to the server. */
  pageSize?: number;
  signal?: AbortSignal;
}

export interface DeletePodOptions {
  /** Only this pod, not another of its name. */
  uid: string;
  gracePeriodSeconds?: number;
  signal?: AbortSignal;
}

/** Unknown fields are an error, so that a misspelt one is named rather than dropped. */
export async function createPod(
  http: KubernetesHttp,
  namespace: string,
  pod: JsonObject,
  signal?: AbortSignal,
): Promise<PodView> {
  const answer = await http.call({
    ...podCall("create", namespace, signal),
    method: "POST",
    query: { fieldValidation: "Strict", fieldManager: "windlass" },
    body: pod,
  });
  return readPod(answer, "create pods");
}

export async function getPod(
  http: KubernetesHttp,
  namespace: string,
  name: string,
  signal?: AbortSignal,
): Promise<PodView> {
  const answer = await http.call({ ...podCall("get", namespace, signal, name), method: "GET" });
  return readPod(answer, "get pods");
}

/** A consistent list (not from the server's cache), page by page. A continue token may expire: that throws `isGone`. */
export async function* listPods(
  http: KubernetesHttp,
  namespace: string,
  options: ListPodsOptions,
): AsyncGenerator<PodPage, void, undefined> {
  let next: string | null = null;
  do {
    const answer: unknown = await http.call({
      ...podCall("list", namespace, options.signal),
      method: "GET",
      deadlineMs: LIST_DEADLINE_MS,
      query: {
        labelSelector: options.selector,
        limit: options.pageSize ?? PAGE_SIZE,
        ...(next === null ? {} : { continue: next }),
      },
    });
    const metadata = objectAt(answer, "metadata");
    const resourceVersion = textAt(metadata, "resourceVersion");
    if (resourceVersion === null) {
      throw kubernetesError({
        code: 0,
        reason: "Malformed",
        message: "the list has no resourceVersion",
        action: `list pods in namespace "${namespace}"`,
      });
    }
    yield { pods: arrayAt(answer, "items").map((pod) => readPod(pod, "list pods")), resource_version: resourceVersion };
    next = textAt(metadata, "continue");
  } while (next !== null);
}

/** 404 and 409 (another uid) throw; both mean that this pod is gone. */
export async function deletePod(
  http: KubernetesHttp,
  namespace: string,
  name: string,
  options: DeletePodOptions,
): Promise<void> {
  await http.call({
    ...podCall("delete", namespace, options.signal, name),
    method: "DELETE",
    body: {
      apiVersion: "v1",
      kind: "DeleteOptions",
      preconditions: { uid: options.uid },
      propagationPolicy: "Background",
      ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
    },
  });
}

/** Null removes a label. 404 and 422 (another uid, see `isOtherUid`) throw. */
export async function labelPod(
  http: KubernetesHttp,
  namespace: string,
  name: string,
  options: { uid: string; labels: Record<string, string | null>; signal?: AbortSignal },
): Promise<void> {
  await http.call({
    ...podCall("patch", namespace, options.signal, name),
    method: "PATCH",
    contentType: "application/merge-patch+json",
    // The uid is a precondition: the server refuses to change it.
    body: { metadata: { uid: options.uid, labels: options.labels } },
  });
}

/** What every pod call shares. */
export function podCall(
  verb: PodVerb,
  namespace: string,
  signal?: AbortSignal,
  name?: string,
): Pick<KubernetesCall, "verb" | "resource" | "namespace" | "path" | "signal"> {
  const collection = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  return {
    verb,
    resource: "pods",
    namespace,
    path: name === undefined ? collection : `${collection}/${encodeURIComponent(name)}`,
    ...(signal === undefined ? {} : { signal }),
  };
}
