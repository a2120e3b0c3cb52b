// From a pod's state to how its attempt ended: one pure function for live events, lists and restarts alike.
// The worker's own report is recorded apart and wins; what is said here counts only when there is none.
// Precedence: exit 0, out of memory, what the pod says of its end, what interrupted the container, the exit code.

import { GAVE_UP, HEAP_EXHAUSTED } from "./last-words.ts";
import type { Outcome, OutcomeKind } from "./outcome.ts";
import {
  type ContainerSnapshot,
  findCondition,
  findMain,
  nameNode,
  type PodCondition,
  type PodSnapshot,
  type TerminatedState,
} from "./pod-snapshot.ts";
import { parseQuantity } from "./quantity.ts";
import { explainWaiting, type Waiting } from "./pod-waiting.ts";
import { signalName } from "./signal-name.ts";

export interface PodJudgement {
  outcome: Outcome | null;
  waiting: Waiting | null;
  pod_scheduled_at: string | null;
  container_started_at: string | null;
  /** Bytes. */
  memory_limit: bigint | null;
}

/**
 * What the main container's own exit codes mean, where they do not mean that the task failed. 0 is in it for containers
 * without our worker; from a worker it only says that it had something to say, which it did not say to us.
 */
export type KnownExits = ReadonlyMap<number, ExitMeaning>;

export interface ExitMeaning {
  kind: OutcomeKind;
  reason: string;
}

// What the ledger can hold; no node has as much.
const LARGEST_LIMIT = BigInt(Number.MAX_SAFE_INTEGER);
const NO_KNOWN_EXITS: KnownExits = new Map();

/** What is known of an attempt whose pod exists. */
export function judgePod(pod: PodSnapshot, exits: KnownExits = NO_KNOWN_EXITS): PodJudgement {
  const main = findMain(pod);
  const scheduled = findCondition(pod, "PodScheduled");
  const outcome = judgeEnd(pod, main, exits);
  return {
    outcome,
    waiting: outcome === null ? explainWaiting(pod) : null,
    pod_scheduled_at: scheduled?.status === "True" ? scheduled.last_transition_at : null,
    container_started_at: main === undefined || main.state.kind === "waiting" ? null : main.state.started_at,
    memory_limit: readLimit(main),
  };
}

function readLimit(main: ContainerSnapshot | undefined): bigint | null {
  const bytes = main?.memory_limit ? parseQuantity(main.memory_limit) : null;
  return bytes !== null && bytes > LARGEST_LIMIT ? LARGEST_LIMIT : bytes;
}

/** What is known of an attempt whose pod no longer exists; null: nobody saw how it went. */
export function judgeGonePod(pod: PodSnapshot | null, exits: KnownExits = NO_KNOWN_EXITS): Outcome {
  if (pod === null)
    return outcomeOf("lost", "The pod disappeared while it was not being watched, so its end is unknown");
  const main = findMain(pod);
  return (
    judgeEnd(pod, main, exits) ??
    fromInterruption(pod, null) ??
    fromPodReason(pod, null) ??
    // An object can only vanish because it was deleted, and no controller has left its mark.
    deletedByPerson(null)
  );
}

/** The kubelet has seen the main container end, so nothing of the attempt runs any more. */
export function hasEnded(pod: PodSnapshot): boolean {
  const main = findMain(pod);
  return main?.state.kind === "terminated" && !isEndUnseen(main.state);
}

function hasRun(pod: PodSnapshot): boolean {
  const main = findMain(pod);
  return hasEnded(pod) || main?.state.kind === "running";
}

/** An end that was inferred: the kubelet, or containerd after a restart, found the container gone. */
function isEndUnseen({ reason, exit_code }: TerminatedState): boolean {
  return reason === "ContainerStatusUnknown" || (reason === "Unknown" && exit_code === 255);
}

function judgeEnd(pod: PodSnapshot, main: ContainerSnapshot | undefined, exits: KnownExits): Outcome | null {
  // The container is read before the phase: a sidecar may keep the phase at Running for as long as it likes.
  const ended = main?.state.kind === "terminated" ? main.state : null;
  if (ended) return judgeTerminated(pod, ended, null, exits, main?.memory_limit ?? null);
  if (pod.phase === "Succeeded") return judgeZero(exits);
  const init = pod.containers.find(
    // A sidecar is ended with its pod, and its code says nothing of why.
    (each) => each.init && !each.sidecar && each.state.kind === "terminated" && each.state.exit_code !== 0,
  );
  if (pod.phase !== "Failed") return null;
  if (init?.state.kind === "terminated")
    return judgeTerminated(pod, init.state, init.name, NO_KNOWN_EXITS, init.memory_limit);
  return (
    fromPodReason(pod, null) ??
    fromInterruption(pod, null) ??
    outcomeOf("lost", withDetail("The pod failed without saying how its container ended", pod.message))
  );
}

function judgeTerminated(
  pod: PodSnapshot,
  ended: TerminatedState,
  init: string | null,
  exits: KnownExits,
  memoryLimit: string | null,
): Outcome {
  if (ended.exit_code === 0) return judgeZero(exits);
  const who = init === null ? "The container" : `The init container "${init}"`;
  if (isOutOfMemory(ended)) {
    const why =
      memoryLimit === null
        ? "its node ran out of memory: it has no memory limit of its own"
        : `it reached its memory limit of ${memoryLimit}`;
    return outcomeOf("out_of_memory", `${who} was killed because ${why}`, ended.exit_code);
  }
  if (ended.message?.includes(HEAP_EXHAUSTED)) {
    return outcomeOf("out_of_memory", `${who} used up its JavaScript heap; give the task more memory`, ended.exit_code);
  }
  const interrupted = fromPodReason(pod, ended) ?? fromInterruption(pod, ended);
  if (interrupted) return interrupted;
  if (isEndUnseen(ended)) {
    const loser = ended.reason === "Unknown" ? "The node's container runtime" : "The node";
    return outcomeOf(
      "lost",
      withDetail(`${loser} lost track of the container, as after a restart`, ended.message),
      ended.exit_code,
    );
  }
  if (ended.reason === "StartError" || ended.reason === "ContainerCannotRun") {
    return outcomeOf("configuration_error", withDetail(`${who} could not be started`, ended.message), ended.exit_code);
  }
  if (ended.message?.includes(GAVE_UP))
    return outcomeOf("lost", withDetail("The worker ended itself", lastWords(ended.message)), ended.exit_code);
  const known = exits.get(ended.exit_code);
  if (known) return outcomeOf(known.kind, withDetail(known.reason, lastWords(ended.message)), ended.exit_code);
  const signal = signalName(ended.signal ?? (ended.exit_code > 128 ? ended.exit_code - 128 : 0));
  const how =
    signal === null ? `exited with code ${ended.exit_code}` : `was ended by ${signal} (exit code ${ended.exit_code})`;
  // The message may be the end of the container's log, whose last words say most.
  return outcomeOf("task_failed", withDetail(`${who} ${how}`, lastWords(ended.message)), ended.exit_code);
}

function isOutOfMemory(ended: TerminatedState): boolean {
  if (ended.reason === "OOMKilled") return true;
  // Some runtimes report a plain Error with 137; only their message tells it from another SIGKILL.
  return ended.exit_code === 137 && /\boom|out of memory/i.test(ended.message ?? "");
}

/** Ends that the kubelet or a controller writes into the pod itself. */
function fromPodReason(pod: PodSnapshot, ended: TerminatedState | null): Outcome | null {
  const code = ended?.exit_code ?? null;
  const say = (kind: OutcomeKind, text: string) => outcomeOf(kind, withDetail(text, pod.message), code);
  switch (pod.reason) {
    case "Evicted":
      return say("evicted", `${nameNode(pod)} evicted the pod`);
    case "Preempting":
    case "Preempted":
      return say("preempted", `${nameNode(pod)} gave the pod's place to a more important one`);
    case "DeadlineExceeded":
      // Kubernetes counts from when a node took the pod, and pulling its image is none of the task's doing.
      return hasRun(pod)
        ? say("timed_out", "The pod ran past its activeDeadlineSeconds")
        : say("start_timeout", "The pod reached its activeDeadlineSeconds before its container ran");
    case "NodeLost":
      return say("node_lost", `${nameNode(pod)} stopped answering`);
    case "Terminated":
    case "Shutdown":
    case "NodeShutdown":
      return say("drained", `${nameNode(pod)} was shut down`);
    case null:
      return null;
    default:
      // OutOfcpu, OutOfmemory, NodeAffinity, UnexpectedAdmissionError …: refused by the kubelet before it ran, or when it
      // came back to a pod that had run.
      return pod.phase === "Failed" && (ended === null || isEndUnseen(ended))
        ? say("evicted", `${nameNode(pod)} refused the pod (${pod.reason})`)
        : null;
  }
}

/** A disruption or a deletion, if it came before the container's end: then the end is its consequence. */
function fromInterruption(pod: PodSnapshot, ended: TerminatedState | null): Outcome | null {
  const disruption = findCondition(pod, "DisruptionTarget");
  if (disruption?.status === "True" && cameBefore(disruption.last_transition_at, ended)) {
    return fromDisruption(pod, disruption, ended);
  }
  if (pod.deletion_requested_at !== null && cameBefore(pod.deletion_requested_at, ended)) {
    return deletedByPerson(ended);
  }
  return null;
}

function fromDisruption(pod: PodSnapshot, disruption: PodCondition, ended: TerminatedState | null): Outcome {
  const say = (kind: OutcomeKind, text: string) =>
    outcomeOf(kind, withDetail(text, disruption.message), ended?.exit_code ?? null);
  switch (disruption.reason) {
    case "PreemptionByScheduler":
      return say("preempted", "The scheduler gave the pod's place to one of higher priority");
    case "EvictionByEvictionAPI":
      return say("drained", `The pod was moved away from ${itsNode(pod)}, as a drain does`);
    case "DeletionByTaintManager":
      // A kubelet that still reported the container's end is alive: then the taint was put there by an operator.
      return ended === null
        ? say("node_lost", `${nameNode(pod)} became unavailable and its pods were removed`)
        : say("drained", `${nameNode(pod)} was tainted so that its pods had to leave`);
    case "DeletionByPodGC":
      return say("node_lost", `${nameNode(pod)} no longer exists`);
    case "TerminationByKubelet":
      return say("evicted", `${nameNode(pod)} ended the pod`);
    default:
      return say("evicted", `The cluster ended the pod (${disruption.reason ?? "no reason given"})`);
  }
}

/** Kubernetes keeps these times in whole seconds, so equal counts as before. */
function cameBefore(at: string | null, ended: TerminatedState | null): boolean {
  if (at === null || ended === null || ended.finished_at === null) return true;
  return Date.parse(at) <= Date.parse(ended.finished_at);
}

function deletedByPerson(ended: TerminatedState | null): Outcome {
  return outcomeOf("deleted", "Someone deleted the pod before its task had ended", ended?.exit_code ?? null);
}

function judgeZero(exits: KnownExits): Outcome {
  const known = exits.get(0);
  if (known) return outcomeOf(known.kind, known.reason, 0);
  return outcomeOf("exited_silently", "The container exited with code 0 without reporting a result", 0);
}

function outcomeOf(kind: OutcomeKind, reason: string, exitCode: number | null = null): Outcome {
  return { kind, reason, exit_code: exitCode, error: null };
}

function withDetail(text: string, detail: string | null): string {
  const trimmed = detail?.trim() ?? "";
  return trimmed === "" ? text : `${text}: ${trimmed.replace(/\s+/g, " ").slice(0, 1_000)}`;
}

function lastWords(message: string | null): string | null {
  const text = message?.trim() ?? "";
  return text.length <= 300 ? text : `…${text.slice(-300)}`;
}

function itsNode(pod: PodSnapshot): string {
  return pod.node_name === null ? "its node" : `node ${pod.node_name}`;
}
