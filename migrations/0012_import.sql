-- Imports that go on after a crash, can be undone, and know which numbers are one
-- person's. Two indexes instead of three: a number's lists lie side by side.
SET ROLE furrow_owner;

-- person: what the import's person column says, or the row of a file with several
-- numbers; equal within the tenant means one person. person_rank 0 is the preferred
-- number.
ALTER TABLE contacts ADD COLUMN person text, ADD COLUMN person_rank smallint NOT NULL DEFAULT 0;

CREATE UNIQUE INDEX contacts_phone_list ON contacts (phone, list_id);
DROP INDEX contacts_list_phone;
DROP INDEX contacts_phone;
CREATE INDEX contacts_person ON contacts (tenant_id, person) WHERE person IS NOT NULL;
-- Contacts of one import lie together: which pages are a list's costs next to nothing.
CREATE INDEX contacts_list ON contacts USING brin (list_id, import_id)
    WITH (pages_per_range = 32, autosummarize = on);

-- What was read so far, to go on from there; see contacts/csv_reader.h.
ALTER TABLE imports
    ADD COLUMN updated bigint NOT NULL DEFAULT 0,
    ADD COLUMN options jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN read_bytes bigint NOT NULL DEFAULT 0,
    ADD COLUMN read_line bigint NOT NULL DEFAULT 1,
    ADD COLUMN read_hash bigint NOT NULL DEFAULT 0,
    ADD COLUMN first_contact_id bigint, -- its contacts lie between these
    ADD COLUMN last_contact_id bigint,
    DROP CONSTRAINT imports_state_check,
    ADD CONSTRAINT imports_state_check
        CHECK (state IN ('running', 'done', 'failed', 'undone'));
CREATE INDEX imports_list ON imports (list_id, id);

-- What contacts were before an import changed them.
CREATE TABLE import_updates (
    tenant_id int NOT NULL,
    import_id bigint NOT NULL,
    contact_id bigint NOT NULL,
    attrs jsonb NOT NULL,
    person text,
    person_rank smallint NOT NULL,
    CHECK (tenant_id = furrow_tenant() OR current_user <> 'furrow_import')
);
CREATE INDEX import_updates_import ON import_updates (import_id, contact_id);
CALL furrow_tenant_table('import_updates');

GRANT UPDATE ON contacts TO furrow_import;
GRANT SELECT, INSERT ON import_updates TO furrow_import;
RESET ROLE;
