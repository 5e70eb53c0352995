-- Calls that wait for an agent, and agents who confirm before they are put through.
SET ROLE furrow_owner;

ALTER TABLE agents ADD COLUMN confirm boolean NOT NULL DEFAULT false;

-- seen_at is real time, renewed while it waits: a row that nobody renews counts no more.
CREATE TABLE agent_waiters (
    call_id uuid PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    queue text NOT NULL,
    priority int NOT NULL,
    since timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);
CREATE INDEX agent_waiters_queue ON agent_waiters (tenant_id, queue);
CALL furrow_tenant_table('agent_waiters');

RESET ROLE;
