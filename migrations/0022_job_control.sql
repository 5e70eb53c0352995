-- What a person or a failure says about jobs beyond their state: workers that died at
-- them, a wish to cancel, priorities, and kinds that are held.
SET ROLE furrow_owner;

ALTER TABLE jobs
    ADD COLUMN deaths int NOT NULL DEFAULT 0,              -- workers that died while they held it
    ADD COLUMN cancel_asked boolean NOT NULL DEFAULT false, -- of a running one
    ADD COLUMN priority smallint NOT NULL DEFAULT 0
        CHECK (priority BETWEEN -1 AND 1); -- low, normal, high

-- The open ones are indexed by this column, because it changes once in a job's life: taking
-- a job then touches no index and is written beside the old row where the page has room.
UPDATE jobs SET finished_at = CASE WHEN state IN ('queued', 'running') THEN NULL
                                   ELSE coalesce(finished_at, clock_timestamp()) END
 WHERE (finished_at IS NULL) <> (state IN ('queued', 'running'));
ALTER TABLE jobs ADD CONSTRAINT jobs_finished
    CHECK ((finished_at IS NULL) = (state IN ('queued', 'running')));
DROP INDEX jobs_waiting, jobs_state;
CREATE INDEX jobs_open ON jobs (kind, priority, run_at) WHERE finished_at IS NULL;
CREATE INDEX jobs_failed ON jobs (kind) WHERE finished_at IS NOT NULL AND last_error <> '';
CREATE INDEX jobs_suspect ON jobs (kind) WHERE finished_at IS NULL AND deaths > 0;
ALTER TABLE jobs SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05,
                      autovacuum_vacuum_cost_delay = 1);
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);

-- What is said of a kind of jobs. Without a row a kind simply runs.
CREATE TABLE job_queues (
    tenant_id int NOT NULL REFERENCES tenants,
    kind text NOT NULL,
    hold_from timestamptz, -- jobs made at or after this wait; -infinity: all (paused)
    PRIMARY KEY (tenant_id, kind)
);
CALL furrow_tenant_table('job_queues');
RESET ROLE;
