-- One event of usage_record_many_1: its place (from 0), its agent found, and what all of them cost up to it.
CREATE TYPE usage_planned_1 AS (
    place int, id uuid, event text, hash bytea, type text, agent uuid, model text, input bigint, output bigint,
    retrieval bigint, seconds bigint, answered boolean, pages bigint, chunks bigint, rates jsonb, price numeric,
    through numeric, occurred timestamptz, note text
);
