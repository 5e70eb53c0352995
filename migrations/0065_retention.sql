-- For how long a tenant keeps what was recorded. The audio goes; the row, its hash and its text stay, so
-- that a proof still says what there was.
SET ROLE furrow_owner;
CREATE TABLE tenant_settings (
    tenant_id int PRIMARY KEY REFERENCES tenants,
    keep_recordings_days int CHECK (keep_recordings_days > 0), -- null: for ever
    changed_at timestamptz NOT NULL
);
CALL furrow_tenant_table('tenant_settings');

ALTER TABLE recordings ADD COLUMN media_deleted_at timestamptz;
CREATE INDEX recordings_kept ON recordings (tenant_id, created_at)
    WHERE sha256 IS NOT NULL AND media_deleted_at IS NULL;
CREATE INDEX recordings_sha256 ON recordings (sha256) WHERE sha256 IS NOT NULL;

-- How many recordings of all tenants have this audio, and how many had it. The store keeps it once.
CREATE FUNCTION furrow_media_rows(hash text, OUT kept bigint, OUT gone bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    asking text := coalesce(current_setting('furrow.tenant', true), '');
    t int;
    k bigint;
    g bigint;
BEGIN
    kept := 0;
    gone := 0;
    FOR t IN SELECT id FROM tenants LOOP
        PERFORM set_config('furrow.tenant', t::text, true);
        SELECT count(*) FILTER (WHERE media_deleted_at IS NULL),
               count(*) FILTER (WHERE media_deleted_at IS NOT NULL)
            INTO k, g FROM recordings WHERE sha256 = hash;
        kept := kept + k;
        gone := gone + g;
    END LOOP;
    PERFORM set_config('furrow.tenant', asking, true);
END $$;
RESET ROLE;
