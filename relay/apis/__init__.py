"""The three public contracts, each a folder; they do not know each other."""
