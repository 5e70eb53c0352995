-- An entry stops messages as it stops calls. A START by SMS gives messages back and leaves the entry.
SET ROLE furrow_owner;
ALTER TABLE dnc_entries ADD COLUMN sms_again_at timestamptz; -- the START; null: messages are stopped too
RESET ROLE;
