"""The command line: arguments in, exit codes out.

0 done; 1 it could not be done here (no permission, port in use, no agent answers); 2 the configuration or the command
line cannot be used.
"""

from lvs_agent.cli.main import main

__all__ = ["main"]
