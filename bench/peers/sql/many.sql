-- A copy of the few with a hundred times the leads: each another 99 times, at other times, scores and places.
-- Foreign keys are right by construction, and indexes are built once all rows are there.
SET session_replication_role = replica;
SET maintenance_work_mem = '512MB';
DO $$
DECLARE
    indexes text[];
    one text;
    columns text;
    copied text;
BEGIN
    SELECT array_agg(pg_get_indexdef(indexrelid)) INTO indexes FROM pg_index
    WHERE indrelid IN ('lead'::regclass, 'need'::regclass) AND NOT indisprimary;
    FOR one IN SELECT indexrelid::regclass::text FROM pg_index
        WHERE indrelid IN ('lead'::regclass, 'need'::regclass) AND NOT indisprimary
    LOOP
        EXECUTE format('DROP INDEX %s', one);
    END LOOP;
    SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position),
           string_agg(CASE column_name
               WHEN 'id' THEN 'uuidv7()'
               WHEN 'created_at' THEN 'created_at - random() * interval ''30 days'''
               WHEN 'score' THEN 'least(100, greatest(0, score + floor(random() * 7)::int - 3))'
               WHEN 'rank' THEN 'left(rank, 12) || lpad(to_hex(floor(random() * 16777216)::int), 6, ''0'') || ''8'''
               ELSE quote_ident(column_name)
           END, ', ' ORDER BY ordinal_position)
    INTO columns, copied FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'lead';
    EXECUTE format('CREATE TEMPORARY TABLE few AS SELECT * FROM lead');
    EXECUTE format('INSERT INTO lead (%s) SELECT %s FROM few, generate_series(1, 99)', columns, copied);
    INSERT INTO need (id, workspace_id, lead_id, title, importance, version, created_at, updated_at)
    SELECT uuidv7(), lead.workspace_id, lead.id, added.title, added.importance, 1, lead.created_at, lead.created_at
    FROM lead,
         (VALUES ('Energy costs are too high', 5), ('Power cuts stop production', 3), ('Needs financing', 1))
             AS added (title, importance)
    WHERE lead.id NOT IN (SELECT id FROM few);
    FOREACH one IN ARRAY indexes LOOP
        EXECUTE one;
    END LOOP;
END
$$;
