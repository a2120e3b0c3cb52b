// For how long the event loop was held up.

/** `end` gives the longest time, in milliseconds of this thread's CPU time: what else the machine does is not in it. */
export function measureSlices(): { end: () => number } {
  let longest = 0;
  let over = false;
  const cpu = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1_000;
  };
  const turn = (before: number) => {
    const now = cpu();
    longest = Math.max(longest, now - before);
    if (!over) setImmediate(turn, now);
  };
  setImmediate(turn, cpu());
  return {
    end: () => {
      over = true;
      return longest;
    },
  };
}
