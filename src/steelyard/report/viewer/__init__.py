"""The viewer: the pool as pages that follow a run while it measures (`steelyard view`)."""
