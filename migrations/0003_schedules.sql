-- Backfills, run timeouts, DAGs that pause themselves, and the computed times of custom timetables.

create table backfill (
  id bigint generated always as identity primary key,
  dag_id text not null references dag (dag_id) on delete cascade,
  from_date timestamptz not null,
  to_date timestamptz not null,
  reprocess_behavior text not null check (reprocess_behavior in ('none', 'failed', 'completed')),
  run_backwards boolean not null,
  max_active_runs integer not null check (max_active_runs > 0),
  dag_run_conf jsonb not null,         -- as it was given
  params jsonb not null,               -- with the schema's defaults
  is_paused boolean not null,
  triggering_user_name text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  completed_at timestamptz,            -- its last run has ended, or it was cancelled
  cancelled_at timestamptz
);
-- Two at once would give the same dates different ends.
create unique index backfill_open on backfill (dag_id) where completed_at is null;

-- The dates of a backfill in the order in which their runs are to begin.
create table backfill_date (
  backfill_id bigint not null references backfill (id) on delete cascade,
  place integer not null,
  logical_date timestamptz not null,
  data_interval_start timestamptz not null,
  data_interval_end timestamptz not null,
  outcome text check (outcome in ('created', 'reset', 'already_exists', 'in_flight', 'cancelled')), -- null: not yet its turn
  primary key (backfill_id, place)
);
create index backfill_date_pending on backfill_date (backfill_id, place) where outcome is null;

alter table dag_run add column backfill_id bigint references backfill (id) on delete set null;
create index dag_run_backfill on dag_run (backfill_id) where backfill_id is not null;
alter table dag_run add column timeout_at timestamptz; -- when a running run has taken too long; null: never
create index dag_run_timeout on dag_run (timeout_at) where state = 'running' and timeout_at is not null;
-- Out of the definition, which may be megabytes.
alter table dag_version add column run_timeout double precision; -- seconds
alter table dag_version add column max_consecutive_failed_runs integer;

alter table dag add column pause_reason text;  -- why it is paused, when that was not a person's wish
alter table dag add column unpaused_at timestamptz; -- failures before it do not count any more

-- What the functions of custom timetables answered, ahead of time: they run in the sealed evaluator alone.
create table computed_time (
  dag_id text primary key references dag (dag_id) on delete cascade,
  bundle_hash text not null,           -- of the code to ask
  times timestamptz[] not null,        -- ascending
  is_announced boolean not null,       -- the DAG's next run is out of these times
  refresh_at timestamptz,              -- when to ask again; null: there are no further times
  fault text                           -- why the function gave no answer
);
create index computed_time_refresh on computed_time (refresh_at) where refresh_at is not null;
