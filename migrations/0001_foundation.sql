-- Roles, helper functions, the installation-wide tables, tenants.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'furrow_owner') THEN
        CREATE ROLE furrow_owner NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'furrow_app') THEN
        CREATE ROLE furrow_app NOLOGIN;
    END IF;
    -- COPY refuses row security; only the import writer takes this role, with the
    -- tenant set in the transaction and checked by a constraint.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'furrow_import') THEN
        CREATE ROLE furrow_import NOLOGIN BYPASSRLS;
    END IF;
    EXECUTE format('GRANT furrow_owner, furrow_app, furrow_import TO %I', session_user);
END $$;

GRANT USAGE, CREATE ON SCHEMA public TO furrow_owner;
GRANT USAGE ON SCHEMA public TO furrow_app, furrow_import;
GRANT SELECT ON schema_migrations TO furrow_app;
SET ROLE furrow_owner;

-- Epoch milliseconds UTC, as the programs carry them, to and from timestamptz.
CREATE FUNCTION furrow_ts(ms bigint) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS 'SELECT timestamptz ''epoch'' + ms * interval ''1 millisecond''';
CREATE FUNCTION furrow_ms(t timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS 'SELECT floor(extract(epoch FROM t) * 1000)::bigint';

-- The tenant of this transaction; null when none was set, and then no row shows.
CREATE FUNCTION furrow_tenant() RETURNS int
    LANGUAGE sql STABLE PARALLEL SAFE
    AS 'SELECT nullif(current_setting(''furrow.tenant'', true), '''')::int';

-- Isolate a table by tenant and open it to the programs.
CREATE PROCEDURE furrow_tenant_table(t regclass)
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %s USING (tenant_id = furrow_tenant()) '
                   'WITH CHECK (tenant_id = furrow_tenant())', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO furrow_app', t);
END $$;

-- Smallest UUIDv7 of an instant: partition bounds are cut with it.
CREATE FUNCTION furrow_uuid_floor(t timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT
    AS 'SELECT (lpad(to_hex(furrow_ms(t)), 12, ''0'') || ''00000000000000000000'')::uuid';

-- The month's partition of a table that is range-partitioned on its UUIDv7 id.
-- Returns whether it was made now. Rows of that month that already lie in the
-- default partition make it fail: doctor says so.
CREATE FUNCTION furrow_make_partition(parent text, month timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first timestamptz := date_trunc('month', month, 'UTC');
    part text := parent || '_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
    IF parent NOT IN ('attempts', 'calls', 'call_events', 'decisions') THEN
        RAISE EXCEPTION 'no partitioned table %', parent;
    END IF;
    IF to_regclass(part) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part,
                   parent, furrow_uuid_floor(first),
                   furrow_uuid_floor(first + interval '1 month'));
    RETURN true;
END $$;

CREATE TABLE installation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    id text NOT NULL CHECK (id ~ '^[0-9a-f]{8}$'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO installation (id) VALUES (substr(md5(gen_random_uuid()::text), 1, 8));

-- One declared clock for all processes; see base/clock.h.
CREATE TABLE clock_epoch (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    mode text NOT NULL CHECK (mode IN ('real', 'virtual')),
    virtual_start_ms bigint NOT NULL,
    real_start_ms bigint NOT NULL,
    scale double precision NOT NULL CHECK (scale > 0)
);

-- Stable places for processes: a dialer's slot k is its Stasis application
-- furrow-<installation>-k. A lease is in Postgres' own real time.
CREATE TABLE node_slots (
    kind text NOT NULL CHECK (kind IN ('dialer', 'worker', 'server')),
    slot int NOT NULL CHECK (slot >= 0),
    holder uuid NOT NULL,
    host text NOT NULL,
    pid int NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until timestamptz NOT NULL,
    PRIMARY KEY (kind, slot)
);

CREATE TABLE tenants (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO tenants (name) VALUES ('default');

GRANT SELECT ON installation, tenants TO furrow_app, furrow_import;
GRANT SELECT, INSERT ON clock_epoch TO furrow_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON node_slots TO furrow_app;
GRANT INSERT, UPDATE ON tenants TO furrow_app;
RESET ROLE;
