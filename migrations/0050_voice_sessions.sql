-- Calls whose flow a provider asks for, request by request: what a step needs besides the flow's
-- state (ivr_sessions), and the last document, for a request that is no answer to the wait at hand.
SET ROLE furrow_owner;
CREATE TABLE voice_sessions (
    call_id uuid PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    account_id bigint NOT NULL REFERENCES provider_accounts,
    provider_call_id text NOT NULL, -- Twilio's CallSid, Plivo's CallUUID
    inbound boolean NOT NULL,
    flow_revision_id bigint NOT NULL,
    flow_sha256 text NOT NULL,
    phone bigint,            -- null: withheld
    dialled text NOT NULL,   -- the number called, as written
    language text NOT NULL,  -- remembered when the call began
    tz_min int NOT NULL,
    campaign_id bigint,
    callback_campaign_id bigint,
    contact jsonb NOT NULL,
    recording text NOT NULL DEFAULT '', -- name of the one that was begun last
    document text NOT NULL DEFAULT '',
    queued_at timestamptz,
    results jsonb NOT NULL DEFAULT '{}',
    begun_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    ended_at timestamptz,
    UNIQUE (account_id, provider_call_id)
);
CALL furrow_tenant_table('voice_sessions');

ALTER TABLE recordings DROP CONSTRAINT recordings_source_check;
ALTER TABLE recordings ADD CONSTRAINT recordings_source_check
    CHECK (source IN ('ari', 'simulated', 'twilio', 'plivo'));
RESET ROLE;
