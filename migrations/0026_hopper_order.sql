-- Where a contact stands in the hopper by itself, and where a retry or a callback puts it: a rule
-- may send it to the front or to the back, and the next one must find where it came from.
SET ROLE furrow_owner;
ALTER TABLE campaign_contacts ADD COLUMN base_priority smallint NOT NULL DEFAULT 0;

-- Only callbacks stood above the others.
ALTER TABLE campaign_contacts NO FORCE ROW LEVEL SECURITY;
UPDATE campaign_contacts SET base_priority = least(priority, 0),
    priority = CASE WHEN priority > 0 THEN 10000 ELSE priority END
WHERE priority <> 0;
ALTER TABLE campaign_contacts FORCE ROW LEVEL SECURITY;
RESET ROLE;
