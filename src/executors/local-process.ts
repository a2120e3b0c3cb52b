// Processes of this machine as /proc tells of them. A pid alone may be reused; with the start time beside it, it names one
// process until the machine restarts.

import { readdirSync, readFileSync } from "node:fs";

/** "pid:starttime", the start time in clock ticks since the machine's start; null: there is no such process. */
export function identifyProcess(pid: number): string | null {
  const stat = readStat(pid);
  return stat === null ? null : `${pid}:${stat.startTime}`;
}

/** A zombie counts as gone: it does nothing more, and perhaps nobody collects it. */
export function isRunning(podUid: string): boolean {
  const { pid } = parseUid(podUid);
  const stat = readStat(pid);
  return stat !== null && `${pid}:${stat.startTime}` === podUid && stat.state !== "Z" && stat.state !== "X";
}

/** Signals the process and its group, if it still is the one of this name. */
export function signalProcess(podUid: string, signal: NodeJS.Signals): void {
  if (isRunning(podUid)) signalGroup(parseUid(podUid).pid, signal);
}

/** Signals what is left of the group that `leader` led. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    // ESRCH: all of it has gone already.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Ends what a leader that has gone left of its group; a pid that is another process's by now is left alone. */
export function endRemains(podUid: string): void {
  const { pid } = parseUid(podUid);
  const present = identifyProcess(pid);
  if (present === null || present === podUid) signalGroup(pid, "SIGKILL");
}

/** The process that was started with this variable in its environment, as "pid:starttime"; only one's own are readable. */
export function findProcess(name: string, value: string): string | null {
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = readProc(`/proc/${entry}/environ`);
    if (environment?.split("\0").includes(`${name}=${value}`)) return identifyProcess(Number(entry));
  }
  return null;
}

function parseUid(podUid: string): { pid: number } {
  return { pid: Number(podUid.split(":", 1)[0]) };
}

function readStat(pid: number): { state: string; startTime: string } | null {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The second field is the command in brackets and may hold anything; after it come state (3rd) to start time (22nd).
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, startTime] = [fields[0], fields[19]];
  return state === undefined || startTime === undefined ? null : { state, startTime };
}

function readProc(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Gone since it was listed, or another user's.
    return null;
  }
}
