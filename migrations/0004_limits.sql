-- Pools, priorities and limits. A lane is the set of limits that an instance counts towards; all instances that wait in one
-- lane are alike but for their order, so a pass looks at lanes and at what it queues, never at all that waits.

create table slot_pool (
  name text primary key,
  slots integer not null check (slots >= -1),     -- -1: no limit
  description text,
  include_deferred boolean not null
);
insert into slot_pool (name, slots, description, include_deferred) values ('default_pool', -1, 'Default pool', false);

create table queue_lane (
  id bigint generated always as identity primary key,
  run_id bigint not null references dag_run (id) on delete cascade,
  pool text not null,                             -- no reference: an unknown pool is a reason to wait, not an error
  pool_slots integer not null,
  task_id text not null,                          -- '': none of its tasks has limits of its own
  key text not null,                              -- of a task's concurrency; '': none
  run_limit integer not null,
  dag_limit integer,                              -- null, as below: no limit
  task_limit integer,
  task_run_limit integer,
  key_limit integer,
  reason text,                                    -- why what waits in it waits; null: the next pass goes on
  unique (run_id, pool, pool_slots, task_id, key)
);

alter table task_instance
  add column lane_id bigint,                      -- null: not judged since it was scheduled. No reference: both go with the run
  add column priority_weight integer,             -- effective, by its weight rule
  add column waits_for uuid;                      -- an instance of the run before that has to succeed first
create index task_instance_lane on task_instance (lane_id, priority_weight desc, map_index, scheduled_at, id)
  where state = 'scheduled' and lane_id is not null;
create index task_instance_to_admit on task_instance (scheduled_at, id)
  where state = 'scheduled' and lane_id is null and waits_for is null;
create index task_instance_waits_for on task_instance (waits_for) where state = 'scheduled' and waits_for is not null;
create index task_instance_deferred on task_instance (lane_id) where state = 'deferred';

alter table dag_run
  add column concurrency_key text,                -- of the DAG's concurrency; null: none
  add column concurrency_limit integer;
