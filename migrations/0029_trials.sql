-- Variants of a campaign, topics of campaigns, who answered, and what is held back.
SET ROLE furrow_owner;

-- Pinned when the campaign is created, in the order of its document.
CREATE TABLE campaign_variants (
    tenant_id int NOT NULL REFERENCES tenants,
    campaign_id bigint NOT NULL REFERENCES campaigns,
    position smallint NOT NULL,
    name text NOT NULL,
    flow_revision_id bigint NOT NULL REFERENCES flow_revisions,
    PRIMARY KEY (campaign_id, position)
);
CALL furrow_tenant_table('campaign_variants');

-- variant: of its campaign, '' none. answered_by: human, machine, unsure; '' not asked.
ALTER TABLE attempts ADD COLUMN variant text NOT NULL DEFAULT '',
    ADD COLUMN answered_by text NOT NULL DEFAULT '';

-- What a campaign is about: people may leave a topic, in all campaigns that have it.
ALTER TABLE campaigns ADD COLUMN topic text NOT NULL
    GENERATED ALWAYS AS (coalesce(document->>'topic', '')) STORED,
    -- What a machine hears after its beep, when the campaign leaves messages.
    ADD COLUMN machine_flow_revision_id bigint REFERENCES flow_revisions;
ALTER TABLE dnc_entries ADD COLUMN topic text NOT NULL DEFAULT '';
DROP INDEX dnc_entries_active;
CREATE UNIQUE INDEX dnc_entries_active ON dnc_entries (tenant_id, phone, campaign_id, topic)
    WHERE removed_at IS NULL;

-- When its canary passed; and what a campaign holds back by itself, by kind and name.
ALTER TABLE campaign_checks ADD COLUMN canary_passed_at timestamptz,
    ADD COLUMN held jsonb NOT NULL DEFAULT '{}';
RESET ROLE;
