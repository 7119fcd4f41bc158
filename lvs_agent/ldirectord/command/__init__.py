"""``lvs-ldirectord``: the agent behind ldirectord's command line, for init scripts and cluster managers that have it.

==================  ====================================================================
``main``            the command line, and what becomes of errors
``order``           what the command line asks for, and the agent that it is about
``actions``         stop, restart, reload, status: what each does and its exit code
``starting``        the same for start
``configuration``   which file is meant
``service_context`` the agent's environment and its further options
``instance``        the pid file, whose lock the running agent holds
``launch``          starting the agent, and waiting until it is at work
``ask``             what a running agent answers
==================  ====================================================================

Only ``start`` and ``restart`` need a configuration that can be used: what runs can be stopped, asked and reloaded
whatever has become of its file.
"""

from lvs_agent.ldirectord.command.main import main

__all__ = ["main"]
