"""Numbers with peers: what the lab costs, and what the same costs elsewhere. See README.md."""
