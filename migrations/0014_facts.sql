-- Which numbers are one person's, asked for every number that is called; and who brought which
-- compliance facts in.
SET ROLE furrow_owner;

-- Empty where no import named persons: the question then costs next to nothing.
CREATE INDEX contacts_phone_person ON contacts (phone) INCLUDE (tenant_id, person)
    WHERE person IS NOT NULL;

-- What was brought in or changed: an import's file, a registration, an emergency order. Only its
-- end is written later.
CREATE TABLE fact_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    kind text NOT NULL,    -- wash, line-type, reassigned, place, consent, registration, emergency
    what text NOT NULL,    -- imported, added, removed, ended
    subject text NOT NULL, -- the list, the region, the file
    source text NOT NULL,  -- where it came from: a file's name, cli
    by_user text NOT NULL, -- of the machine it was done on
    note text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,
    row_count bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    finished_at timestamptz
);
CALL furrow_tenant_table('fact_changes');
REVOKE UPDATE, DELETE ON fact_changes FROM furrow_app;
GRANT UPDATE (row_count, rejected, finished_at) ON fact_changes TO furrow_app;

-- change_id: which of them it came with; null before there were any.
ALTER TABLE washes ADD COLUMN change_id bigint;
ALTER TABLE line_types ADD COLUMN change_id bigint;
ALTER TABLE reassigned_numbers ADD COLUMN change_id bigint;
ALTER TABLE number_places ADD COLUMN change_id bigint, ADD COLUMN said_at timestamptz;
-- purpose: what it was given for; '' any. A consent for something else does not count.
ALTER TABLE consents ADD COLUMN change_id bigint, ADD COLUMN purpose text NOT NULL DEFAULT '';
RESET ROLE;
