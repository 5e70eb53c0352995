-- Calls that a contract answers without an account at a provider: nobody signs them, and their
-- recordings are fetched without a token.
SET ROLE furrow_owner;
ALTER TABLE voice_sessions ALTER COLUMN account_id DROP NOT NULL;
CREATE UNIQUE INDEX voice_sessions_own ON voice_sessions (tenant_id, provider_call_id)
    WHERE account_id IS NULL;
RESET ROLE;
