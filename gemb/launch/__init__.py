"""Jobs: a run, where it is to run, and the commands that make it run there."""
