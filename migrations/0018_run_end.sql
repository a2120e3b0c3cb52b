-- How a run ends that goes on for its teardowns although a person has ended it. Null: its leaves decide.
alter table dag_run add column ends_as text check (ends_as in ('success', 'failed'));
