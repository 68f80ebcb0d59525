"""What backends are worth on this machine: how fast they are, and whether their results are the same."""
