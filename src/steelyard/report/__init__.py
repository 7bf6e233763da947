"""Terminal tables, comparisons, rankings, the ledger and the HTML report: everything a person reads."""
