"""When probes run: schedule, deadlines, cancellation, and the batches in which results are reported."""
