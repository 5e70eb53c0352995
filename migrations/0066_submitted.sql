-- A command that was keyed in: a recording without audio, whose meaning is known at once. And which
-- call may be gone on with: its state at the wait where the line dropped, for an hour, once, for the
-- same number and the same revision of the flow.
SET ROLE furrow_owner;
ALTER TABLE recordings DROP CONSTRAINT recordings_source_check;
ALTER TABLE recordings ADD CONSTRAINT recordings_source_check
    CHECK (source IN ('ari', 'simulated', 'twilio', 'plivo', 'upload', 'keys'));
ALTER TABLE transcripts DROP CONSTRAINT transcripts_source_check;
ALTER TABLE transcripts ADD CONSTRAINT transcripts_source_check
    CHECK (source IN ('asr', 'person', 'keys'));

CREATE TABLE kept_calls (
    tenant_id int NOT NULL REFERENCES tenants,
    phone bigint NOT NULL,
    flow_revision_id bigint NOT NULL,
    call_id uuid NOT NULL, -- the one that dropped
    state bytea NOT NULL,  -- of the flow, as in ivr_sessions
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, phone, flow_revision_id)
);
CREATE INDEX kept_calls_at ON kept_calls (at);
CALL furrow_tenant_table('kept_calls');
RESET ROLE;
