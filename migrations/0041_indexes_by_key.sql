-- No index begins with the tenant, or holds it as a key, where another column names the row. Row
-- security asks for the tenant in every statement, and to a planner that has not counted a table yet
-- (a new month's partition, a list just imported) an index with the tenant looks as good as the key:
-- each move of an attempt then reads all attempts of the tenant.
SET ROLE furrow_owner;
DROP INDEX campaign_contacts_phone;
CREATE INDEX campaign_contacts_phone ON campaign_contacts (phone);
DROP INDEX attempts_phone;
CREATE INDEX attempts_phone ON attempts (phone, intent_at);
DROP INDEX attempts_open;
CREATE INDEX attempts_open ON attempts (slot)
    WHERE state IN ('intent', 'released', 'ringing', 'answered');
DROP INDEX decisions_phone;
CREATE INDEX decisions_phone ON decisions (phone, decided_at);
DROP INDEX calls_phone;
CREATE INDEX calls_phone ON calls (phone, started_at);
DROP INDEX calls_open;
CREATE INDEX calls_open ON calls (slot) WHERE ended_at IS NULL;
RESET ROLE;
