"""From the draft to the intent: what the keys mean, and the rules between several tables.  Pure."""
