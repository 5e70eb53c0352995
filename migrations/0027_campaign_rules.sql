-- What a campaign may spend, what it has spent, its rules while they change, and its lists.
SET ROLE furrow_owner;

-- The document's number: whoever keeps a parsed one asks whether it is still this.
ALTER TABLE campaigns ADD COLUMN revision int NOT NULL DEFAULT 1;
-- The documents before; what decided about a call can be read again.
CREATE TABLE campaign_revisions (
    tenant_id int NOT NULL REFERENCES tenants,
    campaign_id bigint NOT NULL REFERENCES campaigns,
    revision int NOT NULL,
    document_text text NOT NULL,
    changed_at timestamptz NOT NULL, -- when the next one took its place
    PRIMARY KEY (campaign_id, revision)
);
CALL furrow_tenant_table('campaign_revisions');

-- Of campaigns that have a budget: calls that are over. Open ones are set aside on top.
CREATE TABLE campaign_spend (
    tenant_id int NOT NULL REFERENCES tenants,
    campaign_id bigint PRIMARY KEY REFERENCES campaigns,
    calls bigint NOT NULL,
    seconds bigint NOT NULL, -- as billed
    micros bigint NOT NULL   -- of the budget's currency
);
CALL furrow_tenant_table('campaign_spend');

-- Of campaigns that call several lists: how far each is enrolled.
CREATE TABLE campaign_lists (
    tenant_id int NOT NULL REFERENCES tenants,
    campaign_id bigint NOT NULL REFERENCES campaigns,
    list_id bigint NOT NULL REFERENCES lists,
    place int NOT NULL, -- in the document, from 0
    last_contact_id bigint NOT NULL DEFAULT 0,
    enrolled bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (campaign_id, list_id)
);
CREATE INDEX campaign_lists_list ON campaign_lists (list_id);
CALL furrow_tenant_table('campaign_lists');
RESET ROLE;
