-- Flows, trunks, campaigns and the attempt ledger.
SET ROLE furrow_owner;

CREATE TABLE flows (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, name)
);
CALL furrow_tenant_table('flows');

-- Published text, never changed; calls pin it by hash.
CREATE TABLE flow_revisions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    flow_id bigint NOT NULL REFERENCES flows,
    revision int NOT NULL,
    sha256 text NOT NULL,
    source text NOT NULL,
    published_at timestamptz NOT NULL,
    UNIQUE (flow_id, revision)
);
CREATE INDEX flow_revisions_hash ON flow_revisions (tenant_id, sha256);
CALL furrow_tenant_table('flow_revisions');

CREATE TABLE trunks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('ari', 'simulated')),
    endpoint text NOT NULL DEFAULT '', -- ARI: 'PJSIP/{number}@trunk'; {number} without '+'
    cps numeric NOT NULL CHECK (cps > 0), -- calls per second
    max_channels int NOT NULL CHECK (max_channels > 0),
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, name)
);
CALL furrow_tenant_table('trunks');

-- Campaign states and their moves: campaigns/lifecycle.c.
CREATE TABLE campaigns (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    name text NOT NULL,
    state text NOT NULL,
    document jsonb NOT NULL,
    document_text text NOT NULL, -- as the author wrote it
    list_id bigint NOT NULL REFERENCES lists,
    trunk_id bigint NOT NULL REFERENCES trunks,
    flow_revision_id bigint NOT NULL REFERENCES flow_revisions,
    stop_reason text NOT NULL DEFAULT '',
    last_contact_id bigint NOT NULL DEFAULT 0, -- contacts up to here are in campaign_contacts
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    changed_at timestamptz NOT NULL,
    UNIQUE (tenant_id, name)
);
CREATE INDEX campaigns_state ON campaigns (tenant_id, state);
CALL furrow_tenant_table('campaigns');

-- A planned start fires once, whoever sees it first.
CREATE TABLE campaign_fires (
    tenant_id int NOT NULL REFERENCES tenants,
    campaign_id bigint NOT NULL REFERENCES campaigns,
    planned_at timestamptz NOT NULL,
    fired_at timestamptz NOT NULL,
    PRIMARY KEY (campaign_id, planned_at)
);
CALL furrow_tenant_table('campaign_fires');

-- One row a contact of a campaign. state: pending (waits for next_attempt_at),
-- calling (an open attempt exists), final (final says how it ended).
CREATE TABLE campaign_contacts (
    tenant_id int NOT NULL,
    campaign_id bigint NOT NULL,
    contact_id bigint NOT NULL,
    phone bigint NOT NULL,
    zone_group int NOT NULL,
    priority smallint NOT NULL DEFAULT 0, -- higher first
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'calling', 'final')),
    attempts int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    last_disposition text,
    first_refusal int,  -- reason code of the first verdict that refused this contact
    last_refusal int,   -- of the latest one; null after an attempt went out
    final text,         -- final disposition or refusal, e.g. completed, bad_number, DNC_INTERNAL
    final_at timestamptz,
    PRIMARY KEY (campaign_id, contact_id)
);
CREATE INDEX campaign_contacts_due ON campaign_contacts
    (campaign_id, zone_group, priority DESC, next_attempt_at) WHERE state = 'pending';
CREATE INDEX campaign_contacts_phone ON campaign_contacts (tenant_id, phone);
CALL furrow_tenant_table('campaign_contacts');

-- The ledger. States and their moves: campaigns/attempt.c.
CREATE TABLE attempts (
    id uuid PRIMARY KEY, -- version 7
    tenant_id int NOT NULL,
    campaign_id bigint NOT NULL,
    contact_id bigint NOT NULL,
    phone bigint NOT NULL,
    trunk_id bigint NOT NULL,
    slot int NOT NULL,   -- of the dialer that made it
    number int NOT NULL, -- 1 is the contact's first attempt in this campaign
    state text NOT NULL CHECK (state IN
        ('intent', 'released', 'ringing', 'answered', 'ended', 'withdrawn', 'unknown')),
    caller_id text NOT NULL DEFAULT '',
    intent_at timestamptz NOT NULL,
    released_at timestamptz,
    ringing_at timestamptz,
    answered_at timestamptz,
    ended_at timestamptz,
    cause int,        -- Q.850
    tech_cause int,   -- SIP status
    disposition text, -- campaigns/disposition.h; set when over
    note text NOT NULL DEFAULT ''
) PARTITION BY RANGE (id);
CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;
CREATE INDEX attempts_phone ON attempts (tenant_id, phone, intent_at);
CREATE INDEX attempts_open ON attempts (tenant_id, slot)
    WHERE state IN ('intent', 'released', 'ringing', 'answered');
CREATE INDEX attempts_contact ON attempts (campaign_id, contact_id);
CALL furrow_tenant_table('attempts');

-- Every verdict that decided something. stage 1 claim, 2 release, 3 send.
CREATE TABLE decisions (
    id uuid PRIMARY KEY,
    tenant_id int NOT NULL,
    stage smallint NOT NULL,
    campaign_id bigint NOT NULL,
    contact_id bigint NOT NULL,
    attempt_id uuid,
    phone bigint NOT NULL,
    decided_at timestamptz NOT NULL,
    reason int NOT NULL,    -- 0 ALLOW; compliance/reason.h
    reasons int[] NOT NULL, -- all of them, in severity order
    next_allowed_at timestamptz,
    inputs jsonb NOT NULL   -- what the verdict was made from
) PARTITION BY RANGE (id);
CREATE TABLE decisions_default PARTITION OF decisions DEFAULT;
CREATE INDEX decisions_phone ON decisions (tenant_id, phone, decided_at);
CREATE INDEX decisions_campaign ON decisions (campaign_id, contact_id);
CREATE INDEX decisions_attempt ON decisions (attempt_id);
CALL furrow_tenant_table('decisions');

RESET ROLE;
