ALTER TABLE said_groups DROP COLUMN reading;
