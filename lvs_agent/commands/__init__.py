"""Runs external programs in a process of their own (``runner``), which the agent asks through ``command_runner``.

Checks and sorry commands use it.  Nothing here knows what a program is run for.
"""
