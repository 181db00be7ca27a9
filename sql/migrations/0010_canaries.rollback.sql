-- The ledger keeps the kind canary_ended: events of it may be there, and none is ever deleted.
DROP TABLE canary_outcomes;
DROP VIEW running_canaries;
