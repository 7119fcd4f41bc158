"""The loops that act: they take in reports, run rounds, and hold the one mutable state of the program.

``state``        everything that the agent knows, replaced piece by piece, read as frozen snapshots
``memory``       what outlives the process: ownership and the last known health, in one small file
``checking``     reports of the engine to the state
``reconciling``  the one writer: rounds that make the table right
"""
