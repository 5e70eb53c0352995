-- Calls of phones that are programs (a page, a chat): what they show beside the flow's state
-- (ivr_sessions), so that any server may serve any of their requests.
SET ROLE furrow_owner;
CREATE TABLE text_calls (
    call_id uuid PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    public_id text NOT NULL, -- by which the program calls it
    caller_number text NOT NULL,
    flow_revision_id bigint NOT NULL,
    flow_sha256 text NOT NULL,
    language text NOT NULL DEFAULT '',
    current_menu text NOT NULL DEFAULT '', -- the node that waits
    input_buffer text NOT NULL DEFAULT '', -- keys of an entry that is not complete
    menu_path jsonb NOT NULL DEFAULT '[]',
    inputs jsonb NOT NULL DEFAULT '[]',    -- keys and words; those of sensitive entries as *
    variables jsonb NOT NULL DEFAULT '{}', -- the flow's
    unheard jsonb,                         -- said while nobody asked
    begun_at timestamptz NOT NULL,
    due_at timestamptz,                    -- until then silence is no answer
    ended_at timestamptz,
    UNIQUE (tenant_id, public_id)
);
CREATE INDEX text_calls_caller ON text_calls (tenant_id, caller_number, begun_at);
CREATE INDEX text_calls_due ON text_calls (tenant_id, due_at) WHERE ended_at IS NULL;
CALL furrow_tenant_table('text_calls');
RESET ROLE;
