-- A call at a provider that is to go on in another flow: written before the provider is asked to fetch
-- it out of what it hears, taken up by the call's next request.
SET ROLE furrow_owner;
ALTER TABLE voice_sessions
    ADD COLUMN redirect_revision_id bigint REFERENCES flow_revisions (id);
