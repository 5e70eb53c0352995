-- Small tables of a tenant that its flows look into and change: bookings, accounts, stock.
SET ROLE furrow_owner;
CREATE TABLE data_tables (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    name text NOT NULL,
    columns jsonb NOT NULL, -- [{"name", "type", "key"?}]
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, name)
);
CALL furrow_tenant_table('data_tables');

CREATE TABLE data_rows (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    table_id bigint NOT NULL REFERENCES data_tables ON DELETE CASCADE,
    key text,            -- the key column's value
    cells jsonb NOT NULL, -- {"column": value}; secrets as their hashes
    tries int NOT NULL DEFAULT 0, -- wrong guesses of its secret in a row
    tried_at timestamptz,
    UNIQUE (table_id, key)
);
CREATE INDEX data_rows_cells ON data_rows USING gin (cells jsonb_path_ops);
CALL furrow_tenant_table('data_rows');
RESET ROLE;
