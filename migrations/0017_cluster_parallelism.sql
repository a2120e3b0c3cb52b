-- Parallelism counts the instances of each cluster apart, so that a cluster which cannot be reached fills no places but its own.
alter table queue_lane add column cluster text not null default '';  -- '': the installation's own
-- In place of queue_lane_head, which the release before reads along.
create index queue_lane_order on queue_lane
  (is_wait, cluster, head_rank, head_date, head_map_index, head_scheduled_at, head_id) where is_open and head_rank is not null;
-- By cluster, what the last pass was told: explain has no configuration. One that is missing has as much as home.
alter table queue_state add column cluster_parallelism jsonb not null default '{}';
