-- A published flow holds the revision of each of its sub-flows, those of sub-flows too, as it was
-- published with: {"name": id in flow_revisions}. NULL: published before; the newest are taken then.
SET ROLE furrow_owner;
ALTER TABLE flow_revisions ADD COLUMN subflows jsonb;
RESET ROLE;
