"""Other servers and libraries that the benchmarks stand beside, in environments of their own."""
