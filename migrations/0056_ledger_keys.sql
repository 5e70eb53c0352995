-- What is looked up by name is compared by a column of its own: behind row security an index on
-- lower(name) is not used, since lower() might tell of other tenants' rows.
SET ROLE furrow_owner;
ALTER TABLE places ADD COLUMN name_key text GENERATED ALWAYS AS (lower(name)) STORED;
DROP INDEX places_name;
CREATE UNIQUE INDEX places_name ON places (tenant_id, kind, name_key);
ALTER TABLE containers ADD COLUMN label_key text GENERATED ALWAYS AS (lower(label)) STORED;
DROP INDEX containers_label;
CREATE UNIQUE INDEX containers_label ON containers (tenant_id, label_key);
CREATE INDEX commands_phone ON commands (tenant_id, phone, changed_at);
RESET ROLE;
