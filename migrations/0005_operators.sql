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
