-- What staff did stays written. (billing has the same trigger; this app knows no other.)
CREATE FUNCTION accounts_refuse_change_1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts_staffact
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change_1();
