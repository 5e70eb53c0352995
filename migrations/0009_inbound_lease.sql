-- Calls in are answered by one dialer at a time: slot 0 of the kind 'dialer-in'.
SET ROLE furrow_owner;

ALTER TABLE node_slots DROP CONSTRAINT node_slots_kind_check;
ALTER TABLE node_slots ADD CONSTRAINT node_slots_kind_check
    CHECK (kind IN ('dialer', 'worker', 'server', 'dialer-in'));

RESET ROLE;
