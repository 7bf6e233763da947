"""Source distributions of the package index as repositories: fetched, unpacked, tested in the sandbox, gated."""
