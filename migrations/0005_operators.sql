-- Task instances that wait without a pod. A row lives as long as the wait: it is made when the instance is deferred and goes
-- when the wait ends. Whoever looks holds a lease; `looks` grows with each and fences what comes of an older one.

create table deferral (
  task_instance_id uuid primary key references task_instance (id) on delete cascade,
  kind text not null,
  began_at timestamptz not null,
  first_look_at timestamptz,           -- timeouts are measured from here, across everything
  looks integer not null,
  due_at timestamptz,                  -- the next look; null: only an event ends the wait
  awaited_run_id bigint references dag_run (id) on delete set null,  -- its end makes this due
  leased_by text,
  leased_until timestamptz
) with (fillfactor = 70);
create index deferral_due on deferral (due_at) where due_at is not null;
create index deferral_awaited on deferral (awaited_run_id) where awaited_run_id is not null;

-- Author functions that are called beside tasks and runs, at least once, with the outcome of the last call. A deadline's row
-- is made with its run, due when the time is up, and cancelled by the run's end.
create table callback (
  id bigint generated always as identity primary key,
  run_id bigint not null references dag_run (id) on delete cascade,
  task_instance_id uuid references task_instance (id) on delete cascade,  -- null: of the run
  event text not null check (event in ('success', 'failure', 'retry', 'skip', 'deadline')),
  state text not null check (state in ('pending', 'success', 'failed', 'cancelled')),
  try_number integer,                  -- of the task instance, when it happened
  reason text,                         -- of what happened
  tries integer not null,
  due_at timestamptz,                  -- the next call; null: there is none
  leased_until timestamptz,
  error text,                          -- of the last call that failed
  created_at timestamptz not null,
  finished_at timestamptz,
  check ((state = 'pending') = (due_at is not null))
);
create index callback_due on callback (due_at) where due_at is not null;
create index callback_run on callback (run_id);
