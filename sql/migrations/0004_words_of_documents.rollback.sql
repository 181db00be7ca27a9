DROP TABLE said_groups;
ALTER TABLE listed_documents DROP COLUMN source_groups, DROP COLUMN undecided;
DROP TABLE listed_sidecars;
