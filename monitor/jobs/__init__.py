"""What happens by the clock: the table of jobs, when they run, what became of each run, and which are paused."""
