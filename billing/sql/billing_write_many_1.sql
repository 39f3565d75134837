-- Writes the entries of many charges in their order and the balance that they leave, as billing_write_1 would one by one.
-- For functions that have opened the account (o). An entry's id is its charge's; its place (from 0) counts microseconds
-- after o.recorded_at; p_last is the place of the last record, entry or not. Each cost is above zero, and all of them are
-- free together. Granted is spent before paid; the one entry that spans both is split.
CREATE FUNCTION billing_write_many_1(o billing_opened_1, p_ids uuid[], p_places int[], p_costs numeric[], p_last int)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    all_of_them record;
    seq_before bigint;
BEGIN
    SELECT sum(u.cost) AS cost, min(u.cost) AS least INTO all_of_them FROM unnest(p_costs) u (cost);
    IF all_of_them.cost > o.free OR all_of_them.least <= 0 THEN
        RAISE EXCEPTION 'account %: % does not fit into %', o.account, all_of_them.cost, o.free
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT b.seq INTO seq_before FROM billing_balance b WHERE b.account_id = o.account;
    WITH spent AS (
        SELECT u.id, u.place, u.cost, row_number() OVER by_place AS n, sum(u.cost) OVER by_place AS through
        FROM unnest(p_ids, p_places, p_costs) u (id, place, cost) WINDOW by_place AS (ORDER BY u.place)
    ), entries AS (
        INSERT INTO billing_ledgerentry (id, account_id, seq, kind, key, granted, paid, granted_after, paid_after,
                                         actor, reason, recorded_at, day)
        SELECT s.id, o.account, seq_before + s.n, 'charge', s.id::text,
            greatest(0, o.granted - s.through) - greatest(0, o.granted - s.through + s.cost),
            greatest(0, s.through - s.cost - o.granted) - greatest(0, s.through - o.granted),
            greatest(0, o.granted - s.through), o.paid - greatest(0, s.through - o.granted),
            'usage', '', o.recorded_at + s.place * interval '1 microsecond', o.day
        FROM spent s RETURNING granted_after + paid_after AS left_over, recorded_at
    )
    UPDATE billing_balance b SET
        granted = greatest(0, o.granted - all_of_them.cost), paid = o.paid - greatest(0, all_of_them.cost - o.granted),
        seq = b.seq + cardinality(p_ids), last_day = o.day,
        last_recorded_at = o.recorded_at + p_last * interval '1 microsecond',
        depleted_at = CASE WHEN o.granted + o.paid - all_of_them.cost < 0.01 THEN coalesce(
            b.depleted_at, (SELECT min(e.recorded_at) FROM entries e WHERE e.left_over < 0.01)) END,
        refused_at = NULL
    WHERE b.account_id = o.account;
END $$;
