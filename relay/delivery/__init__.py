"""The delivery engine, one file a step: publish, drain, post, guard, settle."""
