"""Pure statistics over arrays: estimates, comparisons, rankings, profiles and the claim judge."""
