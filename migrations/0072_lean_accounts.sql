-- That the account of a webhook's rows is there is asked once a statement, not once a row: many
-- webhooks are written with one, and a tenth of what they cost was that question, row by row. It is
-- answered as before: an account with calls cannot go, and with one that goes go its events.
SET ROLE furrow_owner;
ALTER TABLE voice_sessions DROP CONSTRAINT voice_sessions_account_id_fkey;
ALTER TABLE provider_events DROP CONSTRAINT provider_events_account_id_fkey;

-- FOR KEY SHARE, as a foreign key: who deletes the account waits until those rows are there to be seen.
-- No row is ever moved to another account.
CREATE FUNCTION furrow_account_is_there() RETURNS trigger
    LANGUAGE plpgsql AS $$
DECLARE
    named bigint;
BEGIN
    FOR named IN SELECT DISTINCT account_id FROM fresh WHERE account_id IS NOT NULL LOOP
        PERFORM FROM provider_accounts WHERE id = named FOR KEY SHARE;
        IF NOT FOUND THEN
            RAISE foreign_key_violation USING MESSAGE =
                format('%s names account %s, which is not there', TG_TABLE_NAME, named);
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER account_is_there AFTER INSERT ON voice_sessions REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION furrow_account_is_there();
CREATE TRIGGER account_is_there AFTER INSERT ON provider_events REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION furrow_account_is_there();
CREATE FUNCTION furrow_account_goes() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM voice_sessions WHERE account_id = OLD.id) THEN
        RAISE foreign_key_violation USING MESSAGE =
            format('account %s has calls in voice_sessions', OLD.id);
    END IF;
    DELETE FROM provider_events WHERE account_id = OLD.id;
    RETURN OLD;
END $$;
CREATE TRIGGER account_goes BEFORE DELETE ON provider_accounts
    FOR EACH ROW EXECUTE FUNCTION furrow_account_goes();

-- Calls in have no campaign: one index less at each end of them.
DROP INDEX calls_campaign;
CREATE INDEX calls_campaign ON calls (campaign_id) WHERE campaign_id IS NOT NULL;
RESET ROLE;
