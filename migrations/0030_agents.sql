-- People who talk: agents, the calls that were placed for them, and how many of the answered
-- ones were abandoned.
SET ROLE furrow_owner;

-- States and what may be ordered in them: campaigns/mode.h. An order that comes while a call
-- is theirs stands in after_call until it is over.
CREATE TABLE agents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    name text NOT NULL,
    extension text NOT NULL, -- digits: where their phone rings
    queue text NOT NULL,
    wrap_up_s int NOT NULL DEFAULT 0 CHECK (wrap_up_s BETWEEN 0 AND 3600),
    state text NOT NULL DEFAULT 'logged_out' CHECK (state IN
        ('logged_out', 'ready', 'reserved', 'on_call', 'wrap_up', 'paused')),
    after_call text NOT NULL DEFAULT '' CHECK (after_call IN
        ('', 'ready', 'paused', 'logged_out')),
    call_id uuid,            -- attempt or inbound call that is theirs
    wrap_until timestamptz,
    note text NOT NULL DEFAULT '', -- why they were paused by itself
    since timestamptz NOT NULL, -- in this state
    created_at timestamptz NOT NULL,
    CHECK ((call_id IS NOT NULL) = (state IN ('reserved', 'on_call'))),
    UNIQUE (tenant_id, name),
    UNIQUE (tenant_id, extension)
);
CREATE UNIQUE INDEX agents_call ON agents (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX agents_queue ON agents (tenant_id, queue, since);
CALL furrow_tenant_table('agents');

-- Of a campaign with agents: when its first call was, from which its periods are counted.
-- Whoever claims for it holds this row.
CREATE TABLE agent_campaigns (
    campaign_id bigint PRIMARY KEY REFERENCES campaigns,
    tenant_id int NOT NULL REFERENCES tenants,
    anchored_at timestamptz NOT NULL
);
CALL furrow_tenant_table('agent_campaigns');

-- One row an attempt of such a campaign. agent_id null: no agent is reserved for it. result:
-- '' in flight; connected; late, connected after the law's two seconds; abandoned; unanswered;
-- withdrawn. late and abandoned count as abandoned.
CREATE TABLE agent_calls (
    attempt_id uuid PRIMARY KEY,
    tenant_id int NOT NULL,
    campaign_id bigint NOT NULL,
    agent_id bigint,
    kept boolean NOT NULL DEFAULT false, -- its agent is not given to another call
    reserved_at timestamptz NOT NULL,
    answered_at timestamptz,
    connected_at timestamptz,
    over_at timestamptz,
    result text NOT NULL DEFAULT '' CHECK (result IN
        ('', 'connected', 'late', 'abandoned', 'unanswered', 'withdrawn'))
);
CREATE INDEX agent_calls_flight ON agent_calls (campaign_id) WHERE result = '';
CREATE INDEX agent_calls_latest ON agent_calls (campaign_id, attempt_id);
CALL furrow_tenant_table('agent_calls');

-- Calls answered by a person and counted, by period: mode_period_of().
CREATE TABLE abandon_periods (
    tenant_id int NOT NULL REFERENCES tenants,
    campaign_id bigint NOT NULL REFERENCES campaigns,
    anchor text NOT NULL CHECK (anchor IN ('campaign30d', 'calendar_day', 'calendar_month')),
    period bigint NOT NULL,
    answered bigint NOT NULL DEFAULT 0,
    abandoned bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (campaign_id, anchor, period),
    CHECK (abandoned BETWEEN 0 AND answered)
);
CALL furrow_tenant_table('abandon_periods');
REVOKE DELETE ON abandon_periods FROM furrow_app;

RESET ROLE;
