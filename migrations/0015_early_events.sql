-- Events from outside that came before their task waited for them. A row lives until the task's wait takes it.

create table early_event (
  task_instance_id uuid primary key references task_instance (id) on delete cascade,  -- so at most one
  payload json not null,
  delivered_at timestamptz not null
);
