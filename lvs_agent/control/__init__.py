"""The loops that act: they take in reports, run rounds, and change the one mutable state of the program.

``state``        everything that the agent knows: changed by few methods, read as frozen snapshots (``facts``: its
                 content; ``ledger``: the counts of one check; ``changes``: readers see each change whole)
``memory``       the state that is kept across restarts: ownership and the last known health, in one small file
``checking``     reports of the engine, noted in the state
``round``        one round: read, decide, apply, read back; the only writer of the table
``reconciling``  when a round is due (``round_requests``), and what its result means; ``round_events`` reports it
``operator_hooks``  work beside checks and rounds: ``maintenance`` (with ``reverse_names`` and
                 ``side_thread``), ``sorry_commands``, ``monitor_files``
``reloading``    a new configuration, on demand and when the file was replaced
``heart``        signs of life, for the watchdog and for /livez
``reporting``    one call writes the line in the log and the event in the journal
``journal``      what has happened, across restarts (``journal_file``, ``journal_store``, ``repeats``)
"""
