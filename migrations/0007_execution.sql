-- Pods that stay after their attempts, memory that grows after out-of-memory kills, and limits of each task's own.

-- Kept pods with an end: nothing but this table knows when, because their attempts count as cleaned. Without a foreign
-- key, so that deleting history does not forget a pod.
create table kept_pod (
  attempt_id uuid primary key,
  epoch integer not null,
  executor text not null,
  namespace text,
  pod_name text not null,
  pod_uid text,
  remove_at timestamptz not null       -- moves on while one process is at it
);
create index kept_pod_due on kept_pod (executor, remove_at);

-- The memory limit that a task's attempts get at least, learned from those that were killed for it.
create table memory_floor (
  dag_id text not null references dag (dag_id) on delete cascade,
  task_id text not null,
  bytes bigint not null,
  killed_at_bytes bigint not null,     -- the limit at which the last one was killed
  learned_at timestamptz not null,
  primary key (dag_id, task_id)
);

alter table attempt
  add column memory_limit bigint,      -- bytes, of the main container; null: none, or not seen
  add column schedule_timeout double precision, -- seconds, the task's own
  add column start_timeout double precision,
  add column last_event text,          -- the newest of its pod's events, in one sentence
  add column last_event_at timestamptz,
  add column events_asked_at timestamptz;

-- What the helpers of such containers delivered, until the attempt's success makes it the task's result.
create table container_result (
  attempt_id uuid primary key references attempt (id) on delete cascade,
  value json not null
);

-- How far the logs of containers without a worker have been kept: one row for each that has started.
create table container_log (
  attempt_id uuid primary key references attempt (id) on delete cascade,
  next_seq integer not null,
  since bigint,                        -- unix seconds from which on it is asked for; null: from the beginning
  taken integer not null default 0,    -- lines from there on that are kept already
  latest numeric not null default -1,  -- nanoseconds of the latest line
  kept_characters bigint not null default 0,
  quiet integer not null default 0,    -- readings in a row that brought nothing
  read_after timestamptz,              -- null: not before its end
  done boolean not null default false  -- its end is kept, too
);
create index container_log_due on container_log (read_after) where read_after is not null;
