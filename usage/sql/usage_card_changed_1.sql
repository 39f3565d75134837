-- Every new price raises the version of the rate card. Taken from the clock, so that no two states share a version.
CREATE FUNCTION usage_card_changed_1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE usage_ratecard SET version = greatest(version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
    RETURN NULL;
END $$;
CREATE TRIGGER card_changed AFTER INSERT ON usage_price FOR EACH STATEMENT EXECUTE FUNCTION usage_card_changed_1();
