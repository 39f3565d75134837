-- The floor: authentication, pricing, atomic deduction, an immutable charge and its daily roll-up in one function,
-- with nothing else around it. What a metering service in PostgreSQL cannot do much faster. Money in nano-dollars.
CREATE SCHEMA floor;
SET search_path = floor;
CREATE TABLE account (id bigint PRIMARY KEY, balance bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE api_key (key_hash bytea PRIMARY KEY, account_id bigint NOT NULL, revoked boolean NOT NULL DEFAULT false);
CREATE TABLE rate (model_id smallint, valid_from timestamptz, in_rate bigint NOT NULL, out_rate bigint NOT NULL,
    PRIMARY KEY (model_id, valid_from));
CREATE TABLE charge (
    account_id bigint NOT NULL, id bigint NOT NULL, event_id uuid NOT NULL, created timestamptz NOT NULL DEFAULT now(),
    in_tok int NOT NULL, out_tok int NOT NULL, agent_id int NOT NULL, category smallint NOT NULL,
    model_id smallint NOT NULL, cost bigint NOT NULL, balance_after bigint,
    PRIMARY KEY (account_id, id), UNIQUE (account_id, event_id));
CREATE TABLE usage_daily (account_id bigint, day date, category smallint, agent_id int, model_id smallint,
    n bigint NOT NULL, in_tok bigint NOT NULL, out_tok bigint NOT NULL, cost bigint NOT NULL,
    PRIMARY KEY (account_id, day, category, agent_id, model_id)) WITH (fillfactor = 70);
CREATE SEQUENCE idseq CACHE 100;

CREATE FUNCTION tid() RETURNS bigint LANGUAGE sql VOLATILE AS  -- 42 bits of milliseconds, 21 of a sequence
    $$ SELECT ((extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1704067200000) << 21
              | (nextval('floor.idseq') & 2097151) $$;

CREATE FUNCTION record(k bytea, ev uuid, cat smallint, ag int, mo smallint, it int, ot int,
    OUT status smallint, OUT o_cost bigint, OUT o_bal bigint) LANGUAGE plpgsql AS $$
DECLARE
    acc bigint;
    c bigint;
BEGIN
    SELECT account_id INTO acc FROM floor.api_key WHERE key_hash = k AND NOT revoked;
    IF NOT FOUND THEN status := 401; RETURN; END IF;
    SELECT it * in_rate + ot * out_rate INTO c FROM floor.rate
    WHERE model_id = mo AND valid_from <= now() ORDER BY valid_from DESC LIMIT 1;
    IF NOT FOUND THEN status := 422; RETURN; END IF;
    UPDATE floor.account SET balance = balance - c WHERE id = acc AND balance >= c RETURNING balance INTO o_bal;
    IF NOT FOUND THEN
        SELECT 200, cost, balance_after INTO status, o_cost, o_bal
        FROM floor.charge WHERE account_id = acc AND event_id = ev;
        IF NOT FOUND THEN status := 402; END IF;
        RETURN;
    END IF;
    INSERT INTO floor.charge (account_id, id, event_id, category, agent_id, model_id, in_tok, out_tok, cost,
        balance_after) VALUES (acc, floor.tid(), ev, cat, ag, mo, it, ot, c, o_bal);
    INSERT INTO floor.usage_daily AS d VALUES (acc, (now() AT TIME ZONE 'utc')::date, cat, ag, mo, 1, it, ot, c)
    ON CONFLICT (account_id, day, category, agent_id, model_id) DO UPDATE SET n = d.n + 1,
        in_tok = d.in_tok + excluded.in_tok, out_tok = d.out_tok + excluded.out_tok, cost = d.cost + excluded.cost;
    status := 201;
    o_cost := c;
END $$;

INSERT INTO rate SELECT m, '2024-01-01', i, o FROM (VALUES (1, 2500, 10000), (2, 150, 600), (3, 10000, 30000),
    (4, 3000, 15000), (5, 250, 1250), (6, 1250, 5000), (7, 75, 300)) v (m, i, o);
INSERT INTO account SELECT g, 1000000000000000 FROM generate_series(1, 10000) g;
INSERT INTO api_key SELECT sha256(('key-' || g)::bytea), g FROM generate_series(1, 10000) g;
