-- What providers have told is kept for as long as they may tell it again: whoever sweeps has no
-- tenant.
SET ROLE furrow_owner;
CREATE FUNCTION furrow_forget_provider_events(before timestamptz, most int) RETURNS int
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    gone int := 0;
    part int;
    t int;
BEGIN
    -- A day at least, whoever asks: a replay inside of it must be known.
    before := least(before, clock_timestamp() - interval '1 day');
    FOR t IN SELECT id FROM tenants LOOP
        PERFORM set_config('furrow.tenant', t::text, true);
        WITH old AS MATERIALIZED (
            SELECT ctid FROM provider_events WHERE at < before ORDER BY at LIMIT most - gone)
        DELETE FROM provider_events p USING old WHERE p.ctid = old.ctid;
        GET DIAGNOSTICS part = ROW_COUNT;
        gone := gone + part;
        EXIT WHEN gone >= most;
    END LOOP;
    PERFORM set_config('furrow.tenant', '', true);
    RETURN gone;
END $$;
RESET ROLE;
