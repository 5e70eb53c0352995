-- What the gate knows beside lists and history.
SET ROLE furrow_owner;

ALTER TABLE consents ADD COLUMN seller text NOT NULL DEFAULT '';
ALTER TABLE consents ADD COLUMN revoked_note text NOT NULL DEFAULT '';

-- line: 1 mobile, 2 fixed, 3 voip (compliance/check.h).
CREATE TABLE line_types (
    tenant_id int NOT NULL REFERENCES tenants,
    phone bigint NOT NULL,
    line smallint NOT NULL CHECK (line BETWEEN 1 AND 3),
    checked_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, phone)
);
CALL furrow_tenant_table('line_types');

-- answer: 1 no, 2 yes, 3 no data, of a reassigned-number database.
CREATE TABLE reassigned_numbers (
    tenant_id int NOT NULL REFERENCES tenants,
    phone bigint NOT NULL,
    answer smallint NOT NULL CHECK (answer BETWEEN 1 AND 3),
    checked_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, phone)
);
CALL furrow_tenant_table('reassigned_numbers');

-- Answers of services that are sent numbers.
CREATE TABLE washes (
    tenant_id int NOT NULL REFERENCES tenants,
    phone bigint NOT NULL,
    list text NOT NULL,
    hit boolean NOT NULL,
    checked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, phone, list)
);
CALL furrow_tenant_table('washes');

-- Where the person lives; confirmed: the person said so, and only these zones count.
CREATE TABLE number_places (
    tenant_id int NOT NULL REFERENCES tenants,
    phone bigint NOT NULL,
    region text NOT NULL DEFAULT '',
    zones text[] NOT NULL DEFAULT '{}',
    confirmed boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, phone)
);
CALL furrow_tenant_table('number_places');

CREATE TABLE registrations (
    tenant_id int NOT NULL REFERENCES tenants,
    region text NOT NULL,
    until timestamptz,
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, region)
);
CALL furrow_tenant_table('registrations');

CREATE TABLE emergency_blocks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    region text NOT NULL,
    from_at timestamptz NOT NULL,
    until_at timestamptz,
    note text NOT NULL DEFAULT ''
);
CALL furrow_tenant_table('emergency_blocks');

-- All calling of the tenant is switched off while stopped_at is set.
CREATE TABLE kill_switches (
    tenant_id int PRIMARY KEY REFERENCES tenants,
    stopped_at timestamptz,
    note text NOT NULL DEFAULT ''
);
CALL furrow_tenant_table('kill_switches');

-- Rule packs by content, so that old decisions can be run again with the packs of their day.
-- Packs are public and the same for all tenants.
CREATE TABLE pack_bodies (
    sha256 text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    name text NOT NULL,
    body text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT ON pack_bodies TO furrow_app;
RESET ROLE;
