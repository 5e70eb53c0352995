-- People and numbers, and what may not be called.
SET ROLE furrow_owner;

CREATE TABLE lists (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, name)
);
CALL furrow_tenant_table('lists');

-- A set of zones a number may lie in, with its region; what the hopper opens
-- and closes as one. Ids are an installation's own and stay when the shipped
-- table changes: zones are kept by name.
CREATE TABLE zone_groups (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    region text NOT NULL,
    zones text[] NOT NULL, -- sorted; empty when unknown
    UNIQUE (tenant_id, region, zones)
);
CALL furrow_tenant_table('zone_groups');

CREATE TABLE imports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    list_id bigint NOT NULL REFERENCES lists,
    file_name text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    mapping jsonb NOT NULL DEFAULT '{}',
    rows_read bigint NOT NULL DEFAULT 0,
    imported bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    error text,
    started_at timestamptz NOT NULL,
    finished_at timestamptz
);
CALL furrow_tenant_table('imports');

CREATE TABLE import_rejects (
    tenant_id int NOT NULL,
    import_id bigint NOT NULL,
    line bigint NOT NULL,
    column_name text NOT NULL,
    value text NOT NULL,
    reason text NOT NULL,
    CHECK (tenant_id = furrow_tenant() OR current_user <> 'furrow_import')
);
CREATE INDEX import_rejects_import ON import_rejects (import_id, line);
CALL furrow_tenant_table('import_rejects');

-- phone is E.164 as a number. number_type as contacts/phone.h counts them.
CREATE TABLE contacts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL,
    list_id bigint NOT NULL,
    phone bigint NOT NULL,
    number_type smallint NOT NULL,
    zone_group int NOT NULL,
    import_id bigint,
    region text NOT NULL,
    attrs jsonb NOT NULL DEFAULT '{}', -- {{contact.*}} in flows
    CHECK (tenant_id = furrow_tenant() OR current_user <> 'furrow_import')
);
CREATE UNIQUE INDEX contacts_list_phone ON contacts (list_id, phone);
CREATE INDEX contacts_phone ON contacts (tenant_id, phone);
CALL furrow_tenant_table('contacts');

GRANT SELECT, INSERT ON contacts, import_rejects, zone_groups TO furrow_import;
GRANT SELECT, INSERT, UPDATE ON imports, lists TO furrow_import;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO furrow_import;

-- campaign_id 0: every campaign of the tenant. A removed entry stays as history.
CREATE TABLE dnc_entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    phone bigint NOT NULL,
    campaign_id bigint NOT NULL DEFAULT 0,
    source text NOT NULL, -- cli, import, keypress, speech, sms, api
    note text NOT NULL DEFAULT '',
    call_id uuid,
    added_at timestamptz NOT NULL,
    removed_at timestamptz,
    removed_note text
);
CREATE UNIQUE INDEX dnc_entries_active ON dnc_entries (tenant_id, phone, campaign_id)
    WHERE removed_at IS NULL;
CALL furrow_tenant_table('dnc_entries');

CREATE TABLE consents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    phone bigint NOT NULL,
    level text NOT NULL CHECK (level IN ('express', 'express_written')),
    evidence text NOT NULL,
    given_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX consents_phone ON consents (tenant_id, phone, given_at);
CALL furrow_tenant_table('consents');

CREATE TABLE holidays (
    tenant_id int NOT NULL REFERENCES tenants,
    region text NOT NULL, -- two letters, or '*' for every region
    day date NOT NULL,    -- the called party's local date
    name text NOT NULL,
    PRIMARY KEY (tenant_id, region, day)
);
CALL furrow_tenant_table('holidays');

RESET ROLE;
