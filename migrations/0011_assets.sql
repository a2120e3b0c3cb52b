-- Assets: what tasks produce and runs wait for. An event is fanned out to the DAGs that wait for its asset when it is
-- written, so that what a DAG has not consumed yet is rows, and no order of commits can hide one.

create table asset (
  id bigint generated always as identity primary key,
  name text not null unique,           -- what it is known by, in all DAGs
  uri text not null,
  "group" text not null,
  extra jsonb not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);

create table asset_event (
  id bigint generated always as identity primary key,
  asset_id bigint not null references asset (id),
  "timestamp" timestamptz not null,
  extra jsonb not null,
  source_dag_id text,                  -- all null: it came from outside
  source_run_id text,
  source_task_id text,
  source_map_index integer
);
create index asset_event_asset on asset_event (asset_id, id);
create index asset_event_age on asset_event ("timestamp");
create index asset_event_source on asset_event (source_dag_id, source_run_id) where source_dag_id is not null;

-- Which DAGs wait for which assets, as of their current versions.
create table dag_asset (
  dag_id text not null references dag (dag_id) on delete cascade,
  asset_id bigint not null references asset (id),
  created_at timestamptz not null,     -- events from then on count
  primary key (dag_id, asset_id)
);
create index dag_asset_asset on dag_asset (asset_id);

-- Which tasks produce which assets, as of the current versions.
create table task_outlet (
  dag_id text not null references dag (dag_id) on delete cascade,
  task_id text not null,
  asset_id bigint not null references asset (id),
  created_at timestamptz not null,
  primary key (dag_id, task_id, asset_id)
);
create index task_outlet_asset on task_outlet (asset_id);

-- Events that a DAG has not consumed yet; a run takes all that its DAG has.
create table asset_pending (
  dag_id text not null,
  asset_id bigint not null,
  event_id bigint not null references asset_event (id) on delete cascade,
  primary key (dag_id, asset_id, event_id),
  foreign key (dag_id, asset_id) references dag_asset (dag_id, asset_id) on delete cascade
);
create index asset_pending_event on asset_pending (event_id);

create table dag_run_asset_event (
  run_id bigint not null references dag_run (id) on delete cascade,
  event_id bigint not null references asset_event (id) on delete cascade,
  primary key (run_id, event_id)
);
create index dag_run_asset_event_event on dag_run_asset_event (event_id);

-- Out of the definition, which may be megabytes.
alter table dag add column asset_condition jsonb;
