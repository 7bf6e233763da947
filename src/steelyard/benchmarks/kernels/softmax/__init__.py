"""The race of softmax algorithms, in and out of the caches."""
