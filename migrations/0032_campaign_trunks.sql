-- The trunks of a campaign that names several. One that names one has no row here.
SET ROLE furrow_owner;
CREATE TABLE campaign_trunks (
    tenant_id int NOT NULL REFERENCES tenants,
    campaign_id bigint NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    trunk_id bigint NOT NULL REFERENCES trunks,
    weight int NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
    priority int NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 100), -- lower goes first
    PRIMARY KEY (campaign_id, trunk_id)
);
CREATE INDEX campaign_trunks_trunk ON campaign_trunks (trunk_id);
CALL furrow_tenant_table('campaign_trunks');
RESET ROLE;
