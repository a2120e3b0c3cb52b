// The one name that an attempt's pod may have: a repeated create finds the first one's pod instead of making a second.

const LONGEST_LABEL = 63;
const UUID_DIGITS = 32;
// What is left for people once the uuid and a hyphen are taken.
const READABLE = LONGEST_LABEL - UUID_DIGITS - 1;

/** A DNS-1123 label of at most 63 characters; all of the attempt's uuid is in it, so that no two attempts share one. */
export function podName(dagId: string, taskId: string, attemptId: string): string {
  const suffix = attemptId.toLowerCase().replace(/[^0-9a-z]/g, "");
  const dag = slug(dagId);
  const task = slug(taskId);
  // Each has half; what one does not need the other gets.
  const half = Math.floor((READABLE - 1) / 2);
  const taskRoom = Math.max(half, READABLE - 1 - dag.length);
  const shortTask = task.slice(0, taskRoom);
  const shortDag = dag.slice(0, READABLE - 1 - shortTask.length);
  return [shortDag, shortTask, suffix]
    .map((part) => part.replace(/^-+|-+$/g, ""))
    .filter((part) => part !== "")
    .join("-");
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
}
