-- What the documents ask for beyond `salescycle demo`: three needs on every lead (they stand in for proposals), and
-- people who can sign in with the admin's password: the rep with the most leads, and a manager whose team has none.
TRUNCATE need;
INSERT INTO need (id, workspace_id, lead_id, title, importance, version, created_at, updated_at)
SELECT uuidv7(), lead.workspace_id, lead.id, need.title, need.importance, 1, lead.created_at, lead.created_at
FROM lead, (VALUES ('Energy costs are too high', 5), ('Power cuts stop production', 3), ('Needs financing', 1))
    AS need (title, importance);

WITH home AS (
    SELECT id AS workspace_id, memberships_version FROM workspace
), team AS (
    INSERT INTO team (id, workspace_id, name, version, created_at, updated_at)
    SELECT uuidv7(), workspace_id, 'Newcomers', 1, now(), now() FROM home RETURNING id, workspace_id
), newcomer AS (
    INSERT INTO user_account (id, email, email_normalised, name, is_service, version, created_at, updated_at)
    VALUES (uuidv7(), 'newcomer@bench.example', 'newcomer@bench.example', 'New Comer', FALSE, 1, now(), now())
    ON CONFLICT DO NOTHING RETURNING id
)
INSERT INTO membership (id, workspace_id, user_id, role, team_id, active, created_at)
SELECT uuidv7(), team.workspace_id, newcomer.id, 'MANAGER', team.id, TRUE, now() FROM team, newcomer;

UPDATE user_account SET email = 'rep@bench.example', email_normalised = 'rep@bench.example'
WHERE id = (SELECT owner_id FROM lead JOIN membership m ON m.user_id = owner_id WHERE m.role = 'REP'
            GROUP BY owner_id ORDER BY count(*) DESC LIMIT 1)
  AND NOT EXISTS (SELECT FROM user_account WHERE email = 'rep@bench.example');

UPDATE user_account SET password_hash = (SELECT password_hash FROM user_account WHERE email = 'demo@sunfield.example')
WHERE email IN ('rep@bench.example', 'newcomer@bench.example');
