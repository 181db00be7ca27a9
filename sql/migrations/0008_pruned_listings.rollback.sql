ALTER TABLE listings DROP COLUMN pruned_at;
