"""The bench: a real server under load on the user's own machine, measured from outside."""
