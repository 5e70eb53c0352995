-- Jobs: the row is the truth, Redis only carries ids to the workers quickly.
SET ROLE furrow_owner;

-- state: queued (waits for run_at), running (leased), done, buried (a person
-- must look), cancelled. A retry is queued again with a later run_at.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    kind text NOT NULL,       -- recording.fetch, asr, nlu, batch, sms
    unique_key text NOT NULL, -- idempotency: one row per (kind, key)
    payload jsonb NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'done', 'buried', 'cancelled')),
    attempts int NOT NULL DEFAULT 0,
    max_attempts int NOT NULL DEFAULT 8,
    run_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- real time of Postgres
    lease_until timestamptz,
    lease_holder text,
    last_error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    UNIQUE (tenant_id, kind, unique_key)
);
CREATE INDEX jobs_waiting ON jobs (tenant_id, run_at) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_state ON jobs (tenant_id, state, kind);
CALL furrow_tenant_table('jobs');

-- Written in the transaction that makes a job due; the relay moves the ids to
-- Redis and deletes the rows. Losing Redis loses nothing: the sweep finds queued
-- jobs past run_at again.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL,
    job_id uuid NOT NULL,
    kind text NOT NULL
);
CALL furrow_tenant_table('outbox');
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO furrow_app;

-- The first partitions; the dialer's maintenance makes the next two months.
SELECT furrow_make_partition(t, clock_timestamp() + m * interval '1 month')
  FROM unnest(ARRAY['attempts', 'calls', 'call_events', 'decisions']) t,
       generate_series(0, 2) m;
RESET ROLE;
