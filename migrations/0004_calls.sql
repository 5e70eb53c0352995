-- Live and past calls, what was said, and what came of it.
SET ROLE furrow_owner;

-- Numbers that may be called in. missed_call: hang up unanswered and call back.
CREATE TABLE extensions (
    tenant_id int NOT NULL REFERENCES tenants,
    number text NOT NULL, -- as dialled in, digits
    flow_id bigint NOT NULL REFERENCES flows,
    missed_call boolean NOT NULL DEFAULT false,
    callback_campaign_id bigint REFERENCES campaigns, -- whose rules a callback obeys
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, number)
);
CALL furrow_tenant_table('extensions');

-- Which tenant a dialled-in number belongs to: an inbound call comes before any
-- tenant is known. Written by a trigger, read through the function only.
CREATE TABLE extension_tenants (
    tenant_id int NOT NULL REFERENCES tenants,
    number text PRIMARY KEY
);
CREATE FUNCTION furrow_extension_claim() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF tg_op = 'DELETE' THEN
        DELETE FROM extension_tenants WHERE number = old.number AND tenant_id = old.tenant_id;
    ELSE
        INSERT INTO extension_tenants (tenant_id, number) VALUES (new.tenant_id, new.number);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER extension_claim AFTER INSERT OR DELETE ON extensions
    FOR EACH ROW EXECUTE FUNCTION furrow_extension_claim();
CREATE FUNCTION furrow_extension_tenant(dialled text) RETURNS int
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT tenant_id FROM extension_tenants WHERE number = dialled';

-- An outbound call has the id of its attempt.
CREATE TABLE calls (
    id uuid PRIMARY KEY,
    tenant_id int NOT NULL,
    direction text NOT NULL CHECK (direction IN ('in', 'out')),
    campaign_id bigint,
    contact_id bigint,
    phone bigint,   -- the other party; null when withheld
    extension text, -- dialled in
    flow_revision_id bigint NOT NULL,
    slot int NOT NULL,
    language text NOT NULL DEFAULT '',
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text NOT NULL DEFAULT '', -- of the flow: completed, hung_up, failed, opted_out, interrupted
    results jsonb NOT NULL DEFAULT '{}'
) PARTITION BY RANGE (id);
CREATE TABLE calls_default PARTITION OF calls DEFAULT;
CREATE INDEX calls_phone ON calls (tenant_id, phone, started_at);
CREATE INDEX calls_open ON calls (tenant_id, slot) WHERE ended_at IS NULL;
CREATE INDEX calls_campaign ON calls (campaign_id);
CALL furrow_tenant_table('calls');

CREATE TABLE call_events (
    id uuid PRIMARY KEY,
    tenant_id int NOT NULL,
    call_id uuid NOT NULL,
    seq int NOT NULL, -- the engine's sprint number
    kind text NOT NULL,
    node text NOT NULL DEFAULT '',
    data jsonb NOT NULL DEFAULT '{}',
    at timestamptz NOT NULL
) PARTITION BY RANGE (id);
CREATE TABLE call_events_default PARTITION OF call_events DEFAULT;
CREATE INDEX call_events_call ON call_events (call_id);
CALL furrow_tenant_table('call_events');

-- Durable copy of a flow's state between two steps.
CREATE TABLE ivr_sessions (
    call_id uuid PRIMARY KEY,
    tenant_id int NOT NULL,
    seq int NOT NULL,
    status text NOT NULL,
    state bytea NOT NULL,
    updated_at timestamptz NOT NULL
);
CALL furrow_tenant_table('ivr_sessions');

-- Remembered language and the like, per number.
CREATE TABLE caller_history (
    tenant_id int NOT NULL REFERENCES tenants,
    phone bigint NOT NULL,
    language text NOT NULL DEFAULT '',
    last_call_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, phone)
);
CALL furrow_tenant_table('caller_history');

-- state: live (being recorded), finished (at the switch), stored (fetched),
-- transcribed, done (its result exists), empty, needs_person, failed, lost_media.
CREATE TABLE recordings (
    id uuid PRIMARY KEY,
    tenant_id int NOT NULL,
    call_id uuid NOT NULL,
    name text NOT NULL UNIQUE, -- <channel id>-<step>, as the switch knows it
    source text NOT NULL CHECK (source IN ('ari', 'simulated')),
    location text NOT NULL, -- ARI base URL, or the simulated farmer's file
    node text NOT NULL,
    phone bigint,
    language text NOT NULL DEFAULT '',
    pipeline text NOT NULL CHECK (pipeline IN ('none', 'transcribe', 'command')),
    on_done_sms text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'finished', 'stored',
        'transcribed', 'done', 'empty', 'needs_person', 'failed', 'lost_media')),
    sha256 text,
    bytes bigint,
    sample_rate int,
    duration_ms int, -- measured
    error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    updated_at timestamptz NOT NULL
);
CREATE INDEX recordings_call ON recordings (call_id);
CREATE INDEX recordings_state ON recordings (tenant_id, state);
CALL furrow_tenant_table('recordings');

CREATE TABLE content (
    tenant_id int NOT NULL REFERENCES tenants,
    sha256 text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, sha256)
);
CALL furrow_tenant_table('content');

CREATE TABLE transcripts (
    id uuid PRIMARY KEY,
    tenant_id int NOT NULL,
    recording_id uuid NOT NULL UNIQUE REFERENCES recordings,
    text text NOT NULL,
    language text NOT NULL DEFAULT '',
    source text NOT NULL CHECK (source IN ('asr', 'person')),
    intent text,      -- null until understood
    confidence real,
    entities jsonb,
    understood_by text, -- grammar, or the model's name
    understood_at timestamptz,
    created_at timestamptz NOT NULL
);
CALL furrow_tenant_table('transcripts');

CREATE SEQUENCE batch_numbers;

CREATE TABLE batches (
    id uuid PRIMARY KEY,
    tenant_id int NOT NULL,
    recording_id uuid NOT NULL UNIQUE REFERENCES recordings,
    call_id uuid NOT NULL,
    batch_id text NOT NULL, -- what people say and read
    event text NOT NULL CHECK (event IN ('commission', 'receipt', 'shipment', 'transformation')),
    quantity numeric,
    unit text,
    quantity_kg numeric,
    variety text,
    grade text,
    origin text,
    farmer text,
    phone bigint,
    details jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, batch_id)
);
CALL furrow_tenant_table('batches');

-- state: queued, sent, failed, refused (opted out or no number).
CREATE TABLE messages (
    id uuid PRIMARY KEY,
    tenant_id int NOT NULL,
    dedupe_key text NOT NULL,
    phone bigint NOT NULL,
    language text NOT NULL DEFAULT '',
    kind text NOT NULL, -- receipt, error, flow
    body text NOT NULL,
    encoding text NOT NULL DEFAULT '',
    segments int NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'failed', 'refused')),
    provider text NOT NULL DEFAULT '',
    provider_id text NOT NULL DEFAULT '',
    error text NOT NULL DEFAULT '',
    call_id uuid,
    recording_id uuid,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    UNIQUE (tenant_id, dedupe_key)
);
CALL furrow_tenant_table('messages');

RESET ROLE;
