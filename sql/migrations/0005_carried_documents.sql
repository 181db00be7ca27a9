-- A run that looks at named documents alone takes the others over from the listing before.

ALTER TABLE listed_documents ADD COLUMN carried boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN listed_documents.carried IS 'Nobody looked at it for this listing: it stands as in the one before, and says nothing new of access.';
