-- Policies by content, as packs are: one row instead of a copy in every decision.
SET ROLE furrow_owner;

CREATE TABLE policy_bodies (
    tenant_id int NOT NULL REFERENCES tenants,
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    body text NOT NULL,
    PRIMARY KEY (tenant_id, sha256)
);
CALL furrow_tenant_table('policy_bodies');
-- What is written stays as it is.
REVOKE UPDATE, DELETE ON policy_bodies FROM furrow_app;
RESET ROLE;
