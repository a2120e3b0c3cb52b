-- Mapped tasks and groups, setups and teardowns.

alter table task_instance
  add column setup_total integer not null default 0,
  add column setup_success integer not null default 0,
  add column setup_failed integer not null default 0,
  add column setup_skipped integer not null default 0,
  add column map_positions integer[],    -- of each array that it is mapped over, the position of its item
  add column rendered_map_index text;    -- what it is called, from its items

-- Items of arrays that were one value: a result, a param, a literal. Read one by one, however long the array is. Items that
-- are the results of another map's instances stay where they are.
create table map_item (
  run_id bigint not null references dag_run (id) on delete cascade,
  task_id text not null,                 -- the mapped task, or the expander of a mapped group
  name text not null,
  position integer not null,
  value json not null,
  primary key (run_id, task_id, name, position)
);
