-- Attempts in other clusters have an executor of their own ("kubernetes:gpu"), which a scheduler has or has not.
alter table process add column executors text[]; -- of a scheduler; null: of an earlier release, which knows its own cluster alone
