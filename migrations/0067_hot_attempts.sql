-- Each move of an attempt changes its state. While an index's condition asked for the state, every
-- move was a new entry in all indexes of the attempt; only its end changes whether it has ended, so
-- the moves before that stay on their page now, where there is room for them.
SET ROLE furrow_owner;
ALTER TABLE attempts ADD CONSTRAINT attempts_over
    CHECK (ended_at IS NULL OR state IN ('ended', 'withdrawn', 'unknown')) NOT VALID;
DROP INDEX attempts_open;
CREATE INDEX attempts_open ON attempts (slot) WHERE ended_at IS NULL;
DO $$
DECLARE
    part text;
BEGIN
    FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'attempts'::regclass LOOP
        EXECUTE format('ALTER TABLE %I SET (fillfactor = 50)', part);
    END LOOP;
END $$;

-- The month's partition, with that room where it is wanted.
CREATE FUNCTION furrow_make_month(parent text, month timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    part text := parent || '_' || to_char(date_trunc('month', month, 'UTC') AT TIME ZONE 'UTC',
                                          'YYYYMM');
BEGIN
    IF NOT furrow_make_partition(parent, month) THEN
        RETURN false;
    END IF;
    IF parent = 'attempts' THEN
        EXECUTE format('ALTER TABLE %I SET (fillfactor = 50)', part);
    END IF;
    RETURN true;
END $$;
RESET ROLE;
