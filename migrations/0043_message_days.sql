-- Messages after they have left: found by the provider's own id, counted by day against the
-- tenant's cap, stopped and begun again by the person who gets them.
SET ROLE furrow_owner;
CREATE INDEX messages_provider ON messages (account_id, provider_id) WHERE provider_id <> '';
CREATE INDEX messages_replies ON messages (phone, created_at) WHERE kind = 'reply';
ALTER TABLE messages
    ADD COLUMN counted_on date, -- the day of message_days that it was counted in
    ADD COLUMN waits_until timestamptz; -- the day's cap was reached: tried again then

-- What left in a day of the zone of message_settings, or was on its way and may have left.
CREATE TABLE message_days (
    tenant_id int NOT NULL REFERENCES tenants,
    day date NOT NULL,
    messages int NOT NULL,
    PRIMARY KEY (tenant_id, day)
);
CALL furrow_tenant_table('message_days');

ALTER TABLE message_settings ADD COLUMN service text NOT NULL DEFAULT ''; -- who we are, in answers to HELP

-- The number said STOP by SMS, though the entry was there before for another reason: START
-- takes this mark away, and the entry stays.
ALTER TABLE dnc_entries ADD COLUMN by_sms_at timestamptz;
RESET ROLE;
