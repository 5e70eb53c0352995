-- The decision log, sealed: each segment holds the ids and hashes of the rows that were committed
-- since the one before, and the hash of all of it with the one before.
SET ROLE furrow_owner;

-- Rows of a transaction that is over everywhere are those below the oldest running one: sealed by
-- that line, none is left out and none comes twice.
ALTER TABLE decisions ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX decisions_xid ON decisions (tenant_id, xid);

-- A row as one text; what is hashed, and what a bundle carries. inputs is last: it may hold '|'.
CREATE FUNCTION furrow_decision_text(d decisions) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN concat_ws('|', d.id, d.tenant_id, d.stage, d.campaign_id, d.contact_id,
        coalesce(d.attempt_id::text, ''), d.phone, furrow_ms(d.decided_at), d.reason,
        d.reasons::text, coalesce(furrow_ms(d.next_allowed_at)::text, ''), d.inputs::text);

CREATE TABLE audit_segments (
    tenant_id int NOT NULL REFERENCES tenants,
    segment int NOT NULL CHECK (segment > 0),
    below xid8 NOT NULL,       -- every row of an older transaction is in this or an earlier one
    row_ids uuid[] NOT NULL,
    row_hashes bytea NOT NULL, -- 32 bytes each, in the order of row_ids
    previous bytea NOT NULL,   -- hash of the segment before; 32 zero bytes for the first
    hash bytea NOT NULL,       -- compliance/audit.h
    sealed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, segment)
);
CALL furrow_tenant_table('audit_segments');
-- What is written stays as it is.
REVOKE UPDATE, DELETE ON audit_segments FROM furrow_app;
REVOKE UPDATE, DELETE ON decisions FROM furrow_app;
RESET ROLE;
