-- The decision log written faster.
SET ROLE furrow_owner;

-- Policies by content, as packs are: one row instead of a copy in every decision.
CREATE TABLE policy_bodies (
    tenant_id int NOT NULL REFERENCES tenants,
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    body text NOT NULL,
    PRIMARY KEY (tenant_id, sha256)
);
CALL furrow_tenant_table('policy_bodies');
-- What is written stays as it is.
REVOKE UPDATE, DELETE ON policy_bodies FROM furrow_app;

-- A claim appends to every index: none that is not read, and no entries without an attempt.
DROP INDEX decisions_campaign;
DROP INDEX decisions_attempt;
CREATE INDEX decisions_attempt ON decisions (attempt_id) WHERE attempt_id IS NOT NULL;
RESET ROLE;
