"""Runs external programs from a separate process (``runner``), which the agent controls with ``command_runner``.

Checks and sorry commands use it.  Nothing here depends on the purpose of a program.
"""
