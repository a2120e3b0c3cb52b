-- The commit of the repository that a version came from; null for versions that came from none, or were made before this.
alter table dag_version add column repository_commit text;
