-- A copy of the demo with ten thousand of its leads: the same people, stages and companies. One person is given so
-- many that a single stage fills a page of theirs.
CREATE TEMPORARY TABLE kept AS SELECT * FROM lead ORDER BY md5(id::text) LIMIT 10000;
TRUNCATE event, event_head, job, lead CASCADE;
INSERT INTO lead SELECT * FROM kept;
INSERT INTO need (id, workspace_id, lead_id, title, importance, version, created_at, updated_at)
SELECT uuidv7(), workspace_id, lead.id, need.title, need.importance, 1, created_at, created_at
FROM lead, (VALUES ('Energy costs are too high', 5), ('Power cuts stop production', 3), ('Needs financing', 1))
    AS need (title, importance);

INSERT INTO user_account (id, email, email_normalised, name, password_hash, is_service, version, created_at, updated_at)
SELECT uuidv7(), 'busy@bench.example', 'busy@bench.example', 'Busy Rep', password_hash, FALSE, 1, now(), now()
FROM user_account WHERE email = 'demo@sunfield.example';
INSERT INTO membership (id, workspace_id, user_id, role, active, created_at)
SELECT uuidv7(), workspace.id, busy.id, 'REP', TRUE, now()
FROM workspace, user_account busy WHERE busy.email = 'busy@bench.example';
UPDATE lead SET owner_id = (SELECT id FROM user_account WHERE email = 'busy@bench.example')
WHERE owner_id IN (
    SELECT owner_id FROM lead JOIN user_account owner ON owner.id = owner_id WHERE owner.email <> 'rep@bench.example'
    GROUP BY 1 ORDER BY count(*) DESC LIMIT 10
);
