"""Evidence to verdict: margins, statistics, and a policy for each kind of candidate."""
