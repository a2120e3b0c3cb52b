-- The most memory that an attempt was seen to use, as its worker says it.
alter table attempt add column memory_peak bigint; -- bytes, of the main container; null: not known
