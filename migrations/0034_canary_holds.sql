-- How a campaign's canary stands, what it holds back by itself, and what happened to it.
SET ROLE furrow_owner;

-- trial: its calls are being placed or judged; passed; failed: the campaign was paused;
-- overruled: a person resumed it all the same. Attempts from from_at on count.
CREATE TABLE campaign_canaries (
    tenant_id int NOT NULL REFERENCES tenants,
    campaign_id bigint PRIMARY KEY REFERENCES campaigns ON DELETE CASCADE,
    from_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'trial'
        CHECK (state IN ('trial', 'passed', 'failed', 'overruled')),
    judged_at timestamptz,
    verdict text NOT NULL DEFAULT '' -- in words
);
CALL furrow_tenant_table('campaign_canaries');

-- Variants and lists in quarantine. A row stays after its release: what led to the hold
-- is not counted again, calls from counts_from on are.
CREATE TABLE campaign_holds (
    tenant_id int NOT NULL REFERENCES tenants,
    campaign_id bigint NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('variant', 'list')),
    name text NOT NULL,
    held_at timestamptz, -- null: released
    why text NOT NULL DEFAULT '',
    counts_from timestamptz NOT NULL,
    PRIMARY KEY (campaign_id, kind, name)
);
CALL furrow_tenant_table('campaign_holds');

-- What a program or a person did to it beside its document, for its history.
CREATE TABLE campaign_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    campaign_id bigint NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    at timestamptz NOT NULL,
    text text NOT NULL
);
CREATE INDEX campaign_events_campaign ON campaign_events (campaign_id, id);
CALL furrow_tenant_table('campaign_events');

-- Their place is above; nothing has ever been written here.
ALTER TABLE campaign_checks DROP COLUMN canary_passed_at, DROP COLUMN held;
RESET ROLE;
