"""Our HTTP client: it asks one target, over a connection to an address that was judged, and says what came of it."""
