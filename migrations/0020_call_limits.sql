-- How fast and how many at once, over all campaigns: of a tenant, and of each number that it shows.
SET ROLE furrow_owner;
CREATE TABLE call_limits (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    caller_id text NOT NULL DEFAULT '', -- '': the tenant as a whole
    cps numeric NOT NULL DEFAULT 0 CHECK (cps >= 0),                 -- 0: no limit
    max_concurrent int NOT NULL DEFAULT 0 CHECK (max_concurrent >= 0), -- 0: no limit
    changed_at timestamptz NOT NULL,
    UNIQUE (tenant_id, caller_id)
);
CALL furrow_tenant_table('call_limits');
RESET ROLE;
