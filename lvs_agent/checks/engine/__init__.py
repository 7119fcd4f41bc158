"""Runs probes: schedule, deadlines, cancellation, and batches of results."""
