ALTER TABLE listed_documents DROP COLUMN carried;
