"""Everything of ldirectord: its configuration files, its command line, and the lines of its monitor files.

================  ===============================================================
``reader``        an ldirectord.cf as tables, laid out like those of the TOML
``convert``       an ldirectord.cf as TOML, and its mail settings for Alertmanager
``command``       ``lvs-ldirectord``, the agent behind ldirectord's command line
``monitor_line``  lines for monitor files, as ldirectord writes them
================  ===============================================================

Only the commands and the daemon know this package: ``lvs_agent.cli.ldirectord``, and lines that end in ``# annex``.
Without those and this package everything else works (tests/ldirectord/test_removal.py).
"""
