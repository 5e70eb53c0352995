-- What is done to batches: who may do it, commands, batches with their identifiers, events, what
-- is packed in what. A command is done once, whole or not at all.
SET ROLE furrow_owner;

-- One row a tenant; every command locks it, so that commands of a tenant come one by one.
CREATE TABLE ledger_settings (
    tenant_id int PRIMARY KEY REFERENCES tenants,
    gs1_prefix text NOT NULL DEFAULT '0614141' CHECK (gs1_prefix ~ '^[0-9]{6,12}$'),
    registered_only boolean NOT NULL DEFAULT false, -- speech too, not only what is typed
    location_needed boolean NOT NULL DEFAULT false, -- no batch without coordinates of its farm
    next_batch bigint NOT NULL DEFAULT 1,
    next_item bigint NOT NULL DEFAULT 1,
    next_place bigint NOT NULL DEFAULT 1,
    next_container bigint NOT NULL DEFAULT 1
);
CALL furrow_tenant_table('ledger_settings');

CREATE TABLE callers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    phone bigint NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    role text NOT NULL CHECK (role IN
        ('FARMER', 'COOPERATIVE_MANAGER', 'EXPORTER', 'BUYER', 'ADMIN')),
    organization text NOT NULL DEFAULT '',
    location text NOT NULL DEFAULT '',
    language text NOT NULL DEFAULT '' CHECK (language IN ('', 'en', 'am', 'om')),
    telegram_user_id text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'rejected')),
    reason text NOT NULL DEFAULT '', -- why they want it
    reviewed_by text NOT NULL DEFAULT '',
    reviewed_at timestamptz,
    review_note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, phone)
);
CREATE UNIQUE INDEX callers_telegram ON callers (tenant_id, telegram_user_id)
    WHERE telegram_user_id <> '';
CREATE INDEX callers_state ON callers (tenant_id, state, id);
CALL furrow_tenant_table('callers');

CREATE TABLE places (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    kind text NOT NULL CHECK (kind IN ('farm', 'place')),
    name text NOT NULL,
    gln text NOT NULL,
    urn text NOT NULL, -- sgln
    latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    created_at timestamptz NOT NULL,
    CHECK ((latitude IS NULL) = (longitude IS NULL)),
    UNIQUE (tenant_id, gln)
);
CREATE UNIQUE INDEX places_name ON places (tenant_id, kind, lower(name));
CALL furrow_tenant_table('places');

CREATE TABLE commands (
    id uuid PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    source text NOT NULL CHECK (source IN ('voice', 'sms', 'cli', 'api')),
    source_key text NOT NULL, -- the recording's id, the provider's id of a message
    recording_id uuid UNIQUE,
    call_id uuid,
    phone bigint,
    language text NOT NULL DEFAULT '',
    text text NOT NULL DEFAULT '',
    event text NOT NULL DEFAULT '',
    entities jsonb NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'asking', 'answered', 'done', 'refused')),
    asked text NOT NULL DEFAULT '', -- what is missing
    answer_until timestamptz,
    why text NOT NULL DEFAULT '',
    batch uuid REFERENCES batches,
    quantity_kg numeric,
    said_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    UNIQUE (tenant_id, source, source_key)
);
CREATE INDEX commands_asking ON commands (tenant_id, phone) WHERE state = 'asking';
CREATE INDEX commands_call ON commands (call_id) WHERE call_id IS NOT NULL;
CALL furrow_tenant_table('commands');

ALTER TABLE batches ALTER COLUMN recording_id DROP NOT NULL;
ALTER TABLE batches ALTER COLUMN call_id DROP NOT NULL;
ALTER TABLE batches DROP CONSTRAINT batches_event_check;
ALTER TABLE batches ADD CONSTRAINT batches_event_check CHECK (event IN
    ('commission', 'receipt', 'shipment', 'transformation', 'split'));
ALTER TABLE batches
    ADD COLUMN number bigint, -- of the tenant, small enough to be said
    ADD COLUMN batch_number text,
    ADD COLUMN gtin text,
    ADD COLUMN epc text,       -- sgtin
    ADD COLUMN epc_class text, -- lgtin
    ADD COLUMN processing_method text,
    ADD COLUMN farm bigint REFERENCES places,
    ADD COLUMN created_by bigint REFERENCES callers,
    ADD COLUMN status text NOT NULL DEFAULT 'PENDING_VERIFICATION'
        CHECK (status IN ('PENDING_VERIFICATION', 'VERIFIED')),
    ADD COLUMN spent_at timestamptz, -- split or transformed: it is there no more
    ADD COLUMN verification_token text UNIQUE,
    ADD COLUMN verification_expires_at timestamptz,
    ADD COLUMN verified_quantity numeric,
    ADD COLUMN verified_by bigint REFERENCES callers,
    ADD COLUMN verified_at timestamptz,
    ADD COLUMN verification_notes text,
    ADD COLUMN verifying_organization text;
CREATE UNIQUE INDEX batches_number ON batches (tenant_id, number);
CREATE UNIQUE INDEX batches_gtin ON batches (tenant_id, gtin);
CREATE UNIQUE INDEX batches_batch_number ON batches (tenant_id, batch_number);
CREATE INDEX batches_phone ON batches (tenant_id, phone, created_at);

CREATE TABLE batch_parents (
    tenant_id int NOT NULL REFERENCES tenants,
    child uuid NOT NULL REFERENCES batches,
    parent uuid NOT NULL REFERENCES batches,
    PRIMARY KEY (child, parent)
);
CREATE INDEX batch_parents_parent ON batch_parents (parent);
CALL furrow_tenant_table('batch_parents');

CREATE TABLE epcis_events (
    id uuid PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    command_id uuid REFERENCES commands, -- null: of a verification
    event_hash text NOT NULL,            -- SHA-256 of canonical
    event_type text NOT NULL,
    action text,
    biz_step text NOT NULL,
    biz_location text,
    event_time timestamptz NOT NULL,
    event jsonb NOT NULL,
    canonical text NOT NULL,
    submitter bigint REFERENCES callers,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, event_hash)
);
CREATE INDEX epcis_events_command ON epcis_events (command_id);
CALL furrow_tenant_table('epcis_events');
REVOKE UPDATE, DELETE ON epcis_events FROM furrow_app; -- what happened, happened

CREATE TABLE epcis_event_batches (
    tenant_id int NOT NULL REFERENCES tenants,
    event_id uuid NOT NULL REFERENCES epcis_events,
    batch uuid NOT NULL REFERENCES batches,
    made boolean NOT NULL, -- it came of the event
    PRIMARY KEY (event_id, batch)
);
CREATE INDEX epcis_event_batches_batch ON epcis_event_batches (batch);
CALL furrow_tenant_table('epcis_event_batches');
REVOKE UPDATE, DELETE ON epcis_event_batches FROM furrow_app;

CREATE TABLE containers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    label text NOT NULL, -- what people call it; its SSCC when they did not
    sscc text NOT NULL,
    urn text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, sscc)
);
CREATE UNIQUE INDEX containers_label ON containers (tenant_id, lower(label));
CALL furrow_tenant_table('containers');

CREATE TABLE aggregations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    container bigint NOT NULL REFERENCES containers,
    parent_sscc text NOT NULL,
    child uuid NOT NULL REFERENCES batches,
    child_identifier text NOT NULL, -- sgtin
    child_type text NOT NULL DEFAULT 'batch',
    contribution_kg numeric,
    packed_event uuid NOT NULL REFERENCES epcis_events,
    unpacked_event uuid REFERENCES epcis_events,
    is_active boolean NOT NULL DEFAULT true
);
-- A batch is in one container.
CREATE UNIQUE INDEX aggregations_active ON aggregations (tenant_id, child) WHERE is_active;
CREATE INDEX aggregations_container ON aggregations (container) WHERE is_active;
CALL furrow_tenant_table('aggregations');

-- What was recorded before there were commands.
DO $$
DECLARE
    t int;
BEGIN
    FOR t IN SELECT id FROM tenants LOOP
        PERFORM set_config('furrow.tenant', t::text, true);
        INSERT INTO commands (id, tenant_id, source, source_key, recording_id, call_id, phone, event,
                              state, batch, quantity_kg, said_at, changed_at)
        SELECT id, tenant_id, 'voice', recording_id::text, recording_id, call_id, phone, event, 'done',
               id, quantity_kg, created_at, created_at FROM batches;
    END LOOP;
    PERFORM set_config('furrow.tenant', '', true);
END $$;
RESET ROLE;
