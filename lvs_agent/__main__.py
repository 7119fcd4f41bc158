"""``python -m lvs_agent`` is ``lvs-agent``."""

from lvs_agent.cli import main

main()
