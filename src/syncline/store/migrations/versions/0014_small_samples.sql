-- A sample has as many rows as the column with the largest target asks for, and holds them whole.
DO $$
BEGIN
    FOR i IN 0..7 LOOP
        EXECUTE format('ALTER TABLE contents_%s ALTER workspace_id SET STATISTICS 10,'
                       ' ALTER id SET STATISTICS 10, ALTER hash SET STATISTICS 10,'
                       ' ALTER stemming SET STATISTICS 10, ALTER chunking SET STATISTICS 10', i);
        EXECUTE format('ALTER TABLE chunks_%s ALTER workspace_id SET STATISTICS 30,'
                       ' ALTER content_id SET STATISTICS 30, ALTER n SET STATISTICS 30,'
                       ' ALTER start SET STATISTICS 30, ALTER length SET STATISTICS 30,'
                       ' ALTER hash SET STATISTICS 30, ALTER id SET STATISTICS 30', i);
    END LOOP;
END $$;
