-- Row security adds the tenant to every query. An index of jobs that leads with the
-- tenant can therefore serve a query for known ids, and the planner prefers it when
-- its statistics say that the tenant has hardly any jobs, which is what they say
-- when thousands have just come. So no index of all jobs leads with the tenant.
SET ROLE furrow_owner;

ALTER TABLE jobs DROP CONSTRAINT jobs_tenant_id_kind_unique_key_key,
    ADD UNIQUE (kind, unique_key, tenant_id);
DROP INDEX jobs_state;
CREATE INDEX jobs_state ON jobs (state, kind, tenant_id);
RESET ROLE;
