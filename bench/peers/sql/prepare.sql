-- What the documents ask for beyond `salescycle demo`: three needs on every lead (they stand in for proposals), and
-- people who can sign in with the admin's password: the rep with the most leads, and a manager whose team has none.
-- Foreign keys are right by construction.
SET session_replication_role = replica;
TRUNCATE need;
INSERT INTO need (id, workspace_id, lead_id, title, importance, version, created_at, updated_at)
SELECT uuidv7(), lead.workspace_id, lead.id, need.title, need.importance, 1, lead.created_at, lead.created_at
FROM lead, (VALUES ('Energy costs are too high', 5), ('Power cuts stop production', 3), ('Needs financing', 1))
    AS need (title, importance);
RESET session_replication_role;

WITH home AS (
    SELECT id AS workspace_id FROM workspace
), team AS (
    INSERT INTO team (id, workspace_id, name, version, created_at, updated_at)
    SELECT uuidv7(), workspace_id, 'Newcomers', 1, now(), now() FROM home
    WHERE NOT EXISTS (SELECT FROM team WHERE name = 'Newcomers') RETURNING id, workspace_id
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

-- PostGraphile's way to change a row and record an event.
CREATE OR REPLACE FUNCTION edit_lead(lead_id uuid, expected_version int, new_title text) RETURNS lead
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    was lead;
    becomes lead;
BEGIN
    SELECT * INTO was FROM lead WHERE id = lead_id AND deleted_at IS NULL FOR UPDATE;
    IF was.version IS DISTINCT FROM expected_version THEN
        RAISE EXCEPTION 'STALE';
    END IF;
    UPDATE lead SET title = new_title, version = version + 1, updated_at = now() WHERE id = lead_id
    RETURNING * INTO becomes;
    INSERT INTO event (id, workspace_id, name, subject_type, subject_id, actor, data, occurred_at)
    VALUES (uuidv7(), becomes.workspace_id, 'lead.updated', 'lead', lead_id, '{"kind": "USER"}',
            jsonb_build_object('version', becomes.version,
                               'changes', jsonb_build_object('title', jsonb_build_array(was.title, new_title))),
            now());
    RETURN becomes;
END
$$;
