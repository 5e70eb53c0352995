-- Menus of one digit as rows, from which a flow is compiled; the log of calls that they answered, or
-- that was written by hand; sessions of callers. What a call needs from one request to the next stands
-- in its log (the flow's state in ivr_sessions); Redis has a copy of it while the call lives.
SET ROLE furrow_owner;
CREATE TABLE menu_configurations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    menu_id text NOT NULL CHECK (menu_id ~ '^[A-Za-z0-9_-]{1,30}$'),
    parent_menu_id text,
    menu_type text NOT NULL DEFAULT 'menu',
    title text NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '',
    audio_url text,
    language text NOT NULL DEFAULT 'en-US',
    voice text NOT NULL DEFAULT 'WOMAN',
    max_digits int NOT NULL DEFAULT 1 CHECK (max_digits BETWEEN 1 AND 32),
    timeout int NOT NULL DEFAULT 5 CHECK (timeout BETWEEN 1 AND 60), -- seconds
    digit_actions jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(digit_actions) = 'object'), -- {digits: menu_id}
    invalid_input_menu_id text,
    timeout_menu_id text,
    action_type text NOT NULL DEFAULT 'menu'
        CHECK (action_type IN ('menu', 'transfer', 'hangup', 'phone_readback')),
    action_config jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(action_config) = 'object'),
    is_active boolean NOT NULL DEFAULT true,
    priority int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, menu_id)
);
CALL furrow_tenant_table('menu_configurations');

CREATE TABLE call_logs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    call_uuid text NOT NULL, -- the provider's; "manual-N" of one written by hand
    from_number text NOT NULL,
    to_number text NOT NULL,
    from_digits text NOT NULL GENERATED ALWAYS AS (regexp_replace(from_number, '[^0-9]', '', 'g')) STORED,
    start_time timestamptz NOT NULL,
    answer_time timestamptz,
    end_time timestamptz,
    duration int NOT NULL DEFAULT 0, -- seconds, as the carrier counts them
    call_status text NOT NULL,       -- 'active' while it lasts
    hangup_cause text,
    menu_path jsonb NOT NULL DEFAULT '[]',   -- menu ids in the order they were entered
    user_inputs jsonb NOT NULL DEFAULT '[]', -- [{menu_id, digit, timestamp}]
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- Of calls that are answered here, between two requests:
    call_id uuid,                        -- of calls and ivr_sessions
    flow_revision_id bigint,
    flow_sha256 text NOT NULL DEFAULT '',
    current_menu_id text NOT NULL DEFAULT '',
    document text NOT NULL DEFAULT '',   -- the last answer
    seen jsonb NOT NULL DEFAULT '[]',    -- [[nonce, sha256 of the request]] of signed requests
    UNIQUE (tenant_id, call_uuid)
);
CALL furrow_tenant_table('call_logs');
CREATE INDEX call_logs_newest ON call_logs (tenant_id, start_time DESC, id DESC);
CREATE INDEX call_logs_from ON call_logs (tenant_id, from_digits, start_time DESC);

-- Sessions that are kept for a caller without a call.
CREATE TABLE caller_sessions (
    tenant_id int NOT NULL REFERENCES tenants,
    caller_id text NOT NULL,
    session jsonb NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, caller_id)
);
CALL furrow_tenant_table('caller_sessions');
CREATE INDEX caller_sessions_expires ON caller_sessions (expires_at);

-- What is known of a number besides its language.
ALTER TABLE caller_history
    ADD COLUMN first_call_at timestamptz,
    ADD COLUMN total_calls int NOT NULL DEFAULT 0,
    ADD COLUMN total_duration bigint NOT NULL DEFAULT 0, -- seconds
    ADD COLUMN last_menu_completed text NOT NULL DEFAULT '',
    ADD COLUMN extra_data jsonb NOT NULL DEFAULT '{}';
RESET ROLE;
