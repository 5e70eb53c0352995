-- Trunks over accounts at providers, and what a provider has said of each call. furrow-server
-- writes what webhooks tell, the dialer what the provider's REST API answers; the dialer reads
-- it and moves the ledger (campaigns/provider_call.h).
SET ROLE furrow_owner;
ALTER TABLE trunks DROP CONSTRAINT trunks_kind_check;
ALTER TABLE trunks
    ADD COLUMN account_id bigint REFERENCES provider_accounts,
    ADD CONSTRAINT trunks_kind_check CHECK (kind IN ('ari', 'simulated', 'twilio', 'plivo')),
    ADD CONSTRAINT trunks_account_check
        CHECK ((account_id IS NOT NULL) = (kind IN ('twilio', 'plivo')));

CREATE TABLE provider_calls (
    attempt_id uuid PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    account_id bigint REFERENCES provider_accounts ON DELETE SET NULL,
    version bigint NOT NULL DEFAULT 0, -- one more with every change
    call_id text NOT NULL DEFAULT '',    -- Twilio's CallSid, Plivo's CallUUID
    request_id text NOT NULL DEFAULT '', -- Plivo's request_uuid
    status text NOT NULL DEFAULT '',
    sequence int NOT NULL DEFAULT -1, -- the greatest SequenceNumber; -1: none
    answered_by text NOT NULL DEFAULT '' CHECK (answered_by IN ('', 'human', 'machine', 'unsure')),
    cause int NOT NULL DEFAULT 0,      -- Q.850, by the provider's code
    tech_cause int NOT NULL DEFAULT 0, -- SIP status
    code text NOT NULL DEFAULT '',     -- the provider's own
    says text NOT NULL DEFAULT '',     -- its name or message
    duration_s int NOT NULL DEFAULT -1,
    price_micros bigint NOT NULL DEFAULT -1,
    currency text NOT NULL DEFAULT '',
    opted_out boolean NOT NULL DEFAULT false, -- the flow's results, by furrow-server
    callback_at timestamptz,
    changed_at timestamptz NOT NULL
);
CREATE INDEX provider_calls_call ON provider_calls (call_id) WHERE call_id <> '';
CALL furrow_tenant_table('provider_calls');
RESET ROLE;
