// oxlint-disable-next-line typescript/triple-slash-reference -- an import would be left in the bundle
/// <reference path="./text-files.d.ts" />
// What a DAG file imports as "windlass". Imports nothing at run time, for it is bundled into every DAG; author code is
// never trusted: definitions are validated again by whoever reads them.

export type { ConsumedEvent } from "../core/asset-events.ts";
export type { CallbackContext } from "../core/callback.ts";
export type { Artifact } from "../core/artifact.ts";
export { allOf, anyOf, type Asset, asset, type AssetExpression, type AssetOptions } from "./asset.ts";
export type { OutletOptions, TaskAssets } from "./asset-runtime.ts";
export type { ArtifactContent, Artifacts } from "./artifacts.ts";
export type { Connection } from "../core/connection.ts";
export { bash, type BashInputs, type BashOptions } from "./bash.ts";
export { branch, type BranchNode, type BranchTask, shortCircuit, type ShortCircuitOptions } from "./branch.ts";
export {
  type Callback,
  callback,
  type CallbackFunction,
  type CallbackRuntime,
  type DeadlineOptions,
  type DeclaredCallback,
} from "./callbacks.ts";
export { COMPILED_DAG, type CompiledDag, type TaskRuntime } from "./compiled.ts";
export { type Dag, type DagContext, type DagOptions, dag, type RunKey, type RunReferences } from "./dag.ts";
export type { Duration } from "./duration.ts";
export { type Gathered, type Group, group, type MappedGroupOptions } from "./group.ts";
export type { Input } from "./input.ts";
export { type ContainerInputs, kubernetesPod, type KubernetesPodOptions } from "./kubernetes-pod.ts";
export type { InstanceName, MapOptions } from "./map-task.ts";
export type { Ordered, TaskNode, TeardownOptions } from "./node.ts";
export { failWithoutRetry, skip } from "./outcome-errors.ts";
export type { NotSerialisable } from "./output.ts";
export type { PodOverride } from "./pod-override.ts";
export type { MemoryGrowthOptions, PodRetention } from "./pod-settings.ts";
export type { Reference } from "./reference.ts";
export type { CronExpression, Moment, ScheduleOption, Timetable } from "./schedule.ts";
export type { Task } from "./create-task.ts";
export type { SchemaOptions, ValueSchema } from "./task-schemas.ts";
export type { SecretOptions, TaskSecrets } from "./task-secrets.ts";
export { empty, task } from "./task.ts";
export { type Sensed, sensor, type SensorOptions, type SensorRuntime } from "./sensor.ts";
export {
  approval,
  type ApprovalOptions,
  type EventOptions,
  externalTask,
  type ExternalTaskOptions,
  triggerDag,
  type TriggerDagOptions,
  waitFor,
  waitForEvent,
  type WaitOptions,
  waitUntil,
} from "./wait.ts";
export type { TaskDefaults, TaskOptions } from "./task-settings.ts";
export type { TaskConcurrency, TaskPolicyOptions } from "./task-policy.ts";
