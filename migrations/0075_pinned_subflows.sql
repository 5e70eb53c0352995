-- A published flow holds the revision of each of its sub-flows, those of sub-flows too, as it was
-- published with: {"name": id in flow_revisions}. NULL: published before; the newest are taken then.
-- And of a dialer, whether it is connected to an Asterisk (ready says so too of one that has none).
SET ROLE furrow_owner;
ALTER TABLE flow_revisions ADD COLUMN subflows jsonb;
ALTER TABLE node_slots ADD COLUMN has_switch boolean NOT NULL DEFAULT false;
RESET ROLE;
