"""Statistics over tables that others measured: the contenders are procedures."""
