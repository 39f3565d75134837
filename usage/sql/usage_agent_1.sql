-- The agent an event names: by id (must exist), or by name (made when new). NULL when there is no such id, or no room.
CREATE FUNCTION usage_agent_1(p_account uuid, p_agent uuid, p_name text, p_name_key text, p_new uuid, p_limit int)
RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    v_id uuid;
BEGIN
    IF p_agent IS NOT NULL THEN
        SELECT a.id INTO v_id FROM usage_agent a WHERE a.id = p_agent AND a.account_id = p_account;
        RETURN v_id;
    END IF;
    SELECT a.id INTO v_id FROM usage_agent a WHERE a.account_id = p_account AND a.name_key = p_name_key;
    IF FOUND THEN
        RETURN v_id;
    END IF;
    IF (SELECT count(*) FROM usage_agent a WHERE a.account_id = p_account) >= p_limit THEN
        RETURN NULL;
    END IF;
    INSERT INTO usage_agent (id, account_id, name, name_key, model, created_at)
    VALUES (p_new, p_account, p_name, p_name_key, '', clock_timestamp()) ON CONFLICT (account_id, name_key) DO NOTHING;
    SELECT a.id INTO v_id FROM usage_agent a WHERE a.account_id = p_account AND a.name_key = p_name_key;
    RETURN v_id;
END $$;
