-- Accounts at providers of calls and messages. What proves who we are, and by what their
-- requests are proved, is sealed (base/secret.h); the address of their webhooks holds a name
-- that nobody guesses.
SET ROLE furrow_owner;
CREATE TABLE provider_accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    kind text NOT NULL CHECK (kind IN ('twilio', 'plivo', 'africastalking', 'http')),
    account text NOT NULL, -- Twilio's account SID, Plivo's auth id, Africa's Talking's user name
    hook uuid NOT NULL UNIQUE,
    settings jsonb NOT NULL DEFAULT '{}',
    sealed bytea NOT NULL, -- a JSON object: token, signing_token
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    UNIQUE (tenant_id, name)
);
CALL furrow_tenant_table('provider_accounts');

-- Whose webhook it is: a request comes before any tenant is known. Written by a trigger, read
-- through the function only.
CREATE TABLE provider_hooks (
    hook uuid PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants
);
CREATE FUNCTION furrow_provider_hook_claim() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF tg_op = 'DELETE' THEN
        DELETE FROM provider_hooks WHERE hook = old.hook;
    ELSE
        INSERT INTO provider_hooks (hook, tenant_id) VALUES (new.hook, new.tenant_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER provider_hook_claim AFTER INSERT OR DELETE ON provider_accounts
    FOR EACH ROW EXECUTE FUNCTION furrow_provider_hook_claim();
CREATE FUNCTION furrow_provider_hook_tenant(asked uuid) RETURNS int
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT tenant_id FROM provider_hooks WHERE hook = asked';

-- What a provider has told us once, and what it was answered: told again, it gets the same
-- answer and nothing else happens. key is the provider's nonce, or the request's hash.
CREATE TABLE provider_events (
    account_id bigint NOT NULL REFERENCES provider_accounts ON DELETE CASCADE,
    tenant_id int NOT NULL REFERENCES tenants,
    key bytea NOT NULL CHECK (octet_length(key) = 32),
    request bytea NOT NULL CHECK (octet_length(request) = 32), -- hash of method, URL and body
    status int NOT NULL,
    content_type text NOT NULL,
    answer text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (account_id, key)
);
CREATE INDEX provider_events_at ON provider_events (at);
CALL furrow_tenant_table('provider_events');

-- Messages: through which account, what it cost, and what became of it after it was sent.
ALTER TABLE messages DROP CONSTRAINT messages_state_check;
ALTER TABLE messages
    ADD CONSTRAINT messages_state_check
        CHECK (state IN ('queued', 'sent', 'delivered', 'undelivered', 'failed', 'refused')),
    ADD COLUMN account_id bigint REFERENCES provider_accounts ON DELETE SET NULL,
    ADD COLUMN sender text NOT NULL DEFAULT '',
    ADD COLUMN price_micros bigint NOT NULL DEFAULT 0, -- by the tenant's price, or the provider's word
    ADD COLUMN currency text NOT NULL DEFAULT '',
    ADD COLUMN reported_at timestamptz; -- of the last delivery report
CREATE INDEX messages_sent ON messages (sent_at) WHERE sent_at IS NOT NULL;

-- How a tenant's messages leave. No row: as the worker is configured.
CREATE TABLE message_settings (
    tenant_id int PRIMARY KEY REFERENCES tenants,
    account_id bigint NOT NULL REFERENCES provider_accounts,
    sender text NOT NULL, -- number in E.164, short code or name
    daily_cap int NOT NULL DEFAULT 0 CHECK (daily_cap >= 0), -- messages in a day of the cap's zone; 0: none
    zone text NOT NULL DEFAULT 'Etc/UTC',
    transliterate boolean NOT NULL DEFAULT false, -- GSM-7 look-alikes instead of costlier UCS-2
    price_micros bigint NOT NULL DEFAULT 0 CHECK (price_micros >= 0), -- of a segment
    currency text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL
);
CALL furrow_tenant_table('message_settings');
RESET ROLE;
