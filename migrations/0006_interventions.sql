-- What people do to runs: instances that are cleared while an attempt of theirs still ends, and who did what.

-- A cleared instance whose attempt is ending is 'restarting'; retry_at says when its successor may be made.
create index task_instance_restarting on task_instance (run_id) where state = 'restarting' and retry_at is not null;
-- Attempts that someone wants to end, until they have.
create index attempt_to_stop on attempt (executor, stop_requested_at) where stop_requested_at is not null and state <> 'finished';

-- Kept when what it speaks of is deleted: no foreign keys.
create table event_log (
  id bigint generated always as identity primary key,
  "when" timestamptz not null,
  event text not null,
  dag_id text,
  dag_run_id text,
  task_id text,
  map_index integer,
  try_number integer,
  logical_date timestamptz,
  owner text,                          -- the user's name; null: nobody had to sign in
  extra jsonb
);
create index event_log_dag on event_log (dag_id, id desc);
create index event_log_when on event_log ("when");
