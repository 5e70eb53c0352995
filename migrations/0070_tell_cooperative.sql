-- Whether the managers of a caller's organization are sent a record of each batch they bring in.
SET ROLE furrow_owner;
ALTER TABLE ledger_settings ADD COLUMN tell_cooperative boolean NOT NULL DEFAULT false;
RESET ROLE;
