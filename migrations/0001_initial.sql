-- The first schema. Postgres is the truth: every process reads its work from these tables and may be killed at any
-- instant. Times are written by the caller's clock, so that tests can move it; no default calls now().

create table dag_bundle (
  hash text primary key,               -- sha256 of the code, hex
  code text not null,                  -- CommonJS, one file
  source_map text not null,
  created_at timestamptz not null
);

create table dag (
  dag_id text primary key,
  relative_fileloc text not null,
  is_paused boolean not null,
  is_stale boolean not null,           -- its file is gone: no new runs, old runs go on
  current_version_id bigint,
  next_logical_date timestamptz,       -- the run that the schedule creates next
  next_run_after timestamptz,          -- when it is due; null: nothing is due
  last_parsed_time timestamptz not null,
  created_at timestamptz not null
);
create index dag_due on dag (next_run_after) where next_run_after is not null and not is_paused and not is_stale;

create table dag_version (
  id bigint generated always as identity primary key,
  dag_id text not null references dag (dag_id) on delete cascade,
  version_number integer not null,
  bundle_hash text not null references dag_bundle (hash),
  definition jsonb not null,
  max_active_runs integer not null,    -- out of the definition, which may be megabytes: read at every pass
  max_active_tasks integer not null,
  created_at timestamptz not null,
  unique (dag_id, version_number)
);
alter table dag add constraint dag_current_version foreign key (current_version_id) references dag_version (id);
create index dag_version_bundle on dag_version (bundle_hash);

create table import_error (
  id bigint generated always as identity primary key,
  filename text not null unique,
  message text not null,
  line integer,
  "column" integer,
  stack_trace text not null,
  "timestamp" timestamptz not null
);

create table dag_run (
  id bigint generated always as identity primary key,
  dag_id text not null references dag (dag_id) on delete cascade,
  dag_run_id text not null,
  version_id bigint not null references dag_version (id),
  run_type text not null check (run_type in ('manual', 'scheduled', 'backfill', 'asset_triggered')),
  state text not null check (state in ('queued', 'running', 'success', 'failed')),
  logical_date timestamptz,
  data_interval_start timestamptz,
  data_interval_end timestamptz,
  run_after timestamptz not null,
  queued_at timestamptz not null,
  start_date timestamptz,
  end_date timestamptz,
  params jsonb not null,
  conf jsonb not null,
  note text,
  triggered_by text not null,
  triggering_user_name text,
  unfinished integer not null,         -- task instances that are not in a finished state yet and counted
  reason text,                         -- why it is in its state, when that needs saying
  unique (dag_id, dag_run_id),
  check ((state in ('success', 'failed')) = (end_date is not null))
);
-- One scheduled run per instant: the guard against two schedulers, catchup and backfill alike.
create unique index dag_run_logical_date on dag_run (dag_id, logical_date) where logical_date is not null;
create index dag_run_unfinished on dag_run (dag_id, run_after) where state in ('queued', 'running');
create index dag_run_ended on dag_run (end_date) where end_date is not null;
create index dag_run_version on dag_run (version_id);
create index dag_run_running on dag_run (id) where state = 'running';
create index dag_run_recent on dag_run (dag_id, run_after desc);

create table task_instance (
  id uuid primary key default gen_random_uuid(),
  run_id bigint not null references dag_run (id) on delete cascade,
  task_id text not null,
  map_index integer not null,          -- -1: not mapped
  state text check (state in ('scheduled', 'queued', 'running', 'restarting', 'success', 'failed', 'up_for_retry',
    'up_for_reschedule', 'deferred', 'upstream_failed', 'skipped', 'removed')),
  try_number integer not null,         -- the user's tries, from 1 once queued
  max_tries integer not null,
  epoch integer not null,              -- the newest attempt; whatever carries an older one is refused
  infrastructure_failures integer not null,
  same_try boolean not null default false, -- the cluster failed the last attempt: the next one repeats the try
  upstream_total integer not null,
  upstream_success integer not null,
  upstream_failed integer not null,
  upstream_upstream_failed integer not null,
  upstream_skipped integer not null,
  upstream_removed integer not null,
  counted boolean not null,            -- its finished state has been added to its downstream's counters
  retry_at timestamptz,
  scheduled_at timestamptz,
  queued_at timestamptz,
  start_date timestamptz,
  end_date timestamptz,
  reason text,                         -- one sentence: why it waits, or why it ended
  unique (run_id, task_id, map_index)
) with (fillfactor = 70);              -- leaves room for updates in place (HOT): a row changes about 6 times
create index task_instance_to_count on task_instance (run_id)
  where not counted and state in ('success', 'failed', 'upstream_failed', 'skipped', 'removed');
create index task_instance_scheduled on task_instance (run_id, scheduled_at, id) where state = 'scheduled';
create index task_instance_retry on task_instance (retry_at) where state = 'up_for_retry';
create index task_instance_occupied on task_instance (run_id) where state in ('queued', 'running');

create table task_result (
  task_instance_id uuid primary key references task_instance (id) on delete cascade,
  value json not null,                 -- json, not jsonb: kept byte for byte, never searched
  created_at timestamptz not null
);

create table attempt (
  id uuid primary key,
  task_instance_id uuid not null references task_instance (id) on delete cascade,
  epoch integer not null,
  try_number integer not null,
  state text not null check (state in ('queued', 'launching', 'launched', 'running', 'finished')),
  executor text not null,
  claimed_by text,                     -- the process that launches it, until claimed_until
  claimed_until timestamptz,
  launch_failures integer not null,
  launch_after timestamptz,            -- not before: backoff after a launch that failed
  namespace text,
  pod_name text,                       -- deterministic: written before the first create
  pod_uid text,                        -- a pod's uid, or pid and start time of a local process
  worker_id uuid,                      -- the one process that may run it
  hostname text,
  queued_at timestamptz not null,
  launched_at timestamptz,
  pod_scheduled_at timestamptz,
  image_pulled_at timestamptz,
  container_started_at timestamptz,
  started_at timestamptz,              -- its worker called start
  heartbeat_at timestamptz,
  deadline_at timestamptz,             -- execution timeout and grace: by then its worker should have ended it
  finished_at timestamptz,
  waiting_reason text,                 -- why its pod does not run yet
  waiting_kind text check (waiting_kind in ('unschedulable', 'image', 'configuration', 'starting')),
  waiting_since timestamptz,
  stop_reason text,                    -- someone wants it to end: passed on with the next heartbeat
  stop_requested_at timestamptz,
  outcome text,
  outcome_reason text,
  exit_code integer,
  error jsonb,
  pod_gone_at timestamptz,             -- the pod or process is known to be gone
  cleaned_at timestamptz,              -- nothing of it is left to delete
  unique (task_instance_id, epoch),
  check ((state = 'finished') = (outcome is not null)),
  check ((state = 'finished') = (finished_at is not null))
) with (fillfactor = 70);
create index attempt_to_launch on attempt (executor, queued_at) where state in ('queued', 'launching');
create index attempt_open on attempt (executor, state) where state in ('launched', 'running');
create index attempt_to_clean on attempt (executor, finished_at) where state = 'finished' and cleaned_at is null;
create unique index attempt_pod on attempt (namespace, pod_name) where pod_name is not null;

create table task_log (
  attempt_id uuid not null references attempt (id) on delete cascade,
  seq integer not null,
  "timestamp" timestamptz not null,
  level text not null,
  event text not null,
  primary key (attempt_id, seq)
);

-- A watch's position, saved with the state that it covers; any other key than the one asked for is another cluster.
create table watch_position (
  key text primary key,                -- cluster uid, resource, namespace and selector
  resource_version text not null,      -- text: may exceed 64 bits
  updated_at timestamptz not null
);

-- token grows with every change of holder; writes made under an older one are refused (fencing).
create table lease (
  name text primary key,
  holder text not null,
  token bigint not null,
  expires_at timestamptz not null
);

-- Every process that is alive, for /monitor/health and for finding claims of the dead.
create table process (
  id text primary key,
  kind text not null,
  hostname text not null,
  started_at timestamptz not null,
  heartbeat_at timestamptz not null
);

-- Keys and identity made once by the installation itself.
create table setting (
  name text primary key,
  value text not null,
  created_at timestamptz not null
);
