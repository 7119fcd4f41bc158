"""From an ldirectord.cf that was read to files that a person would write: TOML for the agent, YAML for Alertmanager.

The way of a conversion: ``compact`` says everything once, as far out as it holds, ``notes`` finds the place of each
comment and warning, ``passwords`` takes secrets out, ``toml`` writes.  ``alertmanager`` turns the e-mail settings into
routes and receivers, ``yaml`` writes them.  Nothing here reads or writes a file.
"""
