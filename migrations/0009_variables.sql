-- What tasks read and nobody else may: variables and connections, sealed with a key that Postgres does not hold
-- (store/sealing.ts). Names and addresses are plain, so that lists need no key.

create table variable (
  key text primary key,
  sealed_value text not null,
  is_secret boolean not null,          -- false: the API shows its value, and logs may
  description text,
  updated_at timestamptz not null
);

create table connection (
  connection_id text primary key,
  conn_type text not null,
  description text,
  host text,
  port integer,
  login text,
  schema text,
  sealed_secrets text not null,        -- {"password": …, "extra": …}
  updated_at timestamptz not null
);
