// What a person can do for a pod that no node takes, from the scheduler's own words: they are not an interface, so words that
// nobody knows here get the general advice.

const ADVICE: readonly (readonly [said: RegExp, advice: string])[] = [
  [/[Ii]nsufficient|Too many pods/, "free or add nodes, or let the task's pod ask for less"],
  [/no nodes available/, "add nodes"],
  [/were unschedulable|kubernetes\.io\/unschedulable/, "uncordon a node"],
  [
    /kubernetes\.io\/(?:not-ready|unreachable|network-unavailable|[a-z]+-pressure)/,
    "see to its nodes, which are not well",
  ],
  [
    /untolerated taint(?:\(s\)| \{(?!node))|didn't tolerate/,
    "take the taint off a node, or let the task's pod tolerate it",
  ],
  [
    /Pod's node affinity|enforced node affinity|node name/,
    "correct the task's nodeSelector or affinity, or label a node as they ask",
  ],
  [/pod (?:anti-)?affinity rules|pods anti-affinity/, "loosen the task's pod affinity"],
  [/topology spread/, "loosen the task's topologySpreadConstraints"],
  [/free ports/, "wait for the pod that has its host port, or give the task another"],
  [
    /persistentvolume|persistent volume|pvc|volume|StorageClass|free storage|no available disk/i,
    "see the volume claims that its pod names",
  ],
  [
    /resource ?claim|device class|allocate (?:all claims|devices)/i,
    "see the resource claims that its pod names, and the devices of the nodes",
  ],
];
const GENERAL = "free or add nodes, or let the task's pod ask for less";
/** Nodes differ in why they do not do, but more than this nobody reads. */
const MOST = 2;

/** Null: what was said says it. */
export function adviseScheduling(said: string): string | null {
  if (said.startsWith("The scheduling gate")) return null;
  if (said.startsWith("The scheduler met an error")) return "see the cluster's scheduler";
  const advice = ADVICE.flatMap(([pattern, text]) => (pattern.test(said) ? [text] : []));
  return advice.length === 0 ? GENERAL : advice.slice(0, MOST).join("; ");
}
