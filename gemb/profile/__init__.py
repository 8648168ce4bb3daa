"""Where a step's time goes: a trace of some steps, and a table of it."""
