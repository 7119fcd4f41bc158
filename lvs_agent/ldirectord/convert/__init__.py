"""From an ldirectord.cf that was read to files that a person would write: TOML for the agent, YAML for Alertmanager.

``conversion`` tells the way: ``compact`` says everything once, as far out as it holds (``layers`` has the rules),
``unused`` keeps what no check has a use for, ``notes`` finds the place of each comment and warning, ``passwords`` takes
secrets out, ``toml`` writes.  ``alertmanager`` turns mail settings into routes and receivers, ``yaml`` writes them.
Nothing here reads or writes a file.
"""
