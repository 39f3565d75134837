-- Adds one charge (or, negated, its reversal) to the day's roll-up, in the transaction of the charge.
CREATE FUNCTION usage_daily_1(
    p_account uuid, p_day date, p_type text, p_agent uuid, p_model text, p_count bigint,
    p_input bigint, p_output bigint, p_retrieval bigint, p_seconds bigint, p_pages bigint, p_chunks bigint,
    p_cost numeric, p_uncollected numeric
) RETURNS void LANGUAGE plpgsql AS $$  -- its plan is kept, that of a function in SQL would be made each time
BEGIN
    INSERT INTO usage_dailyspend AS d (id, account_id, day, type, agent_id, model, count, input_tokens, output_tokens,
        retrieval_queries, seconds, pages, chunks, cost, uncollected)
    VALUES (gen_random_uuid(), p_account, p_day, p_type, p_agent, p_model, p_count, p_input, p_output,
        p_retrieval, p_seconds, p_pages, p_chunks, p_cost, p_uncollected)
    ON CONFLICT (account_id, day, type, agent_id, model) DO UPDATE SET
        count = d.count + excluded.count,
        input_tokens = d.input_tokens + excluded.input_tokens,
        output_tokens = d.output_tokens + excluded.output_tokens,
        retrieval_queries = d.retrieval_queries + excluded.retrieval_queries,
        seconds = d.seconds + excluded.seconds,
        pages = d.pages + excluded.pages,
        chunks = d.chunks + excluded.chunks,
        cost = d.cost + excluded.cost,
        uncollected = d.uncollected + excluded.uncollected;
END $$;
