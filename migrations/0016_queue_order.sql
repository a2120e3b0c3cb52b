-- What lets a pass of the queue cost what has changed: how much of each limit is used, kept from pass to pass, and of each lane
-- the place of its best instance, so that lanes are read in order and only as far as there is room.

-- Slots that were taken or left since the last pass. A row is added by whoever moves an instance, without waiting for anyone,
-- and taken away by the next pass, which holds the lock of queueing. No keys: it is read whole, and nearly always empty.
create table queue_change (
  run_id bigint not null,
  task_id text not null,
  lane_id bigint,                                 -- null: queued by a release that knew no lanes
  active integer not null,                        -- 1: it is queued or running now; -1: it was
  deferred integer not null
);

create function note_slot() returns trigger language plpgsql as $$
begin
  if old.state in ('queued', 'running', 'deferred') then
    insert into queue_change values (old.run_id, old.task_id, old.lane_id,
      case when old.state = 'deferred' then 0 else -1 end, case when old.state = 'deferred' then -1 else 0 end);
  end if;
  if new.state in ('queued', 'running', 'deferred') then
    insert into queue_change values (new.run_id, new.task_id, new.lane_id,
      case when new.state = 'deferred' then 0 else 1 end, case when new.state = 'deferred' then 1 else 0 end);
  end if;
  return null;
end $$;
-- A trigger, because the release before moves instances too, and nobody may be forgotten.
create trigger note_slot after update of state on task_instance for each row
  when (case when old.state in ('queued', 'running') then 1 when old.state = 'deferred' then 2 else 0 end
    <> case when new.state in ('queued', 'running') then 1 when new.state = 'deferred' then 2 else 0 end)
  execute function note_slot();

create table queue_usage (
  name text primary key,                          -- see core/plan-queue.ts
  used integer not null
);

-- One row.
create table queue_state (
  one boolean primary key default true check (one),
  counted_at timestamptz,                         -- when usage and heads were last made from the instances; null: never
  parallelism integer
);
insert into queue_state default values;

alter table queue_lane
  add column dag_id text,
  add column is_wait boolean not null default false,
  add column is_open boolean not null default true, -- its concurrency key has room, as far as is known
  add column head_rank integer,                   -- of its best instance: minus its priority; null: nothing waits
  add column head_date timestamptz,
  add column head_map_index integer,
  add column head_scheduled_at timestamptz,
  add column head_id uuid;
create index queue_lane_head on queue_lane (is_wait, head_rank, head_date, head_map_index, head_scheduled_at, head_id)
  where is_open and head_rank is not null;
create index queue_lane_key on queue_lane (dag_id, task_id, key, is_open) where key <> '' and head_rank is not null;
