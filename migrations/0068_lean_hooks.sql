-- A webhook's rows name an account, and the account its tenant; row security lets nobody write
-- another one. A second look at the tenant for each row cost as much as an index.
SET ROLE furrow_owner;
ALTER TABLE voice_sessions DROP CONSTRAINT voice_sessions_tenant_id_fkey;
ALTER TABLE provider_events DROP CONSTRAINT provider_events_tenant_id_fkey;
-- Room on the page for the versions of a call's few steps: no index is written for them.
ALTER TABLE voice_sessions SET (fillfactor = 60);
RESET ROLE;
