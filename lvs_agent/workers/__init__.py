"""Check workers: processes without privileges, which run the checks and read every byte that a server sends.

``starter`` is the small process that starts and ends them; ``processes`` is the agent's side of it.  ``worker`` is the
process that runs a part of the checks, ``supervisor`` the agent's side of all of them, ``link`` its side of one.
``protocol`` is what the two say to each other.
"""
