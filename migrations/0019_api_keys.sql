-- Keys for programs that ask over HTTP: only the hash of a key is kept.
SET ROLE furrow_owner;
CREATE TABLE api_keys (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    secret_sha256 bytea NOT NULL UNIQUE CHECK (octet_length(secret_sha256) = 32),
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    by_user text NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
-- One key of a name works at a time; revoked ones stay, to say who did what.
CREATE UNIQUE INDEX api_keys_name ON api_keys (tenant_id, name) WHERE revoked_at IS NULL;
CALL furrow_tenant_table('api_keys');
REVOKE DELETE ON api_keys FROM furrow_app;

-- Whose key it is: a request comes before any tenant is known. Written by a trigger, read
-- through the function only.
CREATE TABLE api_key_tenants (
    tenant_id int NOT NULL REFERENCES tenants,
    secret_sha256 bytea PRIMARY KEY
);
CREATE FUNCTION furrow_api_key_claim() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO api_key_tenants (tenant_id, secret_sha256)
        VALUES (new.tenant_id, new.secret_sha256);
    RETURN NULL;
END $$;
CREATE TRIGGER api_key_claim AFTER INSERT ON api_keys
    FOR EACH ROW EXECUTE FUNCTION furrow_api_key_claim();
CREATE FUNCTION furrow_api_key_tenant(digest bytea) RETURNS int
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT tenant_id FROM api_key_tenants WHERE secret_sha256 = digest';
RESET ROLE;
