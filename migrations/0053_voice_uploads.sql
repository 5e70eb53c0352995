-- Audio that programs send by the voice API. It is a recording like a phone's, by the same jobs; what
-- only an upload has stands here.
SET ROLE furrow_owner;
ALTER TABLE recordings DROP CONSTRAINT recordings_source_check;
ALTER TABLE recordings ADD CONSTRAINT recordings_source_check
    CHECK (source IN ('ari', 'simulated', 'twilio', 'plivo', 'upload'));
ALTER TABLE recordings DROP CONSTRAINT recordings_pipeline_check;
ALTER TABLE recordings ADD CONSTRAINT recordings_pipeline_check -- understand: told, not done
    CHECK (pipeline IN ('none', 'transcribe', 'command', 'callback', 'understand'));

CREATE TABLE voice_uploads (
    recording_id uuid PRIMARY KEY REFERENCES recordings,
    tenant_id int NOT NULL REFERENCES tenants,
    endpoint text NOT NULL
        CHECK (endpoint IN ('transcribe', 'process-command', 'asr-nlu', 'upload-async')),
    key_name text NOT NULL,       -- of the API key
    idempotency_key text,         -- null: none was sent
    file_sha256 text NOT NULL,    -- of what was sent; the recording's is that of what it became
    file_name text NOT NULL,      -- what the client calls it: a label
    bytes bigint NOT NULL,
    format text NOT NULL,         -- by its content: wav, m4a and so on
    sample_rate int,              -- these two of what was sent, once it was read
    channels int,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, key_name, idempotency_key)
);
CALL furrow_tenant_table('voice_uploads');

-- A key may ask so often a minute: a bucket of that many tokens, which fills at that pace.
ALTER TABLE api_keys
    ADD COLUMN per_minute int CHECK (per_minute > 0), -- null: as often as it likes
    ADD COLUMN tokens double precision NOT NULL DEFAULT 0,
    ADD COLUMN tokens_at timestamptz; -- real time of Postgres; null: the bucket is full

-- Whether anybody was ever given a key: before that no request can be answered.
CREATE FUNCTION furrow_api_key_exists() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT EXISTS (SELECT FROM api_key_tenants)';
RESET ROLE;
