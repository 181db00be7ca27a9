-- Listings of the past lose their documents: there is one for every run.

ALTER TABLE listings ADD COLUMN pruned_at timestamptz;
COMMENT ON COLUMN listings.pruned_at IS 'When its documents were deleted; a run that still means to plan from it lists again.';
