-- Pools of caller-ids: which number a call shows is chosen when it is claimed.
SET ROLE furrow_owner;

CREATE TABLE caller_ids (
    tenant_id int NOT NULL REFERENCES tenants,
    phone bigint NOT NULL, -- E.164 as a number
    pool text NOT NULL CHECK (pool ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
    daily_cap int NOT NULL DEFAULT 0 CHECK (daily_cap >= 0), -- in any 24 hours; 0 none
    added_at timestamptz NOT NULL,
    -- In quarantine until then, and why; its health is counted from counts_from.
    held_until timestamptz,
    held_why text NOT NULL DEFAULT '',
    counts_from timestamptz NOT NULL,
    -- As of the last look; what a claim sorts by.
    calls bigint NOT NULL DEFAULT 0,
    answered bigint NOT NULL DEFAULT 0,
    shorts bigint NOT NULL DEFAULT 0, -- answered, and over within six seconds
    PRIMARY KEY (tenant_id, phone)
);
CREATE INDEX caller_ids_pool ON caller_ids (pool);
CALL furrow_tenant_table('caller_ids');

-- Which number showed, to be counted; campaigns without a pool pay nothing for it.
ALTER TABLE attempts ADD COLUMN pooled boolean NOT NULL DEFAULT false;
CREATE INDEX attempts_caller_id ON attempts (caller_id, intent_at) WHERE pooled;

-- When a running campaign's numbers were last looked at, so that of several dialers one does.
CREATE TABLE campaign_checks (
    tenant_id int NOT NULL REFERENCES tenants,
    campaign_id bigint PRIMARY KEY REFERENCES campaigns,
    checked_at timestamptz NOT NULL
);
CALL furrow_tenant_table('campaign_checks');
RESET ROLE;
