"""One event from POST to log, through real processes that are stopped, killed and started again."""
