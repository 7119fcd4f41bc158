"""The loops that act: they take in reports, run rounds, and change the one mutable state of the program.

``state``        everything that the agent knows: changed by few methods, read as frozen snapshots (``facts``: what it
                 holds; ``ledger``: what is counted of one check; ``changes``: how readers see whole changes only)
``memory``       what outlives the process: ownership and the last known health, in one small file
``checking``     reports of the engine to the state
``round``        one round: read, decide, apply, read back; the one writer
``reconciling``  when a round is due (``round_requests``), and what its result means; ``round_events`` reports it
``operator_hooks``  what is done beside checks and rounds: ``maintenance`` (with ``reverse_names`` and
                 ``side_thread``), ``sorry_commands``, ``monitor_files``
``reloading``    a new configuration, on demand and when the file was replaced
``heart``        signs of life, for the watchdog and for /livez
``reporting``    one call for the line in the log and the event in the journal
``journal``      what has happened, across restarts (``journal_file``, ``journal_store``, ``repeats``)
"""
