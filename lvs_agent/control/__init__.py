"""The loops that act: they take in reports, run rounds, and hold the one mutable state of the program.

``state``        everything that the agent knows, replaced piece by piece, read as frozen snapshots
``memory``       what outlives the process: ownership and the last known health, in one small file
``ledger``       what is counted of one check
``checking``     reports of the engine to the state
``round``        one round: read, decide, apply, read back; the one writer
``reconciling``  when a round is due, and what its result means; ``round_events`` tells of it
``attending``    what is done beside checks and rounds: ``maintenance`` (with ``reverse_names`` and ``side_thread``),
                 ``sorry_commands``, ``monitor_files``
``reloading``    a new configuration, on demand and when the file was replaced
``journal``      what has happened, through restarts (``journal_file``, ``journal_store``, ``repeats``)
"""
