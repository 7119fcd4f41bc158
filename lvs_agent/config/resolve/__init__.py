"""From what was written to the intent: what the keys mean, and the rules that several tables share.  Pure."""
