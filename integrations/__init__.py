"""What runs on the no-code platforms. It talks to Relay only over HTTP."""
