-- A charge is written once; its note (an erasable row of its own) is the only thing about it that may go.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON usage_charge
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_1();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON usage_price
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_1();
