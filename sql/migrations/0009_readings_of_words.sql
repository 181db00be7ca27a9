-- What a document says of its readers is read again when the way of reading changes, not only when the document does.

ALTER TABLE said_groups ADD COLUMN reading text NOT NULL DEFAULT '';
COMMENT ON COLUMN said_groups.reading IS 'Fingerprint of the way in which it was read: our own version of it, and the settings.';
