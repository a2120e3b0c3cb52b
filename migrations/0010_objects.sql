-- Files of tasks, and logs that have left Postgres. The bytes are in the object store of WINDLASS_STORAGE: here (object,
-- object_chunk), in a directory, or in S3; these rows say what is there.

create table object (
  key text primary key,                -- written last: without it the chunks are those of a broken upload
  size bigint not null
);
create table object_chunk (
  key text not null,
  seq integer not null,
  data bytea not null,
  primary key (key, seq)
);
alter table object_chunk alter column data set storage external; -- files are mostly compressed already

create table artifact (
  id uuid primary key,
  run_id bigint not null references dag_run (id) on delete cascade,
  attempt_id uuid not null references attempt (id) on delete cascade,
  name text not null,
  media_type text not null,
  size bigint not null,
  object_key text not null,
  created_at timestamptz not null
);
create index artifact_run on artifact (run_id);
create index artifact_attempt on artifact (attempt_id);

-- null: its lines are in task_log; '': it had none.
alter table attempt add column log_key text;
create index attempt_log_to_archive on attempt (finished_at) where log_key is null and cleaned_at is not null;

-- What no row speaks of any more. Filled by triggers, because rows go by cascade as well, and a key that is lost is a file
-- that stays for ever.
create table object_garbage (
  key text primary key,
  due_at timestamptz not null          -- an upload's own key is here too, a day ahead, until its artifact's row is written
);
create index object_garbage_due on object_garbage (due_at);

create function discard_artifacts() returns trigger language plpgsql as $$
begin
  insert into object_garbage select object_key, '-infinity' from gone on conflict do nothing;
  return null;
end $$;
create trigger discard_artifacts after delete on artifact referencing old table as gone
  for each statement execute function discard_artifacts();

create function discard_logs() returns trigger language plpgsql as $$
begin
  insert into object_garbage select log_key, '-infinity' from gone where log_key <> '' on conflict do nothing;
  return null;
end $$;
create trigger discard_logs after delete on attempt referencing old table as gone
  for each statement execute function discard_logs();
