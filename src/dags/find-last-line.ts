// Where a program was at work, out of V8's CPU profile: the sampler runs beside the code, so it sees into endless loops.

import { BUNDLE_FILENAME } from "./load-bundle.ts";

interface ProfileNode {
  id: number;
  /** Lines of call frames count from 0, those of ticks from 1. */
  callFrame: { url: string; lineNumber: number };
  children?: number[];
  positionTicks?: { line: number; ticks: number }[];
}

interface Profile {
  nodes: ProfileNode[];
  samples?: number[];
}

/** The bundle's line, from 1, of the last sample that was in the bundle or was called from it. */
export function findLastLine(profileText: string): number | null {
  // Written by V8 a moment ago.
  const profile = JSON.parse(profileText) as Profile;
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map<number, number>();
  for (const node of profile.nodes) for (const child of node.children ?? []) parents.set(child, node.id);
  for (const sample of (profile.samples ?? []).toReversed()) {
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const node = nodes.get(id);
      if (node?.callFrame.url === BUNDLE_FILENAME) return busiestLine(node, profile.nodes);
    }
  }
  return null;
}

/** A function has a node for each way that it was called on; its lines are counted over all of them. */
function busiestLine({ callFrame }: ProfileNode, nodes: readonly ProfileNode[]): number | null {
  const ticks = new Map<number, number>();
  for (const node of nodes) {
    if (node.callFrame.url !== callFrame.url || node.callFrame.lineNumber !== callFrame.lineNumber) continue;
    for (const { line, ticks: count } of node.positionTicks ?? []) ticks.set(line, (ticks.get(line) ?? 0) + count);
  }
  const [busiest] = [...ticks].toSorted((a, b) => b[1] - a[1]);
  if (busiest) return busiest[0];
  // A function that was only seen waiting for what it calls: its first line must do. The bundle's own first line says nothing.
  return callFrame.lineNumber === 0 ? null : callFrame.lineNumber + 1;
}
