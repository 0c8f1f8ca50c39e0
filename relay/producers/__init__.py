"""What makes events happen besides an API client."""
