-- Limits and counts of kinds of jobs, families of jobs, what a job tells, and schedules.
SET ROLE furrow_owner;

ALTER TABLE jobs
    ADD COLUMN parent_id uuid,
    ADD COLUMN children_left int NOT NULL DEFAULT 0, -- it waits for them at run_at 'infinity'
    ADD COLUMN progress jsonb,
    ADD COLUMN result jsonb;
DROP INDEX jobs_open;
CREATE INDEX jobs_open ON jobs (kind, priority DESC, run_at) WHERE finished_at IS NULL;
CREATE INDEX jobs_children ON jobs (parent_id) WHERE parent_id IS NOT NULL;

-- A parent waits until each child is done or cancelled; one that is buried holds it until a
-- person retries or cancels it. Here, because all who end a job must do it.
CREATE FUNCTION furrow_job_child() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended int := (new.state IN ('done', 'cancelled'))::int - (old.state IN ('done', 'cancelled'))::int;
    p record;
BEGIN
    IF ended = 0 THEN RETURN NULL; END IF;
    UPDATE jobs SET children_left = children_left - ended,
           run_at = CASE WHEN children_left - ended <= 0 THEN clock_timestamp() ELSE run_at END
     WHERE id = new.parent_id AND state = 'queued' AND run_at = 'infinity'
 RETURNING id, tenant_id, kind, children_left INTO p;
    IF p.children_left <= 0 THEN
        INSERT INTO outbox (job_id, tenant_id, kind) VALUES (p.id, p.tenant_id, p.kind);
        PERFORM pg_notify('furrow_jobs', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER job_child AFTER UPDATE OF state ON jobs FOR EACH ROW
    WHEN (new.parent_id IS NOT NULL AND new.state IS DISTINCT FROM old.state)
    EXECUTE FUNCTION furrow_job_child();

-- Of all workers together. Tokens of the rate are used up to next_at.
ALTER TABLE job_queues
    ADD COLUMN rate_per_s double precision CHECK (rate_per_s > 0),
    ADD COLUMN max_running int CHECK (max_running > 0),
    ADD COLUMN next_at timestamptz;

-- The running jobs of kinds with max_running, so that they are counted without reading all
-- that waits. A row whose job runs no more is dropped by the next who counts.
CREATE TABLE job_slots (
    job_id uuid PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    kind text NOT NULL
);
CALL furrow_tenant_table('job_slots');

-- What workers did, for /metrics: the rows of jobs expire. Buckets end at 5, 25, 100 and
-- 500 ms, 2.5, 10, 60 and 600 s; the last one is what took longer.
CREATE TABLE job_counts (
    tenant_id int NOT NULL REFERENCES tenants,
    kind text NOT NULL,
    done bigint NOT NULL DEFAULT 0,
    retried bigint NOT NULL DEFAULT 0,
    buried bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0,
    wait_ms bigint NOT NULL DEFAULT 0,
    run_ms bigint NOT NULL DEFAULT 0,
    wait_le bigint[] NOT NULL DEFAULT '{0,0,0,0,0,0,0,0,0}',
    run_le bigint[] NOT NULL DEFAULT '{0,0,0,0,0,0,0,0,0}',
    PRIMARY KEY (tenant_id, kind)
);
CALL furrow_tenant_table('job_counts');

-- Jobs by cron. next_at is business time.
CREATE TABLE job_schedules (
    tenant_id int NOT NULL REFERENCES tenants,
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    kind text NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}',
    cron text NOT NULL,
    timezone text NOT NULL,
    next_at timestamptz NOT NULL,
    last_at timestamptz,
    PRIMARY KEY (tenant_id, name)
);
CALL furrow_tenant_table('job_schedules');
RESET ROLE;
