-- An account's Balance as billing_open_1 found and locked it: who passes this on shows that the lock is held.
CREATE TYPE billing_opened_1 AS (
    account uuid, known boolean, granted numeric, paid numeric, held numeric, free numeric, frozen boolean,
    recorded_at timestamptz, day date
);
